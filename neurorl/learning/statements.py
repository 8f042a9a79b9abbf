"""Let an agent's synapses learn by rules of statements, `neurorl.rules.SynapseRule`.

Once an action is chosen, the rule runs through the window that led to it: its signals, such as phi
of that action, hold in all of its steps. When the environment has answered, ``on_reward`` hears the
modulator, within its limit and times the schedule's factor. Variables go on from one decision to
the next, as if no time passed between windows, and begin again with each episode; spikes on their
way go on where the agent ``carries``. Weights are in force from the next decision on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from neurorl.arithmetic.rounding import Rounding
from neurorl.backends.base import Raster
from neurorl.backends.checks import Inputs
from neurorl.learning.finite import NotFiniteError
from neurorl.learning.memory import Memory
from neurorl.learning.plan import ByStatements, LearningPlan
from neurorl.learning.synapse_events import SynapseEvents, Wiring
from neurorl.learning.synapses import SynapseMemory
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.rules import Decision, HiddenLayer
from neurorl.rules.decision import Broadcast
from neurorl.rules.post_factor import value_of

_UNUSED = Rounding(1.0, 1.0, 1.0, 1.0)  # as an agent's loop brings weights into force


class Statements:
    """Run rules of statements on one agent's `Memory`. replica: for errors."""

    def __init__(
        self, plan: LearningPlan, memory: Memory, synapses: SynapseMemory, replica: int
    ) -> None:
        self._plan, self._memory, self._synapses, self._replica = plan, memory, synapses, replica
        self._events = [(one, self._events_of(one)) for one in plan.statements]

    def window(
        self, inputs: Inputs, rasters: Mapping[str, Raster], action: int | Broadcast, policy: Array
    ) -> None:
        """Make the steps of a window. action, policy: what came of it, as `Learner.remember`."""
        spikes = {**inputs, **rasters}
        told = action if isinstance(action, Broadcast) else Broadcast.of(action, policy)
        for one, events in self._events:
            signals = self._signals(one, spikes, told) if one.rule.signals else {}
            came = self._synapses.arrived(one.into, spikes[one.into.pre], len(spikes[one.name]))
            arrived = dict(zip(one.into.delays, (x != 0.0 for x in came), strict=True))
            self._take(one, events)
            events.window(arrived, spikes[one.name], signals)
            self._keep(one, events)

    def reinforce(self, third: Callable[[str], float]) -> None:
        """Run the lines ``on_reward``. third: return the modulator of a name."""
        for one, events in self._events:
            if one.rule.events["on_reward"]:
                self._take(one, events)
                events.reward({x: np.array([third(x)]) for x in one.rule.modulators})
                self._keep(one, events)

    def _events_of(self, one: ByStatements) -> SynapseEvents:
        p, network = one.into, self._plan.network
        wiring, weights = Wiring.of(network, network.projection(p.name), 1), self._memory.weights
        bounds = (p.low, p.high)
        return SynapseEvents(one.rule, wiring, weights[p.name].ravel(), bounds, _UNUSED, network.dt)

    def _signals(self, one: ByStatements, spikes: Inputs, told: Broadcast) -> dict[str, FloatArray]:
        """Return what is broadcast to the neurons, ``(1, n)`` for a window or ``(W, n)``."""
        decision = Decision(told.action, told.phi, spikes["output"], one.first, t=told.t)
        signs = self._memory.signs.get(one.name, np.ones(one.size))
        in_modules = one.name in self._plan.in_modules
        layer = HiddenLayer(spikes[one.name], one.first, one.lag, signs, in_modules=in_modules)
        values = {x: np.atleast_2d(value_of(x, decision, layer)) for x in one.rule.signals}
        return {
            x: np.broadcast_to(value.astype(np.float64), (len(value), one.size))
            for x, value in values.items()
        }

    def _take(self, one: ByStatements, events: SynapseEvents) -> None:
        """Let a rule go on from what memory has, which others may have changed."""
        for values, held in self._pairs(one, events):
            values[:] = held.ravel()

    def _keep(self, one: ByStatements, events: SynapseEvents) -> None:
        for values, held in self._pairs(one, events):
            if not np.isfinite(values).all():
                raise NotFiniteError(self._replica, None)
            held[...] = values.reshape(held.shape)

    def _pairs(
        self, one: ByStatements, events: SynapseEvents
    ) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield each array of a rule with that of memory."""
        yield events.weights, self._memory.weights[one.into.name]
        for x, values in events.variables.items():
            yield values, self._memory.variables[f"{x}.{one.into.name}"]
