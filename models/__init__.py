"""Neuron models, and the networks built from them. Installs as ``neurorl.models``."""

if __name__ != "neurorl.models":
    raise ImportError(f"import this folder as 'neurorl.models', not {__name__!r}")

from neurorl.models.actor import actor_network
from neurorl.models.neurons import GLM, LIF, CubaLIF, Silenced

__all__ = ["GLM", "LIF", "CubaLIF", "Silenced", "actor_network"]
