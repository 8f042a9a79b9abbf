"""What a network takes of the chip, and its integers, as readable text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import ChipArithmetic
from neurorl.backends.loihi.limits import LIMITS, usage
from neurorl.quantiser import MANTISSA_MAX, ChipPopulation

__all__ = ["source_text"]


def source_text(
    arithmetic: ChipArithmetic,
    biases: dict[str, npt.NDArray[np.generic]],
    head: str,
    later: dict[str, dict[int, str]],
) -> str:
    """*head*, a table of cores, then a paragraph for each population and projection.

    later: relays of each node, by how many steps later they spike.
    """
    network = arithmetic.network
    lines = [head, "", *_core_table(arithmetic), ""]
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


def _core_table(arithmetic: ChipArithmetic) -> list[str]:
    rows = [["population", "cores", *(f"{key} (limit {most})" for key, most in LIMITS.items())]]
    for row in usage(arithmetic.network):
        used = [f"{row[key]} ({row[f'{key}_percent']:.3g} %)" for key in LIMITS]
        rows.append([row["population"], str(row["cores"]), *used])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _population(chip: ChipPopulation, bias: npt.NDArray[np.generic]) -> list[str]:
    return [
        f"{chip.name}: {len(chip.threshold)} compartments, {chip.unit:.6g} to a membrane unit",
        f"  current_decay {_range(chip.current_decay)}, voltage_decay {_range(chip.voltage_decay)},"
        f" refractory {_range(chip.refractory)}",
        f"  threshold {_range(chip.threshold)}, bias {_range(bias)},"
        f" noise width {_range(chip.noise_width)}",
    ]


def _range(values: npt.NDArray[np.generic]) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g}..{high:g}"
