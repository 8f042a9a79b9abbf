"""Stand in for probes."""

from typing import Any


class N2SpikeProbe:
    probeDict: dict[Any, Any] = {}
