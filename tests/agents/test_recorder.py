"""A recorded training is the one without, and its rows are those that learning used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl import Recorder, SpikingActorCritic
from neurorl.errors import ArgumentError, UnknownNameError, UnsupportedError
from neurorl.testing import same_state

NAMES = ["input.spikes", "hidden.spikes", "output.spikes", "action", "policy", "reward", "value"]
NAMES += ["modulator", "input_hidden.weights", "input_hidden.eligibility"]


def agent_of(**options: Any) -> SpikingActorCritic:
    return SpikingActorCritic("neurorl/GridWorld-v0", seed=3, **options)


def trained(recorder: Recorder | None, **options: Any) -> tuple[Any, Any]:
    agent = agent_of(**options)
    agent.learn(total_episodes=4, record=recorder)
    state = agent._replicas.state(0)
    return agent, {k: v for k, v in state.items() if "wall" not in k}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loop": "numpy"},
        {"backend": "loihi"},
        {"backend": "brian2:numpy"},
        {"backend": "loihi", "learning": "pes", "noise": "chip"},
        {"modulator": "reward", "rule": "reward-stdp"},
    ],
    ids=str,
)
def test_training_is_the_same_without_it(options: dict[str, Any]) -> None:
    plain, state = trained(None, **options)
    recorded, same = trained(Recorder(NAMES), **options)
    assert plain.episodes == recorded.episodes
    assert same_state(state, same) == []


def test_both_loops_record_the_same_and_the_modulator_is_the_learners(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from neurorl.learning.learner import Modulators
    from neurorl.learning.loops.numpy import NumpyLoop

    used: list[float] = []
    original = NumpyLoop._modulators

    def noted(loop: NumpyLoop, k: int) -> tuple[float, Modulators]:
        modulator, others = original(loop, k)
        used.append(modulator)
        return modulator, others

    monkeypatch.setattr(NumpyLoop, "_modulators", noted)
    one, other = Recorder(NAMES), Recorder(NAMES)
    agent, _ = trained(one, loop="numpy")
    trained(other, loop=None)
    assert one["modulator"].tolist() == used
    for name in NAMES:
        assert np.array_equal(one[name], other[name]), name
        assert np.array_equal(one.times(name), other.times(name))
    n, window = agent.steps_taken, agent.config.window
    assert one["hidden.spikes"].shape == (n * window, agent.network.node("hidden").size)
    assert np.array_equal(one["input_hidden.weights"][-1], agent.weights["input_hidden"])
    assert np.any(one["input_hidden.eligibility"][0])
    assert one.times("action").tolist() == list(range(n))


def test_only_some_episodes_and_decisions() -> None:
    recorder = Recorder(["action"], episodes=2, every=3)
    agent, _ = trained(recorder)
    ends = np.cumsum([e.length for e in agent.episodes])
    in_some = [d for d in range(0, ends[-1], 3) if np.searchsorted(ends, d, "right") % 2 == 0]
    assert recorder.times("action").tolist() == in_some


def test_what_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'hidden.spikes'"):
        agent_of().learn(total_episodes=1, record=Recorder(["hiden.spikes"]))
    with pytest.raises(UnsupportedError, match="'value': a spiking critic says it only"):
        agent_of(model="lif-spiking-critic").learn(total_episodes=1, record=Recorder(["value"]))
    with pytest.raises(ArgumentError, match="record"):
        agent_of().learn(total_episodes=1, record=["value"])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="Recorder, every"):
        Recorder(["value"], every=0)
