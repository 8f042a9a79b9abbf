"""Test docs/hyperparameters.md: no part and no field of one is missing, and options are real."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from load_script import load_script

from documentation import hyperparameters
from neurorl.models.agent.fields import KINDS, AgentFields
from neurorl.models.agent.options import option_types
from neurorl.models.agent.parts import field_names
from neurorl.models.agent.policies import POLICIES, Softmax
from neurorl.models.deep.trunk import INNER
from neurorl.rules import RULES
from neurorl.rules.registry import is_shipped

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "hyperparameters.md").read_text()
REGISTRIES = {**KINDS, **INNER}


def section(kind: str) -> str:
    """Return the part of the page on one kind of part."""
    found = re.search(rf"(?ms)^##+ {kind}$(.*?)(?=^##|\Z)", PAGE)
    assert found, kind
    return found[1]


def test_the_page_is_the_one_that_the_script_makes(tmp_path: Path) -> None:
    out = tmp_path / "page.md"
    assert load_script("hyperparameters").main(["--out", str(out)]) == 0
    assert out.read_text() == PAGE, "run: python scripts/hyperparameters.py"


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_part_and_field_is_there(kind: str) -> None:
    text = section(kind)
    for name, cls in hyperparameters.shipped(REGISTRIES[kind]).items():
        assert f"**`{name}`**" in text
        of_part = text.partition(f"**`{name}`**")[2].partition("**`")[0]
        for field in field_names(cls):
            assert re.search(rf"\| `(trunk\.)?({kind}\.)?{field}` \|", of_part), field


def test_every_field_of_an_agent_and_every_rule_is_there() -> None:
    text = section("The agent")
    assert all(f"| `{field.name}` |" in text for field in dataclasses.fields(AgentFields))
    shipped = [name for name, rule in RULES.items() if is_shipped(rule)]
    assert all(f"| `{name}` |" in section("Rules") for name in shipped)


def test_options_of_parts_are_options() -> None:
    kinds = "|".join(KINDS)
    said = set(re.findall(rf"(?m)^\| `((?:{kinds})\.(?!patches\.)[\w.]+)` \|", PAGE))
    assert len(said) > 30
    assert said <= set(option_types())


def test_options_in_the_page_of_words_are_there() -> None:
    kinds = "|".join((*KINDS, "gradient"))
    said = set(re.findall(rf"`((?:{kinds})\.\w+)", (DOCS / "words.md").read_text()))
    assert len(said) > 15
    assert all(f"| `{option}` |" in PAGE for option in said)


def test_a_field_that_nobody_explained_is_found() -> None:
    cls = dataclasses.make_dataclass(
        "Longer", [("slowness", float, 0.5)], bases=(Softmax,), frozen=True
    )
    with pytest.raises(LookupError, match=r"Longer\.slowness"):
        hyperparameters.sentence(cls, "slowness")
    assert hyperparameters.sentence(cls, "beta") == "inverse temperature, per vote"


def test_parts_of_users_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = type("Mine", (Softmax,), {"__module__": "mine"})
    monkeypatch.setitem(POLICIES._classes, "mine", mine)
    assert "mine" not in hyperparameters.shipped(POLICIES)
    assert "softmax" in hyperparameters.shipped(POLICIES)


def test_a_range_is_said_plainly() -> None:
    assert "`gamma` | number, 0 to 1 | `0.99`" in PAGE
    assert "`policy.repeats` | whole number, 1 to 1,000 | `1`" in PAGE
