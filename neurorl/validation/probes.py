"""Make histories that tell hypotheses apart: other seeds, other calls, resets and writes.

They do only what the recorded history did too: a backend's reset is not asked about if nobody
called it. Windows of the stimulus are taken in another order, so that what drove the network
drives it here, with random spikes between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurorl.arithmetic.rounding import initial_weights
from neurorl.numerics.arrays import FloatArray
from neurorl.testing import rasters
from neurorl.validation.history import after_weights, parts
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

_PROBABILITIES = (0.05, 0.15, 0.3, 0.6)
_LENGTH = 12  # steps of a random window


def probe(
    subject: Subject,
    stimulus: Sequence[InputWindow],
    seed: int,
    before: int,
    n_steps: int,
    whole: bool = False,
) -> list[InputWindow]:
    """Return windows of about *n_steps* steps, in calls of one step and of several.

    before: steps before these, by windows as in the stimulus, so that as much has happened.
    whole: whether each call is of a window.
    """
    rng = np.random.default_rng(seed)
    network = subject.network
    resets = any(w.fresh for w in stimulus)
    writes = bool(subject.weights) or any(w.writes for w in stimulus)
    made: list[InputWindow] = []
    done = 0
    while done < before:
        window = stimulus[int(rng.integers(len(stimulus)))]
        made.append(window._replace(writes=_writes(subject, seed, rng) if window.writes else ()))
        done += window.n_steps
    while done < before + n_steps:
        if rng.random() < 0.5:
            window = stimulus[int(rng.integers(len(stimulus)))]
            inputs, length = window.inputs, window.n_steps
        else:
            length = _LENGTH
            probability = float(rng.choice(_PROBABILITIES))
            inputs = rasters(network, length, int(rng.integers(2**31)), probability)
        now = writes and done and rng.random() < 0.4
        written = _writes(subject, seed, rng) if now else ()
        fresh = resets and rng.random() < 0.4
        window = InputWindow(inputs, length, fresh, written)
        made += [window] if whole else parts(network, window, _lengths(length, rng))
        done += length
    return after_weights(subject, made)


def _lengths(length: int, rng: np.random.Generator) -> list[int]:
    """Return the calls of a window, mostly of one step, or of several, or one."""
    kind = rng.random()
    if kind < 0.7:
        return [1] * length
    lengths = [length] if kind < 0.85 else []
    while sum(lengths) < length:
        lengths.append(min(int(rng.integers(1, 6)), length - sum(lengths)))
    return lengths


def _writes(subject: Subject, seed: int, rng: np.random.Generator) -> list[tuple[str, FloatArray]]:
    """Return new weights of some projections, each up to 30 % from the initial ones."""
    network = subject.network
    plastic = [p for p in network.projections if p.plasticity is not None]
    writes = []
    for p in plastic or network.projections:
        if rng.random() < 0.7:
            base = subject.weights.get(p.name)
            first = initial_weights(network, p.name, seed) if base is None else base
            scale = float(np.abs(first).max(initial=0.0)) or 0.1
            other = first * rng.uniform(0.7, 1.3, first.shape)
            other += rng.uniform(-0.1, 0.1, first.shape) * scale
            if p.plasticity is not None:
                other = np.clip(other, p.plasticity.low, p.plasticity.high)
            writes.append((p.name, other))
    return writes
