"""Describe the resources that a network takes of the chip, and its integers, as text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.quantiser import MANTISSA_MAX, ChipPopulation
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.backends.loihi.limits import CORES, RESOURCES, usage
from neurorl.backends.loihi.placement import Placement


def source_text(
    arithmetic: ChipArithmetic,
    placement: Placement,
    biases: dict[str, npt.NDArray[np.generic]],
    head: str,
    later: dict[str, dict[int, str]],
    chips: int,
) -> str:
    """Return *head*, a table of cores, and a paragraph for each population and projection.

    arithmetic: the network that runs and its chip integers.
    placement: which neurons are on which core.
    biases: by population, chip integers ``(size,)``.
    head: the first lines.
    later: by node, its relays, keyed by how many steps later they spike.
    chips: how many chips there are.
    """
    network = arithmetic.network
    lines = [head, "", *_core_table(placement, chips), ""]
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


def _core_table(placement: Placement, chips: int) -> list[str]:
    """Return the lines of the table of cores, one row a population, and the notes below it."""
    limits = vars(placement.limits)
    rows = [["population", "cores", *(f"{key} (limit {limits[key]})" for key in RESOURCES)]]
    for row in usage(placement):
        used = [f"{row[key]} ({row[f'{key}_percent']:.3g} %)" for key in RESOURCES]
        rows.append([row["population"], str(row["cores"]), *used])
    return [*_aligned(rows), *_core_notes(placement, chips)]


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


def _aligned(rows: list[list[str]]) -> list[str]:
    """Return the rows as lines, columns padded to the same width."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _population(chip: ChipPopulation, bias: npt.NDArray[np.generic]) -> list[str]:
    """Return the paragraph about one population's integers."""
    return [
        f"{chip.name}: {len(chip.threshold)} compartments, {chip.unit:.6g} to a membrane unit",
        f"  current_decay {_range(chip.current_decay)}, voltage_decay {_range(chip.voltage_decay)},"
        f" refractory {_range(chip.refractory)}",
        f"  threshold {_range(chip.threshold)}, bias {_range(bias)},"
        f" noise width {_range(chip.noise_width)}"
        + (f", of the chip's own: x * {_range(chip.noise_step)}" if chip.noise_exponent else ""),
    ]


def _range(values: npt.NDArray[np.generic]) -> str:
    """Return *values* as ``low..high``, or as one number if all are equal."""
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g}..{high:g}"
