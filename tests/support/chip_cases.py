"""Draw networks in chip arithmetic, each with one feature at full strength (Hypothesis).

What the chip's registers hold is drawn as registers and written as the description that means them.
Hypothesis draws what a network is made of; large arrays come from a seed that it draws, which is
quick and still shrinks in structure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from neurorl.models import GLM, CubaLIF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.numerics.arrays import FloatArray

DT = 1e-3
Rng = np.random.Generator
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Moment:
    """Describe a window and what is done before it: 'write', 'reset', 'save', 'restore'."""

    n_steps: int
    density: float
    seed: int
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChipCase:
    """Hold a network and what is done with it. core: limits of a core, lower than Loihi's."""

    network: Network
    moments: tuple[Moment, ...]
    seeds: int | tuple[int, ...] = 0
    noise: str = "exact"
    core: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclass
class _Plan:
    """Hold what the features change before a case is made of it."""

    inputs: int = 8
    most_inputs: int = 16
    sizes: tuple[int, int] = (2, 14)
    least_populations: int = 1
    most_populations: int = 3
    more_projections: tuple[int, int] = (0, 2)
    current_decays: tuple[int, int] = (0, 4095)
    voltage_decays: tuple[int, int] = (0, 4095)
    spread: bool = False  # registers evenly over their range, both ends among them
    refractory: tuple[int, int] = (1, 8)
    refractory_share: float = 0.3
    bias_share: float = 0.4
    biases: tuple[float, float] = (-0.3, 0.5)
    noise_share: float = 0.3
    noise_in_turns: bool = False  # in every other population
    noises: tuple[float, float] = (0.05, 0.5)
    grid: bool = False  # weights and thresholds are few multiples of one number
    low: tuple[float, float] = (-1.0, 0.0)  # of the weights, in parts of the largest
    density: tuple[float, float] = (0.0, 0.9)
    steps: tuple[int, int] = (1, 24)
    threshold: tuple[float, float] = (0.2, 3.0)
    glm: bool = True
    loops: bool = False
    blocks_share: float = 0.1
    masks_share: float = 0.15
    signed_share: float = 0.08
    plastic_share: float = 0.2
    scales: tuple[float, float] = (0.3, 3.0)  # of the largest weights
    scales_spread: bool = False  # over the projections of a population, evenly
    alike: bool = False  # all neurons of a population
    delays: tuple[int, int] = (1, 3)
    delay_share: float = 0.2
    currents: bool = False
    noise: str = "exact"
    split: bool = False
    seeds: int = 1
    often: tuple[str, ...] = ()


_CHANGES: dict[str, dict[str, Any]] = {
    "decays": {"spread": True, "sizes": (16, 24), "glm": False},
    "refractory periods": {
        "spread": True,
        "sizes": (16, 24),
        "refractory": (1, 63),
        "refractory_share": 1.0,
        "threshold": (0.05, 0.3),
        "low": (-0.2, 0.3),
        "density": (0.5, 0.9),
        "steps": (12, 24),
        "glm": False,
    },
    "biases": {"bias_share": 1.0, "low": (-1.0, -0.2), "threshold": (0.1, 0.6)},
    "negative weights": {"low": (-1.0, -1.0), "threshold": (0.1, 1.0)},
    "threshold met exactly": {
        "grid": True,
        "current_decays": (4095, 4095),
        "voltage_decays": (4095, 4095),
        "noises": (0.00003, 0.0003),
        "noise_in_turns": True,
        "least_populations": 4,
        "most_populations": 4,
        "bias_share": 0.0,
        "density": (0.05, 0.4),
        "glm": False,
    },
    "weights of every exponent": {
        "scales": (0.004, 3.0),
        "scales_spread": True,
        "more_projections": (6, 7),
    },
    "recurrent projections": {"loops": True, "threshold": (0.1, 1.0)},
    "sparse projections": {"masks_share": 0.8},
    "blocks": {"blocks_share": 0.8},
    "signed projections": {"signed_share": 0.6},
    "overflow of q": {
        "inputs": 170,
        "most_inputs": 260,
        "low": (0.9, 0.9),
        "density": (0.93, 1.0),
        "most_populations": 2,
    },
    "overflow of u": {
        "inputs": 40,
        "most_inputs": 60,
        "low": (0.3, 0.6),
        "density": (0.7, 1.0),
        "current_decays": (0, 12),
        "voltage_decays": (0, 200),
        "threshold": (40.0, 200.0),
        "steps": (18, 24),
        "bias_share": 1.0,
        "biases": (-2.0, 9.0),
        "glm": False,
    },
    "lowest membrane": {
        "inputs": 24,
        "low": (-3.0, -2.0),
        "density": (0.7, 1.0),
        "current_decays": (0, 200),
        "voltage_decays": (0, 12),
        "steps": (18, 24),
        "glm": False,
    },
    "escape noise": {"noise_share": 1.0},
    "noise of the chip": {"noise": "chip", "noise_share": 1.0},
    "noise of the chip and coins": {"noise": "chip+coins", "noise_share": 1.0},
    "populations on several cores": {"split": True, "sizes": (8, 24), "masks_share": 0.8},
    "delays": {"delays": (2, 9), "delay_share": 0.8},
    "currents": {"currents": True},
    "rewritten weights": {"often": ("write",)},
    "resets": {"often": ("reset",)},
    "states taken and restored": {
        "often": ("save", "restore"),
        "delay_share": 0.5,
        "refractory": (1, 63),
        "refractory_share": 0.8,
        "threshold": (0.1, 0.6),
        "low": (-0.3, 0.3),
    },
    "replicas": {"seeds": 3, "often": ("write", "reset", "save", "restore")},
    "replicas on several cores": {"seeds": 2, "split": True, "sizes": (8, 16)},
}
FEATURES = tuple(_CHANGES)
"""List the features that `chip_cases` makes cases of."""

# Of Brian2Loihi: no bias, noise or signs, one set of parameters for a population.
PLAIN = "plain"
_CHANGES[PLAIN] = {
    "alike": True,
    "bias_share": 0.0,
    "noise_share": 0.0,
    "glm": False,
    "signed_share": 0.0,
    "plastic_share": 0.0,
    "scales": (0.3, 1.0),
    "blocks_share": 0.2,
    "masks_share": 0.3,
    "delays": (1, 9),
    "delay_share": 0.4,
    "refractory": (1, 63),
    "low": (-1.0, -0.3),
    "threshold": (0.2, 1.5),
}


def tau_syn(register: Any) -> FloatArray:
    """Draw time constants for which the chip's current decay is *register*, 0 to 4095."""
    return _tau(4095 - np.asarray(register, dtype=np.float64))


def tau_mem(register: Any) -> FloatArray:
    """Draw time constants for which the chip's voltage decay is *register*, 0 to 4095."""
    return _tau(4096 - np.asarray(register, dtype=np.float64))


def _tau(kept: FloatArray) -> FloatArray:
    """Return tau with exp(-dt/tau) = kept/4096, in s; a very long one for 4096."""
    with np.errstate(divide="ignore"):
        tau = np.where(kept > 0, -DT / np.log(np.minimum(kept, 4095.999) / 4096), 0.0)
    return np.asarray(tau, dtype=np.float64)


@st.composite
def chip_cases(draw: Draw, feature: str, quiet: bool = False) -> ChipCase:
    """Draw cases of one of `FEATURES`, or `PLAIN`. quiet: without noise."""
    plan = _Plan(**_CHANGES[feature])
    if quiet:
        plan.noise_share, plan.noise_in_turns, plan.glm = 0.0, False, False
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes: list[Source | Population] = []
    for k in range(draw(st.integers(1, 2))):
        size = 2 * draw(st.integers(plan.inputs // 2, max(plan.inputs, plan.most_inputs) // 2))
        nodes.append(Source(f"source_{k}", size))
    count = draw(st.integers(plan.least_populations, plan.most_populations))
    for k in range(count):
        if plan.noise_in_turns:
            plan.noise_share = float(k % 2 == 0)
        nodes.append(_population(draw, rng, plan, f"cells_{k}"))
    projections: list[Projection] = []
    for post in [n for n in nodes if isinstance(n, Population)]:
        first = rng.integers(len(nodes) - count)
        pres = [nodes[first]]  # every population hears of a source
        pres += [post] if plan.loops else []
        pres += [
            nodes[rng.integers(len(nodes))]
            for _ in range(draw(st.integers(*plan.more_projections)))
        ]
        projections += [
            _projection(draw, rng, plan, f"to_{post.name}_{k}", pre, post, k)
            for k, pre in enumerate(pres)
        ]
    if plan.currents:
        nodes[0] = Source(nodes[0].name, nodes[0].size, "current")
        bare: dict[str, Any] = {"signed": False, "delay": None}
        projections = [
            dataclasses.replace(p, **bare) if p.pre == nodes[0].name else p for p in projections
        ]
    return ChipCase(
        network=Network(tuple(nodes), tuple(projections), DT),
        moments=tuple(_moment(draw, plan, k) for k in range(draw(st.integers(5, 7)))),
        seeds=_seeds(draw, plan),
        noise=plan.noise,
        core=_core(draw) if plan.split else {},
    )


def _population(draw: Draw, rng: Rng, plan: _Plan, name: str) -> Population:
    size = 2 * draw(st.integers(plan.sizes[0] // 2, plan.sizes[1] // 2))
    if plan.glm and (plan.noise == "chip+coins" or draw(st.integers(0, 4)) == 0):
        return Population(name, size, GLM(bias=_some(rng, size, plan.bias_share, -1, 1)))
    noise: Any = _some(rng, size, plan.noise_share, *plan.noises)
    voltage = _registers(draw, rng, plan, plan.voltage_decays, size)
    if plan.noise != "exact":  # a core has noise of one width, and so have all cores here
        noise, voltage = float(rng.uniform(0.1, 0.5)), np.full(size, voltage[0])
    steps = np.zeros(size)
    if rng.random() < plan.refractory_share:
        steps = _registers(draw, rng, plan, plan.refractory, size) - 1.0
    levels = np.asarray(rng.uniform(*plan.threshold, draw(st.integers(1, 1 if plan.alike else 7))))
    levels = rng.integers(1, 4, 3) / 4 if plan.grid else levels
    neuron = CubaLIF(
        tau_syn=tau_syn(_registers(draw, rng, plan, plan.current_decays, size)),
        tau_mem=tau_mem(voltage),
        threshold=rng.choice(levels, size),
        bias=_some(rng, size, plan.bias_share, *plan.biases),
        noise=noise,
        refractory=DT * steps,
    )
    return Population(name, size, neuron)


def _some(rng: Rng, size: int, share: float, low: float, high: float) -> Any:
    """Draw 0, a number, or one for each neuron."""
    if rng.random() >= share:
        return 0.0
    return rng.uniform(low, high, size if rng.random() < 0.5 else None)


def _registers(draw: Draw, rng: Rng, plan: _Plan, ends: tuple[int, int], size: int) -> Any:
    low, high = ends
    if plan.spread:
        even = np.linspace(low, high, size)
        step = max(1, (high - low) // size)
        even[1:-1] += rng.integers(-step // 2, step // 2 + 1, size - 2)
        return rng.permutation(np.clip(even, low, high).astype(np.int64))
    several = 1 if plan.alike else 5
    values = draw(st.lists(st.integers(low, high), min_size=1, max_size=several))
    return rng.choice(np.array(values), size)


def _projection(
    draw: Draw,
    rng: Rng,
    plan: _Plan,
    name: str,
    pre: Source | Population,
    post: Population,
    number: int,
) -> Projection:
    blocks = 2 if rng.random() < plan.blocks_share else 1
    shape = (pre.size, post.size)
    if blocks == 2:
        shape = (2, pre.size // 2, post.size // 2)  # type: ignore[assignment]
    part = rng.random()
    if plan.scales_spread:
        part = (part + number % 7) / 7
    least, most = np.log(plan.scales)
    scale = float(np.exp(least + (most - least) * part))
    low = scale * rng.uniform(*plan.low)
    weights: Any = Uniform(low, scale)
    if plan.low == (-1.0, -1.0):
        weights = -scale * rng.random(shape)
    if plan.low == (-3.0, -2.0):
        weights = Uniform(low, 0.6 * low)
    if plan.grid:
        scale = 1.0
        weights = rng.choice([-0.25, 0.25, 0.5, 1.0], shape)
    thin = rng.random() < plan.masks_share
    delayed = rng.random() < plan.delay_share
    reach = 3 * scale
    return Projection(
        name,
        pre.name,
        post.name,
        weights,
        blocks=blocks,
        mask=rng.random(shape) < rng.uniform(0.1, 0.8) if thin else None,
        delay=DT * draw(st.integers(*plan.delays)) if delayed else None,
        signed=bool(rng.random() < plan.signed_share) and pre.size < 60,
        plasticity=Plasticity(low=-reach, high=reach)
        if rng.random() < plan.plastic_share
        else None,
    )


def _moment(draw: Draw, plan: _Plan, k: int) -> Moment:
    before = [what for what in ("write", "reset") if draw(st.integers(0, 9)) < 2]
    before += [what for what in plan.often if what not in before and draw(st.integers(0, 9)) < 6]
    if "save" in plan.often and k in (1, 3):
        before = [*dict.fromkeys([*before, "save" if k == 1 else "restore"])]
    density = draw(st.integers(0, 100)) / 100
    low, high = plan.density
    return Moment(
        n_steps=draw(st.integers(*plan.steps)),
        density=low + (high - low) * density,
        seed=draw(st.integers(0, 2**31)),
        before=tuple(sorted(before, key=("save", "write", "reset", "restore").index)) if k else (),
    )


def _seeds(draw: Draw, plan: _Plan) -> int | tuple[int, ...]:
    seeds = tuple(draw(st.integers(0, 2**40)) for _ in range(plan.seeds))
    return seeds[0] if len(seeds) == 1 else seeds


def _core(draw: Draw) -> dict[str, int]:
    """Draw room for fewer neurons, registers or axons, so that at least one population is split."""
    limits = {"compartments": draw(st.integers(1, 5))}
    if draw(st.booleans()):
        limits["dynamics"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        limits["thresholds"] = draw(st.integers(1, 3))
    return limits
