"""Choose how windows without gradients run."""

from __future__ import annotations

from neurorl.errors import BackendUnavailableError, unknown_name_error
from neurorl.native import toolchain

__all__ = ["COMPILED", "ENGINES", "check_engine"]

ENGINES = ("compiled", "eager")
"""Choose how windows without gradients run: in C++, or by torch's own operations, as others do."""
COMPILED = ENGINES[0]


def check_engine(engine: str | None) -> str:
    """Return the engine of this name, or for None the first that works here.

    Raises UnknownNameError for an unknown name, BackendUnavailableError without a compiler.
    """
    if engine is not None and engine not in ENGINES:
        raise unknown_name_error("engine of torch", engine, ENGINES)
    why = toolchain.problem()
    if engine == COMPILED and why is not None:
        raise BackendUnavailableError(f"engine {COMPILED!r}", why, remedy="take engine='eager'")
    return engine or ("eager" if why else COMPILED)
