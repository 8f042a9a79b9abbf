"""Play NIR files in the libraries that read them, and by hand in float64."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.nir.readers import Form

Raster = npt.NDArray[np.bool_]


def play_in(reader: str, path: Path, inputs: Raster, dt: float, double: bool = False) -> Raster:
    """Return the output's spikes ``(steps, batch, n)`` for spikes ``(steps, batch, n_in)``.

    double: in float64, where the library can; else as it is, in float32.
    """
    import torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of nirtorch, norse and spikingjelly
        net = PLAYERS[reader](path, dt, double)
        state, rows = None, []
        for spikes in inputs:
            out, state = net(
                torch.tensor(spikes, dtype=torch.float64 if double else torch.float32), state
            )
            rows.append(out.numpy())
    played = np.array(rows)
    assert np.isin(played, (0.0, 1.0)).all()
    return played > 0


def _snntorch(path: Path, dt: float, double: bool) -> Any:
    import nir
    from snntorch.import_nir import import_from_nir

    assert not double, "its spikes are float32"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        net = import_from_nir(nir.read(path))
    assert "WARNING" not in said.getvalue().upper()
    return net


def _spikingjelly(path: Path, dt: float, double: bool) -> Any:
    import torch
    from loguru import logger
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    logger.disable("spikingjelly")
    return import_from_nir(path, dt=dt, dtype=torch.float64 if double else torch.float32)


def _norse(path: Path, dt: float, double: bool) -> Any:
    import nir
    import norse.torch

    assert not double, "its importer turns all into float32"
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    try:
        net = norse.torch.from_nir(nir.read(path), dt=dt)
    finally:
        logging.getLogger().removeHandler(handler)
    assert not said.getvalue()
    return net


PLAYERS: dict[str, Callable[[Path, float, bool], Any]] = {
    "snntorch": _snntorch,
    "spikingjelly": _spikingjelly,
    "norse": _norse,
}


def play_form(form: Form, inputs: Raster) -> tuple[Raster, float]:
    """Return what a form gives in float64, and how near a membrane came to its threshold."""
    state = [[np.zeros((inputs.shape[1], len(x.threshold)))] * 3 for x in form.layers]
    rows, nearest = [], np.inf
    for row in inputs:
        spikes = row.astype(np.float64)
        for k, layer in enumerate(form.layers):
            u, v, before = state[k]
            q = spikes @ layer.weights.T + layer.bias
            if layer.loop is not None:
                q = q + before @ layer.loop.T
            u = layer.current_decay * u + q
            v = layer.membrane_decay * v + u
            nearest = min(nearest, float(np.abs(v - layer.threshold).min()))
            fired = v > layer.threshold
            spikes = fired.astype(np.float64)
            state[k] = [u, np.where(fired, 0.0, v), spikes]
        rows.append(spikes if form.pick is None else spikes[:, form.pick])
    return np.array(rows) > 0, nearest
