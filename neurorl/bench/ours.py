"""Run neurorl itself in the workload: the same agents that `neurorl train` trains."""

from __future__ import annotations

from gymnasium.spaces import Discrete

from neurorl.agents.budget import Budget
from neurorl.agents.replicas import Replicas
from neurorl.agents.sharding import ReplicaGroups, side_by_side
from neurorl.backends.lookup import Vocabulary
from neurorl.backends.spec import BackendSpec
from neurorl.bench import workload as w
from neurorl.bench.workload import BenchLoop, Size, make_env
from neurorl.models import LIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.critics import Linear
from neurorl.models.agent.encoders import Bernoulli
from neurorl.models.agent.modulators import Reward
from neurorl.models.agent.policies import Greedy
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import GaussianCells
from neurorl.native.build import lacking, library
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.tasks.groups import SeparateEnvs

_FOR_EVER = 2**62


def network(size: Size, parts: int = 1) -> Network:
    """Return the workload's network: input -(drive)-> hidden -(readout)-> output.

    parts: populations that the hidden neurons are divided into.
    """
    neuron = LIF(tau_mem=w.TAU_MEMBRANE, threshold=w.THRESHOLD)

    def projection(name: str, pre: str, post: str, mean: float) -> Projection:
        plasticity = Plasticity(w.TAU_TRACE, -w.BOUND * mean, w.BOUND * mean)
        return Projection(name, pre, post, Uniform(0.0, 2.0 * mean), plasticity=plasticity)

    hidden, projections = [], []
    for k in range(parts):
        mark = str(k) if parts > 1 else ""
        hidden.append(Population(f"hidden{mark}", size.hidden // parts, neuron))
        projections += [
            projection(f"drive{mark}", "input", f"hidden{mark}", size.hidden_mean),
            projection(f"readout{mark}", f"hidden{mark}", "output", size.output_mean),
        ]
    hidden.append(Population("output", size.outputs, neuron))
    return Network((Source("input", size.inputs), *hidden), tuple(projections), w.DT)


def agent_config(size: Size, parts: int = 1) -> AgentConfig:
    """Return the workload's rule, encoder and reward as a configuration; parts as in `network`."""
    n = size.inputs // w.CHANNELS
    scale = w.CARTPOLE_SCALE if n == len(w.CARTPOLE_SCALE) else (1.0,) * n
    cells = GaussianCells([-s for s in scale], scale, w.CHANNELS, width=1.0, floor=0.0)
    return AgentConfig(
        model="own",
        neuron=LIF(tau_mem=w.TAU_MEMBRANE, threshold=w.THRESHOLD),
        rule="reward-stdp",
        cells=cells,
        features=cells,
        window=w.STEPS,
        description=network(size, parts),
        carries=True,
        encoder=Bernoulli(w.P_MAX),
        policy=Greedy(),
        modulator=Reward(),
        critic=Linear(alpha=w.BASELINE_RATE),
        reward_scale=1.0,
        normalises=False,
        alpha_hidden=w.RATE * size.hidden_mean,
        alpha_output=w.RATE * size.output_mean,
        eligibility_tau=w.TAU_ELIGIBILITY,
        post_tau=w.TAU_TRACE,
        depression=w.MINUS,
    )


def agents_of(size: Size, replicas: int, spec: BackendSpec) -> Replicas | ReplicaGroups:
    """Return the agents of the loop, which have learned nothing."""
    if lacking() is None:
        library()  # what is measured doesn't begin in NumPy
    envs = [make_env(size) for _ in range(replicas)]
    if size.task or size == w.DEEP:
        space = envs[0].action_space
        assert isinstance(space, Discrete)
        is_deep, env = size == w.DEEP, envs[0]
        config = make_config(env, "deep", w.DENSE) if is_deep else make_config(env)
        n_actions = int(space.n)
    else:
        config, n_actions = agent_config(size, _parts(size, spec)), size.outputs
    return side_by_side(SeparateEnvs(envs), config, n_actions, range(replicas), backend=spec)


def make(size: Size, replicas: int, spec: BackendSpec) -> BenchLoop:
    """Return the loop on a backend."""
    agents = agents_of(size, replicas, spec)
    preferred = next(iter(Vocabulary(spec.backend).engines), "")
    engine = spec.engine or getattr(agents.backend, "engine", None) or preferred
    step = iter(agents.play(Budget(_FOR_EVER))).__next__
    return BenchLoop(step, agents.close, engine, agents.backend.arithmetic_name)


def _parts(size: Size, spec: BackendSpec) -> int:
    """Return how many hidden populations to make, so that each one's synapses fit into a core."""
    weights = size.inputs * size.hidden
    of_core = spec.backend_class.capabilities.core_weights
    return 1 if of_core is None else -(-weights // of_core)
