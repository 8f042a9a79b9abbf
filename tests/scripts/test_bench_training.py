"""Test scripts/bench_training.py: the networks that are compared are the same, and its table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from load_script import load_script

from neurorl.errors import UnknownNameError

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from benchmarks.training import contenders  # noqa: E402
from benchmarks.training.cases import CASES, Case, choose, get_loss, make_data  # noqa: E402
from benchmarks.training.contenders import LIBRARIES, Library, layered, ways  # noqa: E402
from benchmarks.training.measure import measure  # noqa: E402
from benchmarks.training.ours import Ours  # noqa: E402

torch.set_num_threads(1)  # others test beside us

NAMES = ["cartpole, batch 64", "lif, batch 64", "recurrent, batch 64", "20 seeds, batch 64"]
SURROGATES = {"pytorch": True, "spikingjelly": True, "snntorch": False}
"""Map libraries with our sigmoid on the way back to whether resets are constants there."""


def silent(name: str) -> Case:
    """Return a small case with neurons without noise, as all libraries have them."""
    case = CASES[name]
    return dataclasses.replace(case, noise=0.0, batch=5, replicas=min(case.replicas, 3))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries themselves
@pytest.mark.parametrize("in_blocks", [False, True])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("library", list(LIBRARIES))
def test_a_peers_network_is_ours(library: str, name: str, in_blocks: bool) -> None:
    """Every spike is the same; so are gradients, where the library has our surrogate."""
    pytest.importorskip(LIBRARIES[library].package, reason=f"{library} is not installed")
    case = silent(name)
    ours = Ours(case, detach_reset=SURROGATES.get(library, True))
    theirs = layered(library, case, in_blocks)
    expected, found = ours.rasters(), theirs.rasters()
    for population, raster in found.items():
        assert torch.equal(raster, expected[population])
        assert 0.005 < float(raster.detach().mean()) < 0.5
    if library in SURROGATES:
        for rasters in (expected, found):
            torch.autograd.backward(get_loss(rasters["output"], make_data(case)))
        gradient: Any = ours.modules[0].weight("input_hidden").grad
        mine: Any = theirs.hidden.grad
        torch.testing.assert_close(
            mine[..., :-1, :], gradient.view_as(mine[..., :-1, :]), rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("name", ["rollout, cartpole", "rollout, 20 seeds"])
def test_decisions_of_a_rollout_are_of_its_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our agent and a peer's have the same spikes in all rows, four at a time, before learning."""
    case = dataclasses.replace(CASES[name], noise=0.0, replicas=min(CASES[name].replicas, 3))
    ours, theirs = Ours(case), layered("pytorch", case)
    seen: list[Any] = []

    def heard(output: Any) -> Any:
        seen.append(output)
        return choose(output)

    for module in ("ours", "layered"):
        monkeypatch.setattr(f"benchmarks.training.{module}.choose", heard)
    whole = ours.rasters()["output"].detach()
    ours()
    theirs.update()
    assert len(seen) == 2 * 16
    for half in (seen[:16], seen[16:]):
        assert torch.equal(torch.cat(half, dim=-2), whole)
    actions = choose(whole)
    assert actions.shape == whole.shape[1:-1]
    assert set(actions.flatten().tolist()) == {0, 1}


def test_an_update_learns() -> None:
    """Ours and a peer's take the same steps."""
    case = silent("cartpole, batch 64")
    ours, theirs = Ours(case), layered("pytorch", case)
    before = ours.modules[0].weights("input_hidden")
    for _ in range(3):
        ours()
        theirs.update()
    after = ours.modules[0].weights("input_hidden")
    moved = abs(after - before).max()
    assert moved > 1e-3
    assert abs(theirs.hidden.detach()[:-1].numpy() - after).max() < 1e-2 * moved


def test_who_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    case = silent("20 seeds, batch 64")
    missing = Library("no_such_package", LIBRARIES["norse"].cells)
    monkeypatch.setitem(contenders.LIBRARIES, "norse", missing)
    found, notes = ways(case, ["pytorch", "norse"])
    assert notes == ["norse: not installed (pip install norse)"]
    assert next(iter(found)) == ("neurorl", "one batch")
    forms = {form for name, form in found if name == "pytorch"}
    assert forms == {"dense", "blocks", "dense, loop", "blocks, loop"}
    with pytest.raises(UnknownNameError, match="did you mean 'norse'"):
        ways(case, ["nors"])


def test_rows_are_of_the_quickest_form(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr("time.process_time", lambda: clock)

    def way(seconds: float) -> Callable[[], None]:
        def call() -> None:
            nonlocal clock
            clock += seconds

        return call

    taken = {("ours", "slow"): 3e-3, ("ours", "quick"): 1e-3, ("other", "one"): 2e-3}
    rows = measure({key: way(s) for key, s in taken.items()}, "ours", 3, 0.01)
    assert [(r["name"], r["form"]) for r in rows] == [("ours", "quick"), ("other", "one")]
    assert [r["ms"] for r in rows] == pytest.approx([1.0, 2.0])
    for key in ("ratio", "ratio_min", "ratio_max"):
        assert [r[key] for r in rows] == pytest.approx([1.0, 2.0])


def test_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    main = load_script("bench_training").main
    quick = ["--rounds", "1", "--seconds", "0.001", "--peers", "pytorch"]
    assert (
        load_script("bench_training").main([*quick, "--cases", "cartpole, batch 1", "--json"]) == 0
    )
    seen = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in seen["rows"]} >= {"neurorl", "pytorch"}
    assert all(row["ms"] > 0 for row in seen["rows"])
    assert main([*quick, "--cases", "recurrent, batch 1"]) == 0
    assert "| recurrent, batch 1: 40 -> 160 -> 20 |" in capsys.readouterr().out
