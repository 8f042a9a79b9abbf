"""Learn from the last decision of a truncated episode, whose last state has a value."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from deep_agents import Small, deep_agent, differing, known, loop_of

from neurorl.native import toolchain

BACKENDS = [("reference", "float"), ("reference", "loihi"), ("native", "float"), ("loihi", "loihi")]


class Ends(gym.Wrapper[Any, Any, Any, Any]):
    """End all episodes in one way, after five steps."""

    def __init__(self, env: gym.Env[Any, Any], terminates: bool) -> None:
        super().__init__(env)
        self.terminates, self.steps = terminates, 0

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        self.steps = 0
        return self.env.reset(**options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, _, _, info = self.env.step(action)
        self.steps += 1
        is_over = self.steps == 5
        ends = is_over and self.terminates, is_over and not self.terminates
        return observation, reward, *ends, info


@pytest.mark.parametrize("terminates", [False, True])
@pytest.mark.parametrize(("backend", "arithmetic"), BACKENDS)
@pytest.mark.parametrize("seen", ["bits", "numbers", "picture"])
def test_each_decision_is_learned_from(
    seen: str, backend: str, arithmetic: str, terminates: bool
) -> None:
    if backend == "native" and toolchain.problem() is not None:
        pytest.skip("native code needs a C++ compiler, and none was found")
    env = Ends(Small(seen), terminates)
    agent = deep_agent(env, backend=backend, arithmetic=arithmetic)
    agent.learn(total_episodes=6)
    assert loop_of(agent).memory.lasting["learned"].tolist() == [[30]]
    assert loop_of(agent).memory.decisions.tolist() == [[30]]
    agent.close()


@pytest.mark.parametrize("loop", ["numpy", "native"])
def test_without_a_future_both_ends_teach_the_same(loop: str) -> None:
    """Compare both ends by a discount of 0, which lets nothing count that comes later."""
    if loop == "native" and toolchain.problem() is not None:
        pytest.skip("native code needs a C++ compiler, and none was found")
    found = []
    for terminates in (False, True):
        options: dict[str, Any] = {"trunk.normalisation": "pool", "loop": loop}
        agent = deep_agent(Ends(Small(), terminates), gamma=0.0, **options)
        agent.learn(total_episodes=9)
        found.append(known(agent))
        agent.close()
    others = [name for name in differing(*found) if not name.startswith("passing")]
    assert others == ["lasting seen.count"]  # last states are seen


def test_the_last_state_has_a_value() -> None:
    """Compare values where each step pays: to go on is worth more than to be over."""
    values = []
    for terminates in (False, True):
        paid = gym.wrappers.TransformReward(Ends(Small(), terminates), lambda _: 1.0)
        options: dict[str, Any] = {
            "trunk.scales_rewards": False,
            "critic.alpha": 0.02,
            "weight_bound": 20.0,
        }
        agent = deep_agent(paid, gamma=0.9, **options)
        agent.learn(total_episodes=90)
        values.append(float(loop_of(agent).memory.weights["bias_critic"].mean()))
        agent.close()
    assert values[0] > values[1] + 1.0, values
