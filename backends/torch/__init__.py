"""PyTorch: a network as a differentiable module, and the backend that steps it."""

from neurorl.backends.torch.backend import TorchBackend
from neurorl.backends.torch.estimators import Concrete, Estimator, Score, Slope, estimator
from neurorl.backends.torch.memory import keep_freed_memory
from neurorl.backends.torch.module import SpikingModule
from neurorl.backends.torch.state import ModuleState
from neurorl.backends.torch.threads import one_thread

__all__ = [
    "Concrete",
    "Estimator",
    "ModuleState",
    "Score",
    "Slope",
    "SpikingModule",
    "TorchBackend",
    "estimator",
    "keep_freed_memory",
    "one_thread",
]
