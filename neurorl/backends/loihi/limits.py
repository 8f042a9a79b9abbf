"""Check in words, before anything is built, whether a network fits the chip.

nengo-loihi 1.1 leaves most of this to bare asserts, many of them on hardware only. Checked here:

- `builder.validate.validate_block`: compartments, axons in and out, synapse bits (named there, but
  by block). Too many are split over cores; what one neuron alone exceeds is refused.
- `hardware.builder.build_core`: ``len(compartment_cfgs) < 32``, ``len(vth_cfgs) < 8``: 31 sets of
  decays and refractory period, 7 thresholds a core; split too.
- `hardware.validate.validate_core`: ``len(synapse_cfgs) <= 16``, the first kept unused: 15 formats.
- `hardware.allocators`: "needs more chips than requested", 128 cores on each.
- `hardware.validate`: ``0 <= decay <= 4095``, ``1 <= refract_delay <= 63``, ``0 < vth <= 131071``
  (in units of 64); `discretize.bias_to_manexp`: ``|man| <= 4095``, ``0 <= exp <= 7``;
  `builder.validate.validate_synapse_cfg`: ``-7 <= weight_exp <= 7``. The quantiser keeps to all of
  these, or refuses by name.

These hold by construction and aren't checked: ``-256 <= weight <= 255`` (mantissas are clipped),
indices below ``2 ** idxbits`` and ``idx_bits >= 0`` (a core has at most 1024 compartments), one
vmin, vmax and noise for all blocks of a core (it has one block), an axon for every input
(`hardware` drops inputs without), and everything about snips, which this check doesn't cover. The
limits of a core that learns are checked by `pes`.
"""

from __future__ import annotations

from neurorl.arithmetic.quantiser import MANTISSA_MAX, ChipPopulation, quantise
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.backends.loihi.delays import relayed
from neurorl.backends.loihi.placement import CoreLimits, Overfull, Placement, place
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array
from neurorl.storage.plain import PlainData

CORES = 128
"""Count the cores of one chip."""

CHIPS = 2
"""Count the chips of the smallest board, which is also nengo-loihi's default."""

RESOURCES = ("compartments", "axons_in", "axons_out", "synapse_bits")
"""List the resources of a core that the report counts."""

_WORDS = {
    "axons_in": ("axons into it", "leave out synapses by blocks or a mask"),
    "axons_out": ("axons out of it", "project to fewer neurons, or leave out synapses"),
    "synapse_bits": ("bits of synapses", "leave out synapses by blocks or a mask"),
    "formats": ("formats of synapses", "give its projections more similar ranges of weights"),
}


def usage(placement: Placement) -> list[PlainData]:
    """Return the rows of `neurorl.backends.loihi.LoihiSimulator.chip_table`."""
    rows = []
    for name, cores in placement.used.items():
        total = {key: sum(used[key] for used in cores) for key in RESOURCES}
        most = {key: max(used[key] for used in cores) for key in RESOURCES}
        limits = vars(placement.limits)
        percent = {f"{key}_percent": 100 * most[key] / limits[key] for key in RESOURCES}
        rows.append({"population": name, "cores": len(cores), **total, **percent})
    return rows


def chip_problems(
    network: Network, limits: CoreLimits | None = None, chips: int | None = None
) -> list[str]:
    """Return why *network* doesn't fit, one line for each reason; empty if it fits.

    limits: what one core has room for; None for Loihi's own limits.
    chips: how many chips there are; None for any number.
    """
    if not network.populations:
        return ["a network without a population (add one)"]
    own = {p.name for p in network.populations}
    network = relayed(network).network
    chip, problems = None, []
    try:
        chip = quantise(network)
    except UnsupportedError as exc:
        problems.append(str(exc))
    placement = place(network, chip, limits)
    for overfull in placement.overfull:
        problems += _overfull_problems(overfull, placement.limits, overfull.population in own)
    if chips is not None and placement.n_cores > CORES * chips:
        problems.append(
            f"a network of {placement.n_cores} cores (limit {CORES * chips} on {chips} chips;"
            f" take chips={-(-placement.n_cores // CORES)}, or a smaller network)"
        )
    return problems


def _overfull_problems(overfull: Overfull, limits: CoreLimits, own: bool) -> list[str]:
    """Return a line for each limit that one neuron alone exceeds.

    own: whether the population is the caller's; else it stands for a delay, as relays.
    """
    kind = "population" if own else "relays"
    return [
        f"{kind} {overfull.population!r}, neuron {overfull.neuron} with"
        f" {overfull.used[key]} {_WORDS[key][0]}"
        f" (limit {getattr(limits, key)} of a core; {_WORDS[key][1]})"
        for key in limits.exceeded(overfull.used)
    ]


def source_text(
    arithmetic: ChipArithmetic,
    placement: Placement,
    biases: dict[str, Array],
    head: str,
    later: dict[str, dict[int, str]],
    chips: int,
) -> str:
    """Return *head*, a table of cores, and a paragraph for each population and projection.

    arithmetic: the network that runs and its chip integers. placement: which neurons are on which
    core. biases: by population, chip integers ``(size,)``. later: by node, its relays, keyed by how
    many steps later they spike. chips: how many there are.
    """
    network = arithmetic.network
    most = vars(placement.limits)
    rows = [["population", "cores", *(f"{key} (limit {most[key]})" for key in RESOURCES)]]
    for row in usage(placement):
        used = [f"{row[key]} ({row[f'{key}_percent']:.3g} %)" for key in RESOURCES]
        rows.append([row["population"], str(row["cores"]), *used])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    padded = ([x.ljust(n) for x, n in zip(row, widths, strict=True)] for row in rows)
    aligned = ("  ".join(row).rstrip() for row in padded)
    lines = [head, "", *aligned, *_core_notes(placement, chips), ""]
    for node, relays in later.items():
        lines += [f"{name}: spikes of {node}, {k} steps later" for k, name in relays.items()]
    for population in arithmetic.chip.populations.values():
        lines += _population(population, biases[population.name])
    for p in network.projections:
        chip = arithmetic.chip.projections[p.name]
        signed = ", signed (2w is stored)" if p.signed else ""
        lines += [
            f"{p.name}: {p.pre} -> {p.post}, {network.weight_shape(p.name)}{signed}",
            f"  exponent {chip.exponent}: weight = mantissa * 2**{6 + chip.exponent},"
            f" mantissa even in -{MANTISSA_MAX}..{MANTISSA_MAX}",
            f"  resolution {2 * chip.unit:.4g}, largest weight {MANTISSA_MAX * chip.unit:.4g}",
        ]
    return "\n".join(lines) + "\n"


def _core_notes(placement: Placement, chips: int) -> list[str]:
    """Return the number of cores, and for each split population the neurons on each core."""
    room = CORES * chips
    percent = 100 * placement.n_cores / room
    notes = [
        f"{placement.n_cores} of {room} cores ({percent:.3g} %), {CORES} on each of {chips} chips;"
        " a limit is of one core, a percentage of the fullest"
    ]
    for name, parts in placement.cores.items():
        if len(parts) > 1:
            neurons = ", ".join(f"{part.start}..{part.stop - 1}" for part in parts)
            notes.append(f"{name}: neurons {neurons}")
    return notes


def _population(chip: ChipPopulation, bias: Array) -> list[str]:
    """Return the paragraph about one population's integers."""
    return [
        f"{chip.name}: {len(chip.threshold)} compartments, {chip.unit:.6g} to a membrane unit",
        f"  current_decay {_range(chip.current_decay)}, voltage_decay {_range(chip.voltage_decay)},"
        f" refractory {_range(chip.refractory)}",
        f"  threshold {_range(chip.threshold)}, bias {_range(bias)},"
        f" noise width {_range(chip.noise_width)}"
        + (f", of the chip's own: x * {_range(chip.noise_step)}" if chip.noise_exponent else ""),
    ]


def _range(values: Array) -> str:
    """Return *values* as ``low..high``, or as one number if all are equal."""
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g}..{high:g}"
