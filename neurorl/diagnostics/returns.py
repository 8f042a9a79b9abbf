"""Judge an agent by its returns: no reward, no progress, rewards too small or too large.

All use discounted returns, and apply to agents that are no better than at the start:

unrewarded
    Every return was 0, over `REWARDED_BY` episodes or more: values never leave 0.
flat
    The last `FLAT_AFTER` returns are equal and below the best one, or all of `SAME_AFTER` or more
    returns are equal.
faint
    No scaled return reached `FAINT`, over `JUDGED_FROM` episodes or more: modulators, which have
    the size of returns, hardly move a weight.
loud
    Half of the last scaled returns exceed `LOUD`, so nearly every modulator is clipped, and they
    aren't in the best quarter so far (an agent may learn all in its first episodes).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from neurorl.diagnostics.verdicts import (
    WINDOW,
    EpisodeRecord,
    Standing,
    Verdicts,
    memory_hint,
    standing,
)
from neurorl.errors import format_message
from neurorl.models.agent.config import AgentConfig

JUDGED_FROM = 100
SAME_AFTER = 200
REWARDED_BY = 300
FLAT_AFTER = 500
FAINT = 0.1
LOUD = 20.0
_BEST = 0.25

OF_RETURNS = ("unrewarded", "flat", "faint", "loud")


class Returns:
    """Judge returns as they come, each once. scale: scale of rewards."""

    def __init__(self, scale: float) -> None:
        self._scale = abs(scale)
        self.forget()

    def forget(self) -> None:
        """Forget all returns."""
        self._judged, self._least, self._most = 0, float("inf"), float("-inf")
        self._same = 0

    def verdicts(self, played: Sequence[EpisodeRecord], stands: Standing | None = None) -> Verdicts:
        """Return ``{kind: (value, limit)}`` for problems of the returns of *played*.

        stands: result of `neurorl.diagnostics.verdicts.standing` for them; None computes it.
        """
        for k in range(self._judged, len(played)):
            now = played[k].discounted
            self._same = self._same + 1 if k and now == played[k - 1].discounted else 1
            self._least, self._most = min(self._least, now), max(self._most, now)
        self._judged = n = len(played)
        if n < JUDGED_FROM or (stands or standing(played)).better:
            return {}
        return self._wrong(n, played[-1].discounted, [e.discounted for e in played[-WINDOW:]])

    def _wrong(self, n: int, last: float, lately: Sequence[float]) -> Verdicts:
        largest = max(-self._least, self._most, 0.0)
        if largest == 0.0:
            return {"unrewarded": (0.0, REWARDED_BY)} if n >= REWARDED_BY else {}
        wrong: Verdicts = {}
        is_lost = self._same >= FLAT_AFTER and last < self._most
        if is_lost or (self._same == n and n >= SAME_AFTER):
            wrong["flat"] = last, self._same
        if self._scale * largest < FAINT:
            wrong["faint"] = self._scale * largest, FAINT
        usual = self._scale * statistics.median(map(abs, lately))
        is_low = statistics.median(lately) <= self._most - _BEST * (self._most - self._least)
        if usual > LOUD and is_low:
            wrong["loud"] = usual, LOUD
        return wrong


def message_of_returns(config: AgentConfig, seed: int, verdict: Mapping[str, Any]) -> str:
    """Return a warning in one line. verdict: kind, since_episode, value and limit."""
    kind, value, limit = verdict["kind"], float(verdict["value"]), float(verdict["limit"])
    scale, explores = config.reward_scale, config.policy.exploration
    longer = f"raise policy.exploration (now {explores:g}), or let episodes be longer, or"
    what, remedy = {
        "unrewarded": (
            f"every return was 0 in {limit:.0f} episodes, so values never left 0",
            f"{longer} reward what leads there",
        ),
        "flat": (
            f"the last {limit:.0f} returns are all the same",
            f"{longer} lower policy.beta or alpha_output{memory_hint(config)}",
        ),
        "faint": (
            "are so small when scaled that weights hardly move",
            f"raise reward_scale (now {scale:g})",
        ),
        "loud": (
            "are so large when scaled that nearly every modulator is clipped",
            f"lower reward_scale (now {scale:g})",
        ),
    }[str(kind)]
    return format_message(
        f"returns of seed {seed}",
        f"{kind} since episode {verdict['since_episode']}: {what}",
        got=f"{value:.3g}",
        limit=f"{limit:g}" if kind in ("faint", "loud") else None,
        remedy=remedy,
    )
