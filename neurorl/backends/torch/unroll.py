"""Run a network once over a window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from neurorl.backends.torch.cells import Cells
from neurorl.backends.torch.estimators import Estimator
from neurorl.backends.torch.inputs import Batch
from neurorl.backends.torch.state import ModuleState, Released
from neurorl.backends.torch.synapses import Path, Synapses, shifted, transmit
from neurorl.backends.torch.together import Inner, Member, fire_together

__all__ = ["Unroll"]


class Unroll:
    """Compute the spikes of all nodes in a window, group by group.

    cells: the populations.
    synapses: all projections.
    batch: inputs of the window.
    state: state before the window.
    bias: rounded, by population; None computes it from weights and currents.

    spikes: by node, the raster of the window, as far as it is known.
    """

    def __init__(
        self,
        cells: Mapping[str, Cells],
        synapses: Sequence[Synapses],
        batch: Batch,
        state: ModuleState,
        bias: Mapping[str, Tensor] | None = None,
    ) -> None:
        self._cells = cells
        self._batch = batch
        self._before = state
        self._carried = dict(state.cells)
        self.spikes: dict[str, Tensor] = dict(batch.spikes)
        quanta = {s.name: s.quanta() for s in synapses if bias is None or not s.is_current}
        sent = [pair for s in synapses if not s.is_current for pair in s.paths(quanta[s.name])]
        self._synapses = [path for path, _ in sent]
        self._short_term = {
            s.name: (s.pre, s.short_term) for s in synapses if s.short_term is not None
        }
        self._released: dict[str, tuple[Tensor, Released]] = {}
        self._sent = {path.name: weight for path, weight in sent}
        self._bias = bias or {name: self._bias_of(name, synapses, quanta) for name in cells}

    def run(
        self, group: tuple[str, ...], noise: Mapping[str, Tensor], estimator: Estimator
    ) -> None:
        """Emit the spikes of a group whose inputs from outside are all known.

        Spikes that come back only after the window count as known: the window doesn't need them.
        """
        soon = [s for s in self._synapses if s.delay < self._batch.n_steps]
        inner = [s for s in soon if s.post in group and s.pre in group]
        matrices = [w for s in inner if isinstance(w := self._sent[s.name], Tensor)]
        is_plain = len(matrices) == len(inner) and not any(s.releasing for s in inner)
        if inner and is_plain and all(self._cells[name].compiles(estimator) for name in group):
            self._run_compiled(group, inner, matrices, noise, estimator)
            return
        if inner or len(group) > 1:
            self._run_together(group, inner, noise, estimator)
            return
        (name,) = group
        self.spikes[name], self._carried[name] = self._cells[name].run(
            self._drive(name), self._bias[name], self._carried[name], noise.get(name), estimator
        )

    def replay(self, name: str) -> tuple[Tensor, Tensor | None]:
        """Replay a population, see `Cells.replay`; all spikes must be known."""
        return self._cells[name].replay(
            self._drive(name), self._bias[name], self._carried[name], self.spikes[name]
        )

    def after(self) -> ModuleState:
        """Return the state after the window."""
        kept = {}
        for name, past in self._before.spikes.items():
            spikes = self.spikes[name]
            n = past.shape[1]
            recent = spikes if spikes.shape[1] >= n else torch.cat([past, spikes], dim=1)
            kept[name] = recent[:, -n:]
        released = {name: self._release(name)[1] for name in self._short_term}
        return ModuleState(self._carried, kept, released)

    def _release(self, projection: str) -> tuple[Tensor, Released]:
        """Return what the spikes of the window release, and the state after it."""
        if projection not in self._released:
            pre, short_term = self._short_term[projection]
            before = self._before.released[projection]
            self._released[projection] = short_term.run(before, self.spikes[pre])
        return self._released[projection]

    def _past(self, s: Path) -> Tensor:
        """Return what left the presynaptic node before the window: spikes, or what they release."""
        return (
            self._before.released[s.releasing].past if s.releasing else self._before.spikes[s.pre]
        )

    def _now(self, s: Path) -> Tensor:
        """Return the same in the window."""
        return self._release(s.releasing)[0] if s.releasing else self.spikes[s.pre]

    def _run_compiled(
        self,
        group: tuple[str, ...],
        inner: list[Path],
        sent: list[Tensor],
        noise: Mapping[str, Tensor],
        estimator: Estimator,
    ) -> None:
        """Run a group in C++, see `_run_together`."""
        members = [
            Member(
                self._cells[name].constants,
                self._drive(name, without=inner),
                self._bias[name],
                self._carried[name],
                self._before.spikes[name],
                noise.get(name),
            )
            for name in group
        ]
        among = [Inner(group.index(s.pre), group.index(s.post), s.delay) for s in inner]
        results = fire_together(members, among, sent, estimator)
        for name, (spikes, carried) in zip(group, results, strict=True):
            self.spikes[name], self._carried[name] = spikes, carried

    def _run_together(
        self,
        group: tuple[str, ...],
        inner: list[Path],
        noise: Mapping[str, Tensor],
        estimator: Estimator,
    ) -> None:
        """Run a group step by step, each population from the spikes of the steps before.

        inner: projections within the group whose spikes arrive in this window.
        """
        outer = {name: self._drive(name, without=inner).unbind(1) for name in group}
        series = {name: list(self._before.spikes[name].unbind(1)) for name in group}
        left = {s.releasing: self._before.released[s.releasing] for s in inner if s.releasing}
        sent = {name: list(state.past.unbind(1)) for name, state in left.items()}
        first = {name: len(spikes) for name, spikes in series.items()}
        jitter = {k: self._cells[k].jitter(noise.get(k)) for k in group}
        for t in range(self._batch.n_steps):
            for name in group:
                q = outer[name][t]
                for s in inner:
                    if s.post == name:
                        x = (
                            sent[s.releasing][-s.delay]
                            if s.releasing
                            else series[s.pre][first[s.pre] + t - s.delay]
                        )
                        q = q + self._cells[name].place(transmit(x, self._sent[s.name]), s.target)
                draw = jitter[name]
                jolt = None if draw is None else draw[:, t]
                spikes, self._carried[name] = self._cells[name].step(
                    q, self._bias[name], self._carried[name], jolt, estimator
                )
                series[name].append(spikes)
            for name, state in left.items():
                pre, short_term = self._short_term[name]
                now, left[name] = short_term.step(state, series[pre][-1])
                sent[name].append(now)
        for name in group:
            self.spikes[name] = torch.stack(series[name][first[name] :], dim=1)
        for name, state in left.items():
            whole = torch.stack(sent[name][-self._batch.n_steps :], dim=1)
            self._released[name] = whole, self._short_term[name][1].after(state, whole)

    def _drive(self, post: str, without: Iterable[Path] = ()) -> Tensor:
        """Return the input q of a population in all steps, from all spikes that are known.

        without: projections to leave out.
        """
        left_out = {s.name for s in without}
        into = [s for s in self._synapses if s.post == post and s.name not in left_out]
        # One product over all sources is quicker than one for each.
        matrices = {
            s.name: w for s in into if isinstance(w := self._sent[s.name], Tensor) and w.dim() == 3
        }
        joined = [s for s in into if s.pre in self._batch.spikes and s.name in matrices]
        if len({s.target for s in into}) > 1:
            joined = []
        place = self._cells[post].place
        parts = [place(self._delayed(s), s.target) for s in into if s not in joined]
        if joined:
            x = _side_by_side([self._arrived(s) for s in joined], dim=-1)
            arrived = transmit(x, _side_by_side([matrices[s.name] for s in joined], dim=1))
            parts.append(place(arrived, joined[0].target))
        if not parts:
            rest = self._before.cells[post].u
            return rest.new_zeros(len(rest), self._batch.n_steps, *rest.shape[1:])
        return sum(parts[1:], parts[0])

    def _arrived(self, s: Path) -> Tensor:
        """Return the presynaptic node's spikes *delay* steps before each step."""
        past = self._past(s)
        if s.delay >= self._batch.n_steps:  # those of this window may not be known yet
            first = past.shape[1] - s.delay
            return past[:, first : first + self._batch.n_steps]
        return shifted(past, self._now(s), s.delay)

    def _delayed(self, s: Path) -> Tensor:
        """Return the input through one projection in all steps.

        Shifting by the delay comes before or after the product, wherever the rows are shorter.
        """
        weight = self._sent[s.name]
        past = self._past(s)
        late = s.delay >= self._batch.n_steps
        if late or self._cells[s.post].size >= past.shape[-1]:
            return transmit(self._arrived(s), weight)
        return shifted(transmit(past, weight), transmit(self._now(s), weight), s.delay)

    def _bias_of(
        self, name: str, synapses: Sequence[Synapses], quanta: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the rounded bias, including currents and the input of silent signed units."""
        bias = self._cells[name].bias
        into = [s for s in synapses if s.post == name]
        for s in into:
            if s.signed:
                bias = bias + s.offset(quanta[s.name])
        flow = [
            transmit(self._batch.currents[s.pre], s.transmitted(quanta[s.name]))
            for s in into
            if s.is_current
        ]
        if flow:
            bias = bias + sum(flow[1:], flow[0])
        return self._cells[name].rounded_bias(bias)


def _side_by_side(parts: Sequence[Tensor], dim: int) -> Tensor:
    """Return tensors joined along *dim*; one alone isn't copied."""
    return torch.cat(list(parts), dim=dim) if len(parts) > 1 else parts[0]
