"""Run networks in PyTorch: as a differentiable module, and as a backend that steps it."""

from neurorl.backends.torch.device import keep_freed_memory as keep_freed_memory
from neurorl.backends.torch.device import one_thread as one_thread
from neurorl.backends.torch.estimators import Concrete as Concrete
from neurorl.backends.torch.estimators import Estimator as Estimator
from neurorl.backends.torch.estimators import Score as Score
from neurorl.backends.torch.estimators import Slope as Slope
from neurorl.backends.torch.estimators import estimator as estimator
from neurorl.backends.torch.inputs import ModuleState as ModuleState
from neurorl.backends.torch.module import SpikingModule as SpikingModule
from neurorl.backends.torch.simulator import TorchSimulator as TorchSimulator
