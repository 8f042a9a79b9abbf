"""Test that agents and options which versions 0.1 and 0.2 wrote are read as they were meant.

``stored/agents.json`` was written by 0.2.0 before fields of parts were in the parts: the agent's
plain data, the environment and backend that it began with, and a digest of its weights after 60
steps with the seed 3.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import AgentConfig, SpikingActorCritic
from neurorl.agents.checkpoint import read_agent
from neurorl.errors import UnknownNameError
from neurorl.lab.sweep import Sweep
from neurorl.models.agent.critics import Linear, Optimistic, Spiking
from neurorl.models.agent.encoders import Bernoulli
from neurorl.models.agent.fields import KINDS
from neurorl.models.agent.gaussian_policy import Gaussian
from neurorl.models.agent.modulators import DifferentialTD
from neurorl.models.agent.options import MOVED, current_agent, option_types
from neurorl.models.agent.policies import AnnealedSoftmax, EpsilonGreedy, Softmax
from neurorl.models.agent.schedules import HarmonicDecay, LinearFall
from neurorl.models.agent.writes import Accumulate, OnChip
from neurorl.runs.settings import read_settings
from neurorl.storage.zoo import AGENTS

STORED = json.loads((Path(__file__).parent / "stored" / "agents.json").read_text())
PARTS: dict[str, dict[str, Any]] = {
    "preset": {"policy": Softmax(0.15), "critic": Linear(0.1), "schedule": LinearFall()},
    "numbers": {"policy": Gaussian(hold=8, natural=True), "critic": Linear(0.1, 0.9)},
    "spiking critic": {"critic": Spiking(0.2, 0.9, 10, 4.0), "policy": Softmax(0.15, 0.02)},
    "optimistic": {"critic": Optimistic(0.2, 0.7, initial_value=2.0)},
    "annealed": {"policy": AnnealedSoftmax(0.15, 0.0, 2, 0, 0.6, 50)},
    "epsilon-greedy": {"policy": EpsilonGreedy(0.2)},
    "repeats": {"policy": Softmax(0.15, 0.1, 3, 40)},
    "slowing": {"schedule": HarmonicDecay(60)},
    "falling": {"schedule": LinearFall(0.2, 3)},
    "accumulate": {"writes": Accumulate(4)},
    "on chip": {"learning": OnChip(30.0)},
    "encoder": {"encoder": Bernoulli(0.6)},
    "average reward": {"modulator": DifferentialTD(2.0)},
}


@pytest.mark.filterwarnings("ignore::neurorl.errors.FallbackWarning")
@pytest.mark.parametrize("name", STORED)
def test_an_agent_of_0_2_is_as_it_was_and_learns_the_same(name: str) -> None:
    stored = STORED[name]
    config = AgentConfig.from_dict(stored["config"])
    assert {kind: config.parts[kind] for kind in PARTS[name]} == PARTS[name]
    written = json.loads(json.dumps(config.to_dict()))
    assert AgentConfig.from_dict(written) == config
    assert current_agent(written) is written  # which has nothing of older versions
    agent = SpikingActorCritic(**stored["with"], config=config, seed=3)
    agent.learn(total_steps=60)
    digest = hashlib.sha256()
    for weights in agent.weights.values():
        digest.update(np.ascontiguousarray(weights).tobytes())
    agent.close()
    assert digest.hexdigest()[:16] == stored["weights"]


@pytest.mark.parametrize("folder", sorted(AGENTS.iterdir()), ids=lambda folder: folder.name)
def test_a_pretrained_agent_has_all_that_its_file_says(folder: Path) -> None:
    data = json.loads((folder / "config.json").read_text())["agent"]
    config = read_agent(folder)[0].config
    assert config == AgentConfig.from_dict(data)
    for kind, registry in KINDS.items():
        said = data.get(kind, registry.default.name)
        name = config.parts[kind].name if isinstance(said, str) else config.parts[kind].to_dict()
        assert name == said
    assert (data["alpha_critic"], data["lambda_critic"]) == (
        config.critic.alpha,
        config.critic.lambda_,
    )


def test_an_older_option_is_read_with_a_warning_that_names_the_new_one() -> None:
    with pytest.warns(FutureWarning, match=r"--set: beta is a field.*write policy\.beta"):
        assert read_settings(["beta=0.2"]) == {"policy.beta": 0.2}
    with pytest.warns(FutureWarning, match=r"critic\.alpha"):
        sweep = Sweep.grid({"env": "CartPole-v1", "set": {"alpha_critic": [0.1, 0.2]}})
    with pytest.warns(FutureWarning, match=r"critic\.alpha"):
        overrides = [unit.options()["overrides"] for unit in sweep.units]
    assert overrides == [{"critic.alpha": 0.1}, {"critic.alpha": 0.2}]
    assert [unit.values["set.alpha_critic"] for unit in sweep.units] == [0.1, 0.2]  # their folders


def test_in_python_an_older_option_is_refused_with_what_to_write() -> None:
    options: dict[str, Any] = {"beta": 0.2}
    with pytest.raises(UnknownNameError, match=r"policy=Softmax\(beta=\.\.\.\)"):
        SpikingActorCritic("CartPole-v1", **options)
    assert not MOVED.keys() & option_types().keys()


@pytest.mark.parametrize("data", [{}, {"policy": "softmax"}, {"policy": 3, "type": "AgentConfig"}])
def test_what_is_no_agent_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="AgentConfig"):
        AgentConfig.from_dict(data)
