"""List the causes that a run can end with, each found in what was measured of it.

The first cause that is found is the verdict; docs/diagnostics.md has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.diagnostics.monitor import Finding
from neurorl.diagnostics.observed import MOVES, OUTSIDE, PAID, TOLD
from neurorl.diagnostics.outcome import LEAST_EPISODES, Facts, RunVerdict, exceeds, mean_of, trend
from neurorl.errors import format_message
from neurorl.models.agent.past import Past

_SELDOM = 0.05
_LOST, _WORSE = 0.5, 0.25
_WHOLE = 10
_MANY_STEPS = 20_000


@dataclass(frozen=True)
class Sign:
    """Hold what shows that a cause is there.

    what, remedy: as in `format_message`. share: as in `RunVerdict`. finding: a warning of the
    monitor that says all of it.
    """

    what: str
    remedy: str
    share: float | None = None
    finding: Finding | None = None


@dataclass(frozen=True)
class Cause:
    """Name a cause, and the function that finds its sign in the facts; None if it isn't there."""

    kind: str
    find: Callable[[Facts], Sign | None]


def _compared(facts: Facts) -> str:
    """Return the figures in words."""
    words = ("at first", "at the end", "by random play", "by greedy play", "by drawing actions")
    pairs = zip(facts.means.values(), words, strict=True)
    said = [f"{mean:.4g} {word}" for mean, word in pairs if mean is not None]
    return f"{facts.measure} {', '.join(said)}"


def _early(facts: Facts) -> Sign | None:
    n = len(facts.returns)
    if n >= LEAST_EPISODES:
        return None
    what = f"too early to tell: {n} episodes have ended, and {LEAST_EPISODES} are needed"
    return Sign(what, "raise --episodes (total_episodes of learn)")


def worse_greedily(facts: Facts) -> Sign | None:
    """Find greedy play that is worse than random play, or that loses what sampling gains."""
    others = facts.drawn if len(facts.drawn) else facts.last
    by_random, drawn, greedy = map(mean_of, (facts.random, others, facts.greedy))
    if greedy is None:
        return None
    drops = by_random is not None and exceeds(facts.random, facts.greedy)
    if by_random is not None and drawn is not None:  # what is as bad when drawn isn't by votes
        drops = drops and drawn - greedy > 0.5 * (by_random - greedy)
    if facts.is_better and exceeds(others, facts.greedy) and drawn is not None:
        drops = drops or drawn - greedy > _WORSE * facts.gained
    if not drops:
        return None
    what = f"the action with the most votes does worse than actions drawn: {_compared(facts)}"
    return Sign(what, _BY_DRAWS)


_BY_DRAWS = "play with --stochastic (predict(..., deterministic=False)), or raise policy.beta"


def _greedy(facts: Facts) -> Sign | None:
    """Find greedy play that has gained nothing over random play, though sampling may have."""
    has_gained = exceeds(facts.greedy, facts.random)
    return None if has_gained else worse_greedily(facts)


def _is_in_vain(facts: Facts) -> bool:
    """Return whether the run is better than random play, but greedy play isn't."""
    return facts.is_better and len(facts.greedy) > 0 and not exceeds(facts.greedy, facts.random)


def _diverged(facts: Facts) -> Sign | None:
    remedy = f"lower {facts.rate} or policy.beta, or choose a schedule that falls"
    kept = mean_of(facts.drawn)
    falls = _is_in_vain(facts) and exceeds(facts.last, facts.drawn)
    if (
        falls
        and not exceeds(facts.drawn, facts.random)
        and kept is not None
        and np.mean(facts.last) - kept > _LOST * facts.gained
    ):
        what = f"has lost what it had learned in its last episodes: {_compared(facts)}"
        return Sign(what, remedy)
    peak = _peak(facts)
    if peak is None or peak.gained <= 0.0 or peak.lost <= _LOST * peak.gained:
        return None
    return Sign(f"has lost what it had learned: {peak.words}, {_compared(facts)}", remedy)


@dataclass(frozen=True)
class _Peak:
    """Hold by how much the best episodes were better than the base, and than the last ones."""

    gained: float
    lost: float
    words: str


def _peak(facts: Facts) -> _Peak | None:
    """Return the best episodes, of as many as the last ones; None if those are as good."""
    n = len(facts.last)
    sums = np.convolve(facts.returns, np.ones(n) / n, "valid")
    best = int(sums.argmax())
    peak = facts.returns[best : best + n]
    falls = exceeds(peak, facts.last, 4.0) and exceeds(peak, facts.first, 4.0)
    if len(peak) < _WHOLE or not falls:
        return None
    mean, last = float(np.mean(peak)), float(np.mean(facts.last))
    words = f"{facts.measure} {mean:.4g} up to episode {best + n}"
    return _Peak(mean - facts.base, mean - last, words)


def _learned(facts: Facts) -> Sign | None:
    if not facts.is_better:
        return None
    rise, error = trend(facts.returns[len(facts.returns) // 2 :])
    rises = rise > 3.0 * error and rise > 0.1 * facts.gained
    remarks = ["it still improves, so more episodes may give more"] if rises else []
    if (peak := _peak(facts)) is not None and peak.lost > _WORSE * peak.gained:
        remarks = [f"it was better before: {peak.words}; a schedule that falls may keep it"]
    remarks += [f"greedy play does worse: {_BY_DRAWS}"] if worse_greedily(facts) else []
    action = facts.only_action
    more = f" no more than to take action {action}, whatever it sees" if action else ""
    what = f"has learned{more}: {_compared(facts)}"
    return Sign(what, "; ".join(remarks))


def _unrewarded(facts: Facts) -> Sign | None:
    values, counts = np.unique(facts.returns, return_counts=True)
    common = float(values[counts.argmax()])
    share = 1.0 - float(counts.max()) / len(facts.returns)
    if share > _SELDOM or facts.is_better:
        return None
    paid = facts.random != common
    if paid.sum() > 1 and np.mean(paid) > 2 * _SELDOM:
        return None
    seldom = f"all but {100 * share:.2g} % of its episodes had" if share else "every episode had"
    what = f"{seldom} the same {facts.measure}, {common:.4g}, so it hardly saw what pays"
    explores = facts.config.policy.exploration
    remedy = f"raise policy.exploration (now {explores:g}), let episodes be longer, or reward"
    return Sign(what, f"{remedy} what leads there", share)


def _left_out(facts: Facts) -> Sign | None:
    parts = facts.hidden.left_out
    if not parts:
        return None
    what = f"its cells read nothing of {', '.join(parts)}, which varies"
    return Sign(what, "give cells= that read it, or a wrapper that turns it into numbers")


def _range(facts: Facts) -> Sign | None:
    hidden = facts.hidden
    share, place = hidden.outside
    remedy = "give cells= with the range that is seen, as GaussianCells(low, high), or scale it"
    if share > OUTSIDE:
        what = f"{100 * share:.3g} % of observation[{place}] lie beyond its cells"
        return Sign(what, remedy, share)
    if hidden.unlike:
        names = ", ".join(f"observation[{place}]" for place in hidden.unlike)
        return Sign(f"its cells don't tell the values of {names} apart where they lie", remedy)
    return None


def _memory(facts: Facts) -> Sign | None:
    told = facts.hidden.memory
    if told is None or told < TOLD:
        return None
    seen = facts.hidden.past
    counted = facts.hidden.counted
    past = counted or _words(seen)
    tell = "tells" if counted else "tell"
    what = f"one observation hides what matters: {past} {tell} {told:.0%} more of what follows"
    remedy = f"show {counted or 'the last action'} in the observation, by a wrapper"
    if counted in ("", PAID) and not facts.config.policy.is_continuous:
        remedy = "set sees_actions=True" + (", sees_rewards=True" if counted else "")
    if seen:
        each = (f"{name}={_written(value)}" for name, value in seen.named.items())
        remedy = f"set {', '.join(each)}"
        remedy += ", or stack observations" if seen.memories else ""
    return Sign(what, remedy, told)


def _words(past: Past) -> str:
    """Return what tells of rewards, in words."""
    if past.memories or past.keys:
        return "earlier observations"
    return "earlier rewards" if past.sees_rewards else "earlier actions"


def _written(value: object) -> str:
    """Return a field as users write it."""
    if isinstance(value, tuple):
        return f"({', '.join(f'{number:g}' for number in value)},)"
    return str(value)


def _blind(facts: Facts) -> Sign | None:
    """Find observations that tell nothing of what follows, though actions do."""
    what = "one observation tells nothing of the next reward, end or observation, beside the action"
    remedy = "show in it what was done and shown before in the episode, by a wrapper"
    return _nothing(facts.hidden.shown, what, remedy)


def _powerless(facts: Facts) -> Sign | None:
    if facts.config.sees_actions or facts.is_better:
        return None  # they tell later rewards, or have changed them, which a few steps don't show
    what = "its actions change neither the reward nor what is shown, as far as some steps tell"
    remedy = "look at the environment's step, and its action space, or show what came longer before"
    return _nothing(facts.hidden.effect, what, remedy)


def _nothing(told: float | None, what: str, remedy: str) -> Sign | None:
    """Find a share of what follows that is *told* by nothing but noise."""
    return None if told is None or told >= MOVES else Sign(what, remedy, max(0.0, told))


_PLAIN = ("faint", "loud", "silent", "saturated")
"""Name the findings that say why, those first that may lead to others; the rest may follow from
what hides the state."""
_FOLLOWING = ("clipped", "drifting", "stuck", "flat")


def _found(facts: Facts, kinds: Sequence[str]) -> Sign | None:
    """Find what the monitor has warned of, in the order of *kinds*."""
    found = {finding["kind"]: finding for finding in reversed(facts.findings)}
    kind = next((kind for kind in kinds if kind in found), None)
    return None if kind is None else Sign(kind, "", finding=found[kind])


def _unmoved(facts: Facts) -> Sign | None:
    if facts.has_moved:
        return None
    scale = f"reward_scale (now {facts.config.reward_scale:g})"
    return Sign("no weight has changed while it trained", f"raise {facts.rate} or {scale}")


def _short(facts: Facts) -> Sign | None:
    n = len(facts.returns)
    rise, error = trend(facts.returns[n // 2 :])
    remedy = f"raise --episodes (now {n})"
    if rise > 3.0 * error:
        what = f"still improves, but isn't better than {facts.rival}: {_compared(facts)}"
        return Sign(what, remedy)
    if facts.steps < _MANY_STEPS:
        what = f"has trained for {facts.steps:,} steps only, and nothing else was found wrong"
        return Sign(f"{what}: {_compared(facts)}", remedy)
    return None


def _unknown(facts: Facts) -> Sign:
    what = f"is no better than {facts.rival}, and no cause was found: {_compared(facts)}"
    return Sign(what, f"try other seeds, and a lower or higher {facts.rate}")


def _only(holds: Callable[[Facts], bool], cause: Cause) -> Cause:
    """Return a cause that is looked for only if something *holds*."""
    return Cause(cause.kind, lambda facts: cause.find(facts) if holds(facts) else None)


_WARNED = Cause("", lambda facts: _found(facts, _PLAIN))
_GREEDY = Cause("greedy", _greedy)
_HIDING = (
    Cause("unseen", _left_out),
    Cause("range", _range),
    Cause("memory", _memory),
    Cause("powerless", _powerless),
    Cause("memory", _blind),
)
CAUSES = (
    Cause("early", _early),
    _only(lambda facts: not facts.is_better, _WARNED),
    Cause("unrewarded", _unrewarded),
    Cause("unmoved", _unmoved),
    *(_only(_is_in_vain, cause) for cause in _HIDING),
    Cause("diverged", _diverged),
    _only(_is_in_vain, _GREEDY),
    Cause("learned", _learned),
    *_HIDING,
    Cause("", lambda facts: _found(facts, _FOLLOWING)),
    _GREEDY,
    Cause("short", _short),
    Cause("unknown", _unknown),
)
"""List the causes in the order in which they are looked for; the last one is always found. Those
without a name are findings of the monitor, which have their own."""


def judge(measures: Sequence[Facts]) -> RunVerdict:
    """Return the verdict on a run.

    measures: its facts by its returns, then by others such as discounted ones, which decide if they
    are better than random play and the returns aren't.
    """
    facts = next((each for each in measures if each.is_better), measures[0])
    found = ((cause.kind, cause.find(facts)) for cause in CAUSES)
    kind, sign = next((kind, sign) for kind, sign in found if sign is not None)
    words = format_message(f"agent of seed {facts.seed}", sign.what, remedy=sign.remedy or None)
    if sign.finding is not None:
        kind, words = sign.finding["kind"], sign.finding["message"]
    return RunVerdict(kind, words, facts.measure, share=sign.share, **facts.means)
