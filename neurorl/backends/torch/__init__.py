"""Run networks in PyTorch: as a differentiable module, and as a backend that steps it."""

from neurorl.backends.torch.device import keep_freed_memory, one_thread
from neurorl.backends.torch.estimators import Concrete, Estimator, Score, Slope, estimator
from neurorl.backends.torch.inputs import ModuleState
from neurorl.backends.torch.module import SpikingModule
from neurorl.backends.torch.simulator import TorchSimulator

__all__ = [
    "Concrete",
    "Estimator",
    "ModuleState",
    "Score",
    "Slope",
    "SpikingModule",
    "TorchSimulator",
    "estimator",
    "keep_freed_memory",
    "one_thread",
]
