"""Read and write the weights of a `neurorl.backends.torch.module.SpikingModule`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurorl.backends.base import Backend
from neurorl.backends.torch.synapses import TensorSynapses
from neurorl.errors import ArgumentError, format_message, unknown_name_error, warn_outside
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray


class SynapticModule(nn.Module):
    """Hold the synapses of a network as parameters and buffers.

    network: the description. synapses: by projection. has_replicas: whether weights that users
    read and write have an axis of replicas.
    """

    network: Network
    synapses: nn.ModuleDict
    has_replicas: bool

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Return the weights that learn; warn if there are none, as an optimizer needs some."""
        if not any(p.plasticity is not None for p in self.network.projections):
            what, remedy = "no parameters", "let projections learn: plasticity=Plasticity()"
            warn_outside(format_message("module", what, remedy=remedy), UserWarning)
        return super().parameters(recurse)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Let weights learn, or none; a module that only runs needs no parameters for that."""
        for _, parameter in self.named_parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def weight(self, name: str) -> Tensor:
        """Return a projection's weights, ``(n_replicas, *shape)``: a parameter if it is plastic."""
        return self._known(name).weight

    def weights(self, name: str) -> FloatArray:
        """Return a copy of a projection's effective weights, 0 where masked.

        Shape ``([n_replicas,] *shape)``.
        """
        with torch.no_grad():
            weights = self._known(name).in_force().detach().cpu().double().numpy().copy()
        return weights if self.has_replicas else weights[0]

    def set_weights(self, name: str, weights: npt.ArrayLike) -> None:
        """Overwrite a projection's weights, ``([n_replicas,] *shape)``.

        Raises ArgumentError for a wrong shape.
        """
        weight = self._known(name).weight
        values = np.asarray(weights, dtype=np.float64)
        shape = tuple(weight.shape if self.has_replicas else weight.shape[1:])
        if values.shape != shape:
            where = f"weights of {name!r}"
            raise ArgumentError(where, "wrong shape", got=values.shape, limit=shape)
        with torch.no_grad():
            weight.copy_(torch.from_numpy(values.reshape(weight.shape)))

    def write_to(self, backend: Backend) -> None:
        """Write all weights to a backend of the same network, which rounds them."""
        for name in self.synapses:
            backend.set_weights(name, self.weights(name))

    @torch.no_grad()
    def clip(self) -> None:
        """Clip plastic weights to the bounds of their `Plasticity`, in place."""
        for synapses in self._all_synapses():
            if synapses.bounds is not None:
                synapses.weight.clamp_(*synapses.bounds)

    def _known(self, name: str) -> TensorSynapses:
        """Return a projection's synapses; raise UnknownNameError if there is no such projection."""
        if name not in self.synapses:
            raise unknown_name_error("projection", name, self.synapses)
        synapses = self.synapses[name]
        assert isinstance(synapses, TensorSynapses)
        return synapses

    def _all_synapses(self) -> list[TensorSynapses]:
        """Return the synapses of all projections."""
        return [self._known(name) for name in self.synapses]
