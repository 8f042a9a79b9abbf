"""The default agent of a task gets a memory where rewards, or what comes next, need one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.toy_text.taxi import TaxiEnv
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple
from sampled import sampled

from neurorl import SpikingActorCritic, evaluate
from neurorl.errors import DescriptionError
from neurorl.models.agent.memories import Memories
from neurorl.models.agent.past import NOTHING, Past
from neurorl.models.defaults.hidden_state import flags_of_actions, products
from neurorl.models.defaults.memory_search import missing_memories
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import GaussianCells, HashedStates, OneHot, Select
from neurorl.tasks import first_play as playing

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")

Env = gym.Env[Any, Any]
Forms = dict[str, tuple[Space[Any], Callable[[int, int], Any]]]


def forms(n: int) -> Forms:
    """Return spaces that show one of *n* names and a flag, and how each shows them."""
    eye = np.eye(n, dtype=np.int8)
    return {
        "Discrete": (Discrete(2 * n, start=1), lambda name, flag: 1 + name + n * flag),
        "MultiBinary": (MultiBinary(n + 1), lambda name, flag: np.append(eye[name], flag)),
        "MultiDiscrete": (MultiDiscrete([n, 2]), lambda name, flag: np.array([name, flag])),
        "Dict": (Dict(b=Discrete(n), a=Discrete(2)), lambda name, flag: {"b": name, "a": flag}),
        "Tuple": (Tuple((Discrete(n), MultiBinary(1))), lambda n, flag: (n, np.array([flag]))),
        "Box": (Box(0, n, (2,)), lambda name, flag: np.array([name, flag], np.float32)),
        "image": (Box(0, n, (3, 3), np.uint8), lambda n, flag: np.full((3, 3), n * 2 + flag, "u1")),
    }


class Told(Env):
    """Be a task of a *length* whose rewards `paid` tells, of names and flags that `shown` draws."""

    def __init__(self, form: str = "Discrete", names: int = 4, length: int = 20) -> None:
        self.observation_space, self._form = forms(names)[form]
        self.action_space = Discrete(3)
        self._length = length

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.past: list[int] = []
        return self._next(), {}

    def step(self, action: Any) -> Any:
        reward = float(self.paid(int(action)))
        return self._next(), reward, len(self.past) > self._length, False, {}

    def _next(self) -> Any:
        name, flag = self.shown(len(self.past))
        self.past.append(name)
        return self._form(name, flag)

    def shown(self, t: int) -> tuple[int, int]:
        return int(self.np_random.integers(3)), int(self.np_random.integers(2))

    def paid(self, action: int) -> float:
        raise NotImplementedError


class Recall(Told):
    """Show a name first, and pay for it at the end; between them is nothing."""

    def shown(self, t: int) -> tuple[int, int]:
        return (0 if t else 1 + int(self.np_random.integers(3))), int(t == self._length - 1)

    def paid(self, action: int) -> float:
        return len(self.past) == self._length and action == self.past[0] - 1


class Back(Told):
    """Pay for the name that was shown some steps before."""

    def __init__(self, lag: int, form: str = "Discrete") -> None:
        super().__init__(form)
        self._lag = lag

    def paid(self, action: int) -> float:
        return len(self.past) > self._lag and action == self.past[-1 - self._lag]


class Trials(gym.Env[Any, Any]):
    """Show a cue, then nothing for some steps, then ask for it, over and over."""

    action_space = Discrete(3)

    def __init__(self, form: str, cues: int = 1) -> None:
        spaces = {"Discrete": Discrete(5), "MultiDiscrete": MultiDiscrete([4, cues + 1])}
        box = Box(-4.0, 4.0, (2,), np.float64)
        self.observation_space = {**spaces, "Box": box}[form]
        self._form, self._cues = form, cues

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._left = 60
        self._begin()
        return self._shown(), {}

    def _begin(self) -> None:
        self._cue = self.np_random.integers(0, 3, self._cues).tolist()
        silence = [(0, 0)] * int(self.np_random.integers(1, 6))
        asked = [(0, n + 1) for n in range(self._cues)]
        self._script = [*((cue + 1, 0) for cue in self._cue), *silence, *asked]

    def _shown(self) -> Any:
        cue, asked = self._script[0]
        if self._form == "Discrete":
            return 4 if asked else cue
        return np.array([cue, asked], self.observation_space.dtype)

    def step(self, action: int) -> Any:
        asked = self._script.pop(0)[1]
        pays = bool(asked) and action == self._cue[asked - 1]
        if not self._script:
            self._begin()
        self._left -= 1
        return self._shown(), float(pays), self._left == 0, False, {}


class Rooms(Told):
    """Be a ring of four rooms, two of which look alike; the room before tells where one is."""

    _room = 1

    def shown(self, t: int) -> tuple[int, int]:
        self._room = self._room if t else 1
        return (0, 1, 0, 2)[self._room], 0

    def paid(self, action: int) -> float:
        good = action == self._room // 2 or self._room % 2
        paid = good and not self._room % 2
        self._room = (self._room + (1 if good else -1)) % 4
        return paid


class Majority(Told):
    """Show names of which one comes more often in an episode, and pay for it at the end."""

    _often = 0

    def shown(self, t: int) -> tuple[int, int]:
        self._often = self._often if t else int(self.np_random.integers(2))
        name = self._often if self.np_random.random() < 0.75 else 1 - self._often
        return name, int(t == self._length - 1)

    def paid(self, action: int) -> float:
        return len(self.past) == self._length and action == self._often


class Bandit(Told):
    """Pay for one action, more or less, whatever is shown."""

    def paid(self, action: int) -> float:
        return (action == 1) + self.np_random.normal()


class Context(Told):
    """Pay for the name that is shown, with noise that depends on nothing."""

    noise = 0.0

    def paid(self, action: int) -> float:
        return (action == self.past[-1]) + self.noise * self.np_random.normal()


class NoisyContext(Context):
    noise = 2.0


class Chance(Told):
    """Pay seldom, by chance alone."""

    def paid(self, action: int) -> float:
        return self.np_random.random() < 0.02


class Costs(Env):
    """Begin at the same place, go anywhere, and pay for one action by the square of the place."""

    observation_space, action_space = Box(0, 9, (2,)), Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._left, self._place = 20, np.zeros(2, np.float32)
        return self._place, {}

    def step(self, action: Any) -> Any:
        reward = float(self._place[0] ** 3) * int(action)
        self._left, self._place = self._left - 1, self.np_random.uniform(0, 9, 2).astype("f4")
        return self._place, reward, not self._left, False, {}


class Driven(Env):
    """Drive a body that turns by its speed and its steering wheel, and show its direction."""

    observation_space, action_space = Box(-3, 3, (3,)), Box(-1, 1, (2,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._left, self._speed, self._angle = 60, 0.0, self.np_random.uniform(-3.0, 3.0)
        return self._seen(), {}

    def _seen(self) -> Any:
        return np.array([np.cos(self._angle), np.sin(self._angle), self._speed], np.float32)

    def step(self, action: Any) -> Any:
        self._speed = float(np.clip(self._speed + 0.3 * action[0], -3.0, 3.0))
        self._angle += 0.5 * self._speed * action[1]
        self._left -= 1
        return self._seen(), float(np.cos(self._angle)), not self._left, False, {}


class Walk(Told):
    """Move on a line by actions, some of which fail, and pay at its end."""

    _at = 0

    def shown(self, t: int) -> tuple[int, int]:
        self._at = self._at if t else 0
        return self._at, 0

    def paid(self, action: int) -> float:
        moves = (action - 1) * (self.np_random.random() < 0.7)
        self._at = int(np.clip(self._at + moves, 0, 3))
        return self._at == 3


class Noise(Env):
    """Show samples of a space, and pay by chance, whatever is done."""

    def __init__(self, shown: Space[Any], action_space: Space[Any]) -> None:
        self.observation_space, self.action_space = shown, action_space

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._left = 20
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        self._left -= 1
        shown, reward = self.observation_space.sample(), float(self.np_random.random())
        return shown, reward, self._left == 0, False, {}


class Joint(Noise):
    """Pay the action that one number names, if two others are alike: all three are shown."""

    def __init__(self) -> None:
        super().__init__(MultiDiscrete([3] * 11), Discrete(4))

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self._seen, info = super().reset(seed=seed, options=options)
        return self._seen, info

    def step(self, action: Any) -> Any:
        pays = action == self._seen[0] and self._seen[1] == self._seen[2]
        self._seen, _, *ends = super().step(action)
        return self._seen, float(pays), *ends


class Named(gym.Env[Any, Any]):
    """Name one of some doors once; where the agent then stands and what lamps show is chance.

    To knock at it later pays 1, at another one costs 0.3, and another one is named then.
    """

    observation_space = MultiDiscrete([4, 6, 6, 6, 5])
    action_space = Discrete(3)
    _is_named_now: bool

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._name(), {}

    def step(self, action: Any) -> Any:
        knocks, self._is_named_now = action == 0 and not self._is_named_now, False
        if not knocks:
            return self._seen(0), 0.0, False, False, {}
        reward = 1.0 if self._door == self._named else -0.3
        return self._name(), reward, False, False, {}

    def _name(self) -> Any:
        self._named, self._is_named_now = int(self.np_random.integers(4)), True
        return self._seen(1 + self._named)

    def _seen(self, word: int) -> Any:
        self._door = int(self.np_random.integers(4))
        return np.array([self._door, *self.np_random.integers(6, size=3), word])


@pytest.fixture(params=sampled(range(5)))
def seeded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Play other random steps."""
    monkeypatch.setattr(playing, "_SEED", request.param)


FORMS = list(forms(2))


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("form", FORMS)
def test_a_cue_is_remembered_until_it_pays(form: str) -> None:
    for length in (4, 9):
        config = make_config(Recall(form, length=length))
        if form == "Box":  # whose changes are asked first, and tell the time
            assert config.memories in ((1.0,), (0.9,))
            continue
        assert config.memories == (1.0,)
        assert isinstance(config.cells, HashedStates)
        assert config.features == config.cells


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("form", FORMS)
def test_what_was_shown_before_is_remembered_where_it_pays(form: str) -> None:
    assert make_config(Back(1, form)).memories == (0.0,)
    assert make_config(Back(2, form)).memories == (2.0,)


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("form", ["Discrete", "Dict", "MultiBinary"])
@pytest.mark.parametrize("lag", range(3, 9))
def test_what_was_shown_long_before_is_remembered_where_it_pays(lag: int, form: str) -> None:
    assert make_config(Back(lag, form)).memories == (lag,)


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize(
    ("form", "cues", "memories"),
    [("Discrete", 1, [(-2.0,)]), ("MultiDiscrete", 1, [(-1.0,)]), ("Box", 1, [(-1.0,)])],
)
def test_cues_that_are_over_for_some_time_are_remembered(
    form: str, cues: int, memories: Any
) -> None:
    config = make_config(Trials(form, cues))
    assert config.memories in memories
    assert isinstance(config.cells, HashedStates)


@pytest.mark.usefixtures("seeded")
def test_rooms_that_look_alike_and_evidence_are_remembered() -> None:
    assert make_config(Rooms()).memories == (0.0,)
    evidence = make_config(Majority("Dict", 2, 9))
    # 0.94 by a sum, 0.89 by a mean of some 10 steps, which in two of five plays tells as much.
    sums = (Past(summed_by=(1,)), Past(summed_by=(-1,)), Past(tally=(0,)))
    assert evidence.past in (*sums, Past(memories=(0.9,)))
    assert isinstance(evidence.cells, HashedStates if evidence.past in sums else Select)


@pytest.mark.usefixtures("seeded")
def test_a_place_that_was_named_is_missed_whatever_else_is_seen() -> None:
    """Neither least squares nor means of all that is seen tell it from so few rewards."""
    play = playing.first_play(gym.wrappers.TimeLimit(Named(), 100))
    rows = play.all_numbers()
    assert rows is not None
    assert missing_memories(play, rows, NOTHING, is_box=False)[:1] == (-1.0,)


@pytest.mark.usefixtures("seeded")
def test_what_a_number_was_is_not_missed_where_it_only_tells_what_it_is() -> None:
    """Find no memory in a number that, once it changes, merely isn't what it was."""
    play = playing.first_play(gym.wrappers.TimeLimit(Joint(), 100))
    rows = play.all_numbers()
    assert rows is not None
    assert missing_memories(play, rows, NOTHING, is_box=True) == ()


CONTROLS: dict[str, Callable[[], Env]] = {
    "a bandit": Bandit,
    "contexts": Context,
    "contexts in a Dict": lambda: Context("Dict"),
    "contexts in a Box": lambda: Context("Box"),
    "noise": lambda: NoisyContext("MultiBinary"),
    "chance": lambda: Chance("MultiDiscrete"),
    "noise of many states": lambda: Noise(Discrete(50), Discrete(18)),
    "noise, many actions": lambda: Noise(Discrete(6), Discrete(500)),
    "noise, many choices": lambda: Noise(MultiDiscrete([5, 5]), MultiDiscrete([100, 90, 80])),
    "numbers, many actions": lambda: Noise(Box(-1, 1, (4,)), Discrete(200)),
    "numbers, many choices": lambda: Noise(Box(-1, 1, (4,)), MultiBinary(300)),
    "numbers, many numbers": lambda: Noise(Box(-1, 1, (4,)), Box(-1, 1, (400,))),
    "numbers, whole numbers": lambda: Noise(Box(-1, 1, (9,)), Box(0, 90, (3,), np.int16)),
    "a walk": Walk,
    "a walk in a Tuple": lambda: Walk("Tuple"),
    "the same beginning": Costs,
    "a driven body": Driven,
    "FrozenLake": lambda: gym.make("FrozenLake-v1"),
    "CliffWalking": lambda: gym.make("CliffWalking-v1", is_slippery=True),
    "Taxi": lambda: gym.wrappers.TimeLimit(TaxiEnv(), 200),
    "Blackjack": lambda: gym.make("Blackjack-v1"),
    "MountainCar": lambda: gym.wrappers.TimeLimit(gym.make("MountainCar-v0").unwrapped, 150),
    "CartPole": lambda: gym.wrappers.TimeLimit(gym.make("CartPole-v1").unwrapped, 200),
    "Acrobot": lambda: gym.make("Acrobot-v1"),
    "Pendulum": lambda: gym.make("Pendulum-v1"),
}


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("name", CONTROLS)
def test_nothing_is_remembered_where_all_is_shown(name: str) -> None:
    assert make_config(CONTROLS[name]()).memories == ()


def test_what_is_predicted_from_stays_small() -> None:
    """Least squares of more than some thousand predictors would take minutes and gigabytes."""
    for actions in (Discrete(3), Discrete(2000), MultiDiscrete([40] * 30), Box(-1, 1, (500,))):
        play = playing.play_again(Noise(Box(-1, 1, (4,)), actions), 600, 3)
        assert play is not None
        flags = flags_of_actions(play)
        assert flags.shape == (600, 3 if actions == Discrete(3) else 256)
        # The numbers' own products stay, whatever the actions are.
        shown = np.concatenate([np.random.default_rng(3).random((600, 4)), flags], axis=1)
        made = sum(columns.shape[1] for columns in products(shown, 2))
        is_number = isinstance(actions, Box)
        assert made == (28 if actions == Discrete(3) else 0 if is_number else 10)


@pytest.mark.parametrize("keeps", [(0.9,), (0.0,), (1.0,), (2.0, 3.0, 4.0), (0.0, 0.9)])
@pytest.mark.parametrize("space", [MultiDiscrete([7, 40]), MultiDiscrete([5, 3], start=[2, -1])])
def test_named_memories_of_whole_numbers_have_cells(space: MultiDiscrete, keeps: Any) -> None:
    for actions in (Discrete(2), Box(-1.0, 1.0, (1,))):
        config = make_config(Noise(space, actions), "lif", {"memories": keeps})
        assert config.memories == keeps
        assert isinstance(config.cells, (Select, HashedStates))
        assert {*config.cells.places} == {*range(2 * (1 + len(keeps)))}


def test_features_that_are_named_are_kept_without_a_memory() -> None:
    for form, cells in (("Discrete", OneHot(8, 1)), ("Box", GaussianCells((0, 0), (4, 1), 3))):
        config = make_config(Back(1, form), "lif", {"features": cells})
        assert (config.memories, config.features) == ((), cells)


def test_numbered_states_without_a_memory_keep_a_cell_each() -> None:
    assert isinstance(make_config(Context()).cells, OneHot)


def test_a_first_observation_and_lags_by_hand() -> None:
    memories = Memories(Past((1.0, 2.0, 0.0)), 1)
    rows = [memories.see(0, x).tolist() for x in (4, 6, 7, 9)]
    assert [row[1:] for row in rows] == [[0, 0, 0], [2, 2, 2], [3, 3, 1], [5, 3, 2]]
    other = Memories(Past((1.0, 2.0, 0.0)), 1)
    other.copy(memories)
    memories.begin(0)
    assert memories.see(0, 5).tolist() == [5, 0, 0, 0]
    assert other.see(0, 5).tolist() == [5, 1, -2, -4]


def test_parts_are_remembered_in_the_order_of_their_keys() -> None:
    memories = Memories(Past((0.0,)), 1, ("b", "a"))
    memories.see(0, {"a": 1, "b": np.array([[2, 3]])})
    assert memories.see(0, {"b": np.array([[4, 4]]), "a": 0}).tolist() == [4, 4, 0, 2, 1, -1]


def test_a_lag_is_a_whole_number() -> None:
    with pytest.raises(DescriptionError, match=r"agent\.memories: holds no memory .*got 2\.5"):
        make_config(Back(2), "lif", {"memories": (2.5,)})


@pytest.mark.parametrize("form", ["Discrete", "Dict", "Tuple"])
def test_both_loops_and_a_loaded_agent_learn_the_same(form: str, tmp_path: Path) -> None:
    weights = []
    for loop in ("numpy", "native"):
        agent = SpikingActorCritic(Back(2, form), backend="reference", seed=3, loop=loop)
        agent.learn(total_steps=47)
        agent.save(tmp_path / "agent.npz")
        agent.learn(total_steps=70)
        weights.append(agent.weights)
        agent.close()
    agent = SpikingActorCritic.load(tmp_path / "agent.npz", env=Back(2, form))
    agent.learn(total_steps=70)
    for name, of_numpy in weights[0].items():
        assert np.array_equal(of_numpy, weights[1][name])
        assert np.array_equal(of_numpy, agent.weights[name])
    agent.close()


def test_a_state_of_predictions_holds_what_was_seen_before() -> None:
    agent = SpikingActorCritic(Back(2, "Dict"), seed=3)
    rows = [{"b": name, "a": 0} for name in (1, 3, 2)]
    state = None
    for row in rows:
        _, state = agent.predict(row, state=state, episode_start=state is None)
    (kept,) = state if isinstance(state, tuple) else (state,)
    assert kept["means"][1:].tolist() == [[3, 0], [2, 0]]
    agent.close()


BEST: dict[str, tuple[Callable[[], Env], float]] = {
    "a cue": (lambda: Recall(length=6), 1.0),
    "a cue in a Dict": (lambda: Recall("Dict", length=9), 1.0),
    "one step back": (lambda: Back(1, "MultiBinary"), 19.0),
    "two steps back": (lambda: Back(2), 18.0),
    "rooms": (Rooms, 10.0),
    "evidence": (lambda: Majority("Dict", 2, 9), 0.9),
    "a cue in a Box": (lambda: Recall("Box", length=9), 1.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BEST)
def test_the_default_learns_what_needs_a_memory(name: str) -> None:
    make, best = BEST[name]
    agent = SpikingActorCritic(make(), seed=100)
    agent.learn(total_episodes=1000)
    assert evaluate(agent, episodes=200)["mean_return"] >= 0.9 * best
    agent.close()
