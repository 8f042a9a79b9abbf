"""Run the report for owners on the stand-in for a chip: its spikes are compared, not its state."""

from __future__ import annotations

from neurorl.conformance.__main__ import report


def test_a_chip_is_named_and_what_it_doesnt_learn_is_found() -> None:
    """Its spikes are the reference's; it learns nothing, which vectors that learn show."""
    made = report("loihi", n_vectors=6)
    assert {row["target"] for row in made["vectors"]} == {"loihi"}
    assert all(row["compared"] == ["cells.spikes", "last.spikes"] for row in made["vectors"])
    assert [row["result"] for row in made["vectors"]] == ["equal", "differs"] * 3
