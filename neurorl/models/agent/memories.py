"""Keep what an agent, or its critic, sees of the observations before the last one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError
from neurorl.models.agent.past import KEYS, Past, check_places, kept_apart
from neurorl.models.features import Features, FromNumbers, HashedStates, SelectParts
from neurorl.models.features.base import PartKey, parts_in
from neurorl.models.features.of_others import BlockMeans
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.first_play import FirstPlay
from neurorl.tasks.kinds import Shown


class Memories:
    """Keep running means of the observations of *n* environments, and extend observations by them.

    `see` turns an observation ``o`` of d numbers into ``(o, o - m_1, ..., o - m_K)``. Each ``m_k``
    is a running mean of the earlier steps of the episode, ``m <- keep m + (1 - keep) o``, which
    begins at the first o. With keep 0, ``o - m`` is the change since the step before, a velocity if
    o is a position; with 0.9 the mean is over some 10 steps, for evidence that comes bit by bit;
    with 1 it stays the first o, for a cue. A keep of 2 or more stands for the o so many steps
    before, and one of -1 or less for what each number was before it changed last, or so many
    changes ago: a cue that is over, however long ago that is. Until then both are the first o.

    A trace of decay d follows, as it was before o: ``m <- u + max(d |m - u|, |o - u|)``, u the
    number's usual value, which m begins at: 0, or that of a channel of an image. It shows where
    something was, and the fainter, the longer ago; with 0, the step before.

    What is kept by the values of a number (`neurorl.models.agent.past.Past.keys`) follows, as it
    was before o: the other numbers, for each value; 0 until it comes. A sum
    (`neurorl.models.agent.tally.RunningSum`) and the last cue are the last numbers.

    keys: of a Dict's or Tuple's parts; empty for other observations. actions: of so many choices,
    the last one in the episode is among an observation's numbers, after its own, if they are seen:
    each counts from 1, and is 0 at first. What it was paid is the last of them, 0 at first. usual:
    of each channel of an image; empty for 0.

    means: of each environment, ``(K + C + L + 8 B + T + 2, d)``: K means, what was up to C changes
    ago, the last L observations, for keeps of -C and of L >= 2, what is kept by the values of B
    numbers, T traces, a sum and the last cue d times each, if these are seen; None before its
    episode. They are replaced, not changed.
    """

    def __init__(
        self,
        past: Past,
        n: int,
        keys: Sequence[PartKey] = (),
        actions: int = 1,
        usual: Sequence[float] = (),
    ) -> None:
        self._keys, self._past, self._n_actions, keeps = tuple(keys), past, actions, past.memories
        self._none = np.full(actions if past.sees_actions else 0, -1)
        self._lags = [(k, int(keep)) for k, keep in enumerate(keeps) if keep > 1.0]
        self._held = [(k, int(-keep)) for k, keep in enumerate(keeps) if keep < 0.0]
        self._changes, self._by = max((n for _, n in self._held), default=0), past.keys
        by_change = len(past.tally_since) == 1 or len(past.tally_until) == 1
        least = min(1, self._changes + len(past.summed_by) + by_change)
        self._longest = max((lag for _, lag in self._lags), default=least)
        # What is recalled without a mean is set in every step, so its mean stays as it is.
        shares = [keep if 0.0 <= keep <= 1.0 else 1.0 for keep in keeps]
        self._keeps: FloatArray = np.array(shares, dtype=np.float64)[:, None]
        self._decays: FloatArray = np.array(past.traces, dtype=np.float64)[:, None]
        self._usual = np.array(usual or (0.0,), dtype=np.float64)
        self._cues = np.array(past.cues, dtype=np.float64)
        self._sums, self._n_last = past.sums if past.tally else None, past.last_numbers
        self.means: list[FloatArray | None] = [None] * n

    def begin(self, i: int) -> None:
        """Begin an episode of environment *i*: forget its observations."""
        self.means[i] = None

    def numbers(
        self, observation: Shown, action: npt.ArrayLike | None = None, reward: float = 0.0
    ) -> FloatArray:
        """Return an observation without memories, ``(d,)``.

        action: what was chosen before it in the episode, counted from 0; None at first. reward:
        what it was paid.
        """
        numbers: FloatArray = np.asarray(parts_in(observation, self._keys), dtype=np.float64)
        if self._none.size:
            numbers = np.append(numbers, np.add(self._none if action is None else action, 1.0))
        return np.append(numbers, reward) if self._past.sees_rewards else numbers.ravel()

    def see(
        self, i: int, observation: Shown, action: npt.ArrayLike | None = None, reward: float = 0.0
    ) -> FloatArray:
        """Return the observation of environment *i* extended by its memories, and remember it.

        action, reward: what was chosen last, and what that was paid; the first observation of an
        episode follows none.
        """
        last = (None, 0.0) if self.means[i] is None else (action, reward)
        return self.see_numbers(i, self.numbers(observation, *last))

    def see_numbers(self, i: int, now: FloatArray) -> FloatArray:
        """Do as `see`, for `numbers`."""
        kept = self.means[i]
        shown, after = self.follow(None if kept is None else kept[None], now[None])
        self.means[i] = after[0]
        numbers: FloatArray = shown[0]
        return numbers

    def follow(self, kept: FloatArray | None, now: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the numbers of e environments, each extended by its memories, and these after it.

        kept: what each remembers, ``(e,)`` of *means*; None before their episodes. now: their
        `numbers`, ``(e, d)``. The result has ``(e, more)`` numbers, and what is kept then.
        """
        n, c, by, size = len(self._keeps), self._changes, len(self._by), now.shape[1]
        last = n + c + self._longest
        end = last + KEYS * by
        faint = end + len(self._decays)
        if kept is None or kept.shape[1:] != (faint + self._n_last, size):
            none = np.zeros((len(now), faint + self._n_last - last, size))
            none[:, KEYS * by : faint - last] = np.resize(self._usual, size)
            if self._sums is not None:
                none[:, faint - last] = self._sums.before
            kept = np.concatenate([now[:, None].repeat(last, 1), none], axis=1)
        mean, before, past = kept[:, :n], kept[:, n : n + c], kept[:, n + c : last]
        if self._longest:
            mean = mean.copy()
            if c:
                earlier = np.concatenate([past[:, -1:], before[:, :-1]], axis=1)
                before = np.where((now != past[:, -1])[:, None], earlier, before)
            for k, lag in self._lags:
                mean[:, k] = past[:, -lag]
            for k, changes in self._held:
                mean[:, k] = before[:, changes - 1]
        each = now[:, None]
        shown = np.concatenate([now, (each - mean).reshape(len(now), n * size)], axis=1)
        mean = self._keeps * mean + (1.0 - self._keeps) * each
        traces = kept[:, end:faint]
        if not (self._longest or by or traces.size or self._n_last):
            return shown, mean
        after = [mean, before]
        if self._longest:
            after += [past[:, 1:], each]
        numbers = [shown, traces.reshape(len(now), -1)] if traces.size else [shown]
        then = past[:, -1] if self._longest else now
        if by:
            held = [kept[:, k : k + KEYS] for k in range(last, end, KEYS)]
            own = self._past.own(self._n_actions)
            for key, of in zip(self._by, held, strict=True):
                places = self._past.kept_by(*key, size, self._n_actions)
                numbers.append(of[:, :, places].reshape(len(now), KEYS * len(places)))
                after.append(kept_apart(of, *key, now, then, own))
        if traces.size:
            usual = np.resize(self._usual, size)
            faded = np.maximum(self._decays * np.abs(traces - usual), np.abs(each - usual))
            after.append(usual + faded)
        if self._sums is not None:
            sums, left = self._sums.follow(kept[:, faint, 0], now, then)
            numbers.append(sums[:, None])
            after.append(np.tile(left[:, None, None], (1, 1, size)))
        if self._cues.size:
            is_cue = now[:, int(self._cues[0]), None] == self._cues[1:]
            cue = np.where(is_cue.any(axis=1), 1.0 + is_cue.argmax(axis=1), kept[:, -1, 0])
            numbers.append(cue[:, None])
            after.append(np.tile(cue[:, None, None], (1, 1, size)))
        shown = np.concatenate(numbers, axis=1) if len(numbers) > 1 else shown
        return shown, np.concatenate(after, axis=1)

    def copy(self, other: Memories) -> None:
        """Take over all that *other* remembers."""
        self.means = [None if mean is None else mean.copy() for mean in other.means]


def remembering(past: Past, cells: Features, n: int, actions: int) -> Memories | None:
    """Return what remembers for *n* environments what *cells* see; None if nothing does.

    actions: as of `Memories`.
    """
    keys = cells.keys if isinstance(cells, (HashedStates, SelectParts)) else ()
    usual = getattr(cells.of if isinstance(cells, BlockMeans) else cells, "usual", ())
    return Memories(past, n, keys, actions, usual) if past else None


def extended(rows: FloatArray, lengths: Sequence[int], past: Past, actions: int = 1) -> FloatArray:
    """Return *rows* as an agent sees them that keeps so much of the past.

    rows: observations of episodes one after the other, ``(n, d)``, with the actions and rewards
    that are seen. lengths: the number of rows of each episode. actions: as of `Memories`.
    """
    memories, kept = Memories(past, 1, actions=actions), None
    of_each = np.array(lengths, dtype=np.intp)
    shown = np.empty((len(rows), past.size(rows.shape[1], actions)))
    firsts = np.cumsum(of_each) - of_each
    firsts = firsts[np.argsort(-of_each, kind="stable")]  # the longest first
    for step in range(of_each.max(initial=0)):  # of all episodes that last so long
        now = firsts[: (of_each > step).sum()] + step
        shown[now], kept = memories.follow(None if kept is None else kept[: len(now)], rows[now])
    return shown


def shown_by_each(
    rows: FloatArray, lengths: Sequence[int], parts: Sequence[Past]
) -> list[FloatArray]:
    """Return what each part of a past adds to *rows*, ``(n, more)`` each, after a single pass.

    parts: without own actions and rewards; memories first, then what is held, then sums.
    """
    n = rows.shape[1]
    ends = np.cumsum([part.size(n, 1) - n for part in parts])[:-1]
    return np.split(extended(rows, lengths, Past.joined(parts))[:, n:], ends, axis=1)


def as_seen(play: FirstPlay, rows: FloatArray, past: Past) -> FloatArray:
    """Return every observation of a play, *rows*, as an agent with such a past sees them."""
    if past.sees_actions:
        rows = np.concatenate([rows, play.last_actions], axis=1)
    if past.sees_rewards:
        rows = np.concatenate([rows, play.last_rewards], axis=1)
    if not (past.memories or past.traces or past.keys or past.last_numbers):
        return rows
    check_places(past, rows.shape[1])
    return extended(rows, play.lengths, past, play.last_actions.shape[1])


class ObservationHistory:
    """Hold the numbers that features read, ``flat``: ``(n, n_inputs)``, for n environments.

    Without *changes*, a row is the last observation o_t. With L changes it is
    ``(o_t, o_t - o_{t-1}, ..., o_{t-L+1} - o_{t-L})``; changes before an episode are 0.
    changes: the part of flat that holds changes, a view.
    """

    def __init__(self, features: Features, changes: int, n: int) -> None:
        self.flat = np.zeros((n, features.n_inputs))
        self._features, self._n = features, changes
        self._size = features.n_inputs // (1 + changes)
        self.changes = self.flat[:, self._size :]

    def see(self, i: int, observation: Shown) -> None:
        """Take the observation of environment *i* after a step."""
        if not self._n:
            self.see_again(i, observation)
            return
        now = self._features.flat(observation)
        rows = self.flat[i].reshape(1 + self._n, self._size)
        rows[2:] = rows[1:-1].copy()  # a copy, as the slices overlap
        rows[1] = now - rows[0]
        rows[0] = now

    def see_again(self, i: int, observation: Shown) -> None:
        """Take another observation of environment *i* at the same time, without a change."""
        self.flat[i, : self._size] = self._features.flat(observation)

    def begin(self, i: int) -> None:
        """Begin an episode of environment *i*, in which nothing has changed yet."""
        if self._n:
            self.changes[i] = 0.0


def check_changes(features: Features, cells: Features, changes: int) -> None:
    """Raise DescriptionError for features that can't read an observation and its changes."""
    if not changes:
        return
    where = "agent.critic.changes"
    for name, of in (("features", features), ("cells", cells)):
        if type(of).flat is not FromNumbers.flat:
            what = f"needs {name} of a plain vector"
            raise DescriptionError(where, what, got=type(of).__name__)
    needed = (1 + changes) * cells.n_inputs
    if features.n_inputs != needed:
        what = f"needs features of the observation and its last {changes} changes"
        remedy = "a range for each of these numbers"
        raise DescriptionError(
            where, what, got=f"{features.n_inputs} numbers", limit=needed, remedy=remedy
        )
