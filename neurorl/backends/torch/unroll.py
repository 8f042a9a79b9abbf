"""Run a network once over a window, as many steps at once as its delays allow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from neurorl.backends.torch.estimators import Estimator, Score
from neurorl.backends.torch.inputs import Batch, ModuleState
from neurorl.backends.torch.node import Emitted, TensorNode
from neurorl.backends.torch.synapses import Listed, Path, Sent, transmit
from neurorl.network.description import Network, reached_by


def groups(network: Network) -> list[tuple[str, ...]]:
    """Return the populations in groups, each group after those that lead to it.

    Populations of one group lead to one another, so they advance together, step by step. A
    population that doesn't lead back to itself is a group of its own.
    """
    names = [p.name for p in network.populations]
    reaches = {name: _reached(network, name) for name in names}
    before = {name: {other for other in names if name in reaches[other]} for name in names}
    ordered: list[tuple[str, ...]] = []
    for name in sorted(names, key=lambda name: len(before[name] | {name})):
        mutual = tuple(k for k in names if k == name or (k in before[name] and k in reaches[name]))
        if mutual not in ordered:
            ordered.append(mutual)
    return ordered


def _reached(network: Network, name: str) -> set[str]:
    """Return what spikes of a population can reach; gap junctions step together."""
    ends = [(p.pre, p.post) for p in network.projections]
    return reached_by(name, ends + [(p.post, p.pre) for p in network.projections if p.gap])


class Unroll:
    """Compute the spikes of all nodes in a window, group by group.

    cells: the populations, and the sources whose spikes release less than all.
    sent: the transmitted weights of each path of spikes, and of gap junctions.
    batch: inputs of the window.
    state: state before the window.
    bias: by population, in force.

    spikes: by node, the raster of the window, as far as it is known.
    """

    def __init__(
        self,
        cells: Mapping[str, TensorNode],
        sent: Mapping[Path, Sent],
        batch: Batch,
        state: ModuleState,
        bias: Mapping[str, Tensor],
    ) -> None:
        self._cells, self._batch, self._bias = cells, batch, bias
        self._sent = {s: weights for s, weights in sent.items() if s.delay}
        self._gaps = {s: w for s, w in sent.items() if not s.delay and isinstance(w, Listed)}
        self._before, self._carried = state, dict(state.cells)
        self.spikes: dict[str, Tensor] = dict(batch.spikes)
        self._released: dict[tuple[str, str], Tensor] = {}
        for name, given in batch.spikes.items():
            if name in cells:
                emitted = cells[name].run({}, None, state.cells[name], None, Score(), given)
                self._carried[name] = emitted.carried
                self._released |= {(name, x): sent for x, sent in emitted.released.items()}

    def run(
        self, group: tuple[str, ...], noise: Mapping[str, Tensor], estimator: Estimator
    ) -> None:
        """Emit the spikes of a group whose inputs from outside are all known.

        Spikes that come back only after the window count as known: the window doesn't need them.
        The group runs for as many steps at once as its spikes take at least to come back.
        """
        within = [s for s in self._sent if s.post in group and s.pre in group]
        inner = [s for s in within if s.delay < self._batch.n_steps]
        gaps = [g for g in self._gaps if g.post in group]
        size = min([self._batch.n_steps, *(s.delay for s in inner), *(1 for _ in gaps)])
        outer = {
            (name, x): _parts(q, size)
            for name in group
            for x, q in self._drive(name, without=inner).items()
        }
        driven = {key: _parts(x, size) for key, x in (self._batch.driven or {}).items()}
        draws = {k: _parts(self._cells[k].draws(noise[k]), size) for k in group if k in noise}
        series = {s: _parts(self._past(s), 1) for s in inner}
        emitted: dict[str, list[Emitted]] = {name: [] for name in group}
        for k in range(-(-self._batch.n_steps // size)):
            v = {name: self._carried[name].variables for name in group}
            coupled = {
                g: self._gaps[g].coupled(*(v[x][str(g.release)] for x in g[1:3])) for g in gaps
            }
            for name in group:
                cells = self._cells[name]
                q = {x: outer[name, x][k] for x in cells.node.inputs}
                for s in (s for s in inner if s.post == name):
                    n_steps = q[s.target].shape[1]
                    sent = series[s][len(series[s]) - s.delay :][:n_steps]
                    q[s.target] = q[s.target] + transmit(_joined(sent, 1), self._sent[s])
                q |= {x: q[x] + driven[cells.node.drive(x)][k] for x in cells.node.driven}
                for g in (g for g in gaps if g.post == name):
                    q[g.target] = q[g.target] + coupled[g].unsqueeze(1).to(q[g.target].dtype)
                drawn = draws[name][k] if name in draws else None
                part = cells.run(q, self._bias[name], self._carried[name], drawn, estimator)
                self._carried[name] = part.carried
                emitted[name].append(part)
            for s, past in series.items():
                last = emitted[s.pre][-1]
                past += _parts(last.released[s.release] if s.release else last.spikes, 1)
        for name, parts in emitted.items():
            self.spikes[name] = _joined([part.spikes for part in parts], 1)
            for x in parts[0].released:
                self._released[name, x] = _joined([part.released[x] for part in parts], 1)

    def replay(self, name: str) -> tuple[Tensor, Tensor | None]:
        """Replay a population, see `TensorNode.replay`; all spikes must be known."""
        drive, carried = self._drive(name), self._carried[name]
        node, driven = self._cells[name].node, self._batch.driven or {}
        drive |= {x: drive[x] + driven[node.drive(x)] for x in node.driven}
        return self._cells[name].replay(drive, self._bias[name], carried, self.spikes[name])

    def after(self) -> ModuleState:
        """Return the state after the window."""
        spikes = {k: _last(past, self.spikes[k]) for k, past in self._before.spikes.items()}
        before = self._before.released
        released = {
            release.projection: _last(before[release.projection], self._sent_by(name, x))
            for name, cells in self._cells.items()
            for x, release in cells.node.releases.items()
        }
        return ModuleState(self._carried, spikes, released)

    def _past(self, s: Path) -> Tensor:
        """Return what left the presynaptic node before the window: spikes, or what they release."""
        return self._before.released[s.projection] if s.release else self._before.spikes[s.pre]

    def _now(self, s: Path) -> Tensor:
        """Return the same in the window."""
        return self.spikes[s.pre] if s.release is None else self._sent_by(s.pre, s.release)

    def _sent_by(self, name: str, variable: str) -> Tensor:
        """Return what the spikes of a node released in the window."""
        if (name, variable) not in self._released:  # the spikes are given
            released = self._cells[name].released_by(self.spikes[name], self._carried[name])
            self._released |= {(name, x): sent for x, sent in released.items()}
        return self._released[name, variable]

    def _drive(self, post: str, without: Collection[Path] = ()) -> dict[str, Tensor]:
        """Return what arrives at each input of a population in all steps, from all spikes known.

        without: paths to leave out.
        """
        q: dict[str, Tensor] = {}
        for s in self._sent:
            if s.post == post and s not in without:
                arrived = transmit(self._arrived(s), self._sent[s])
                q[s.target] = q[s.target] + arrived if s.target in q else arrived
        rest, n_steps = self._before.spikes[post], self._batch.n_steps
        for x in self._cells[post].node.inputs:
            if (post, x) in self._batch.given:
                q[x] = self._batch.given[post, x]
            elif x not in q:
                q[x] = rest.new_zeros(len(rest), n_steps, *rest.shape[2:])
        return q

    def _arrived(self, s: Path) -> Tensor:
        """Return the presynaptic node's spikes *delay* steps before each step."""
        past, n_steps = self._past(s), self._batch.n_steps
        first = past.shape[1] - s.delay
        if s.delay >= n_steps:  # those of this window may not be known yet
            return past[:, first : first + n_steps]
        return torch.cat([past[:, first:], self._now(s)[:, : n_steps - s.delay]], dim=1)


def _last(past: Tensor, now: Tensor) -> Tensor:
    """Return the last steps of *past* and *now*, as many as *past* has."""
    n = past.shape[1]
    recent = now if now.shape[1] >= n else torch.cat([past, now], dim=1)
    return recent[:, -n:]


def _parts(x: Tensor, n_steps: int) -> list[Tensor]:
    """Return a window in parts of so many steps, the last of those that are left."""
    if n_steps == 1:
        return [step.unsqueeze(1) for step in x.unbind(1)]
    if n_steps >= x.shape[1]:
        return [x]
    return [x[:, t : t + n_steps] for t in range(0, x.shape[1], n_steps)]


def _joined(parts: Sequence[Tensor], dim: int) -> Tensor:
    """Return tensors joined along *dim*; one alone isn't copied."""
    return torch.cat(list(parts), dim=dim) if len(parts) > 1 else parts[0]
