"""Find modules under the names that they had in version 0.1.0, for programs written for it.

``import neurorl.evaluation`` gives `neurorl.runs.evaluation` itself, and so on. Nothing is imported
before it is asked for under an old name, and no module of neurorl asks for one.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

__all__ = ["MOVED", "install"]

MOVED = {
    "neurorl.agent": "neurorl.agents.local",
    "neurorl.agents.archive": "neurorl.archive",
    "neurorl.approaches": "neurorl.agents.algorithms",
    "neurorl.backend": "neurorl.backends.registry",
    "neurorl.cartpole": "neurorl.tasks.cartpole",
    "neurorl.checkpoint": "neurorl.agents.checkpoint",
    "neurorl.chip_noise": "neurorl.arithmetic.chip_noise",
    "neurorl.config": "neurorl.models.config",
    "neurorl.cost": "neurorl.inspection.cost",
    "neurorl.critic": "neurorl.models.critics",
    "neurorl.deployment": "neurorl.inspection.deployment",
    "neurorl.described": "neurorl.network.serialization",
    "neurorl.description": "neurorl.network.description",
    "neurorl.elementary": "neurorl.numerics.elementary",
    "neurorl.encoder": "neurorl.models.encoders",
    "neurorl.envgroup": "neurorl.tasks.groups",
    "neurorl.envs": "neurorl.tasks.environments",
    "neurorl.evaluation": "neurorl.runs.evaluation",
    "neurorl.factors": "neurorl.rules",
    "neurorl.features": "neurorl.models.features",
    "neurorl.fitting": "neurorl.arithmetic.fitting",
    "neurorl.groups": "neurorl.agents.sharding",
    "neurorl.hierarchy": "neurorl.network.modules",
    "neurorl.history": "neurorl.models.history",
    "neurorl.learner": "neurorl.learning.learner",
    "neurorl.lesions": "neurorl.models.lesions",
    "neurorl.loop": "neurorl.learning.loops.numpy",
    "neurorl.membrane": "neurorl.rules.membrane",
    "neurorl.memory": "neurorl.learning.memory",
    "neurorl.native.features": "neurorl.learning.loops.native_features",
    "neurorl.native.loop": "neurorl.learning.loops.native",
    "neurorl.onchip": "neurorl.learning.loops.onchip",
    "neurorl.player": "neurorl.agents.player",
    "neurorl.plugins": "neurorl.backends.plugins",
    "neurorl.policy": "neurorl.models.policies",
    "neurorl.presets": "neurorl.models.presets",
    "neurorl.quantisation_report": "neurorl.inspection.quantisation",
    "neurorl.quantiser": "neurorl.arithmetic.quantiser",
    "neurorl.random": "neurorl.numerics.random",
    "neurorl.registration": "neurorl.tasks.registration",
    "neurorl.remedies": "neurorl.diagnostics.messages",
    "neurorl.replicas": "neurorl.agents.replicas",
    "neurorl.replicate": "neurorl.network.replicate",
    "neurorl.rule": "neurorl.rules.three_factor",
    "neurorl.rundir": "neurorl.runs.directory",
    "neurorl.sites": "neurorl.diagnostics.probes",
    "neurorl.training": "neurorl.runs.training",
    "neurorl.verbs": "neurorl.agents.base",
    "neurorl.verdicts": "neurorl.diagnostics.verdicts",
    "neurorl.writes": "neurorl.learning.writes",
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Find a module under its old name, after every other way to find it has failed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in MOVED:
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(MOVED[spec.name])
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own  # which the import system has just replaced by the old name's


def install() -> None:
    """Make old names work; may be called again."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
