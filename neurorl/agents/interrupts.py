"""Stop on Ctrl-C at moments from which work can be resumed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["Interrupt", "held_interrupts"]


@dataclass(slots=True)
class Interrupt:
    """Say whether the user has asked to stop."""

    requested: bool = False


def _is_usual(handler: Any) -> bool:
    """Return whether Ctrl-C raises KeyboardInterrupt; Brian2's handler calls the previous one."""
    while handler is not None and handler is not signal.default_int_handler:
        handler = getattr(handler, "previous_handler", None)
    return handler is not None


@contextmanager
def held_interrupts() -> Iterator[Interrupt]:
    """Note a Ctrl-C instead of raising KeyboardInterrupt; a second one raises it at once.

    Code inside checks `Interrupt.requested` where it can stop; at the end KeyboardInterrupt is
    raised at the latest. This works only in the main thread and without other handlers of Ctrl-C;
    otherwise nothing is noted.
    """
    interrupt = Interrupt()
    usual = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not _is_usual(usual):
        yield interrupt
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interrupt.requested:
            signal.default_int_handler(number, frame)
        interrupt.requested = True

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, usual)
    if interrupt.requested:
        raise KeyboardInterrupt
