"""Make the registers of traces."""

from types import SimpleNamespace
from typing import Any


class TraceCfgGen:
    def genTraceCfg(self, tau: int, spikeLevelInt: int, spikeLevelFrac: int) -> Any:
        values = {"tau": tau, "spikeLevelInt": spikeLevelInt, "spikeLevelFrac": spikeLevelFrac}
        return SimpleNamespace(writeToRegister=lambda register: register.configure(**values))
