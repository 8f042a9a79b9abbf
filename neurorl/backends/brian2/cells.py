"""Read a NeuronGroup of Brian2 as a population, with the same spikes."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from neurorl.backends.brian2.language import SPIKED_AT, own_name, statements
from neurorl.backends.brian2.reading import (
    Namespace,
    Part,
    Scope,
    dead_steps,
    method_of,
    number,
    refusal,
)
from neurorl.expressions.expression import Expression, Statement, read_statements
from neurorl.expressions.methods import METHODS, System
from neurorl.models.neurons.equations import Equations
from neurorl.network.description import Population

_LONG_AGO = 1e9  # steps since a spike that never was
_NEVER = -1e4  # seconds: Brian2's time of it


class GroupNeurons:
    """Hold the population of a group, and by variable the input that synapses add to.

    targets: the variables that they add to. Raises UnsupportedError.

    The population has the user's own equations where that is right. In Brian2 spikes arrive after
    the threshold and before the reset, and are lost at variables that are held. Where this makes a
    difference, neurons count the steps *since* their last spike, and what arrives, and the reset,
    are the beginning of the next step.
    """

    def __init__(
        self, group: Part, targets: Collection[str], namespace: Namespace, dt: float
    ) -> None:
        self._group, self._dt, equations = group, dt, group.user_equations
        if {*group.events} - {"spike"}:
            got = sorted({*group.events} - {"spike"})
            raise refusal(group, "events", "events other than spikes", got, "one threshold")
        reset = statements(group.event_codes.get("spike", ""), f"from_brian2, {group.name}, reset")
        names = {x: own_name(x) for x in sorted({*equations.diff_eq_names, *targets})}
        names |= {x: own_name(x) for x, _ in reset}
        for x in {*names} - {*equations.names}:
            raise refusal(group, "reset", f"{x!r} isn't in the equations", remedy="declare it")
        self._dead = dead_steps(group, dt, {*names, *equations.subexpr_names})
        self._live = f"since >= {'dead_steps' if self._dead.ndim else int(self._dead)}"
        special = {"not_refractory": f"({self._live})", "lastspike": SPIKED_AT}
        special = names | {x: text for x, text in special.items() if x in group.variables}
        scope = self._scope = Scope(group, namespace, special)
        self._reset = [(names[x], scope.assigned("reset", x, text)) for x, text in reset]
        in_reset = {x for x, _ in self._reset} | _names(*(text for _, text in self._reset))
        self._threshold = scope.text("threshold", group.events.get("spike", "False"))
        slopes = {x: equations[x] for x in names if x in equations.diff_eq_names}
        self._slopes = {names[x]: scope.text(x, eq.expr.code) for x, eq in slopes.items()}
        self._method = method_of(group, namespace)
        held = [names[x] for x, eq in slopes.items() if "unless refractory" in eq.flags]
        self._held = held if self._dead.any() else []
        self._initial = {names[x]: number(group.variables[x]) for x in names}
        self.inputs = {x: names[x] for x in targets}
        self._is_late = not in_reset.isdisjoint(self.inputs.values())
        if self._is_late:  # the next step's t isn't that of the spike
            late = Scope(group, namespace, special | {"t": SPIKED_AT}, scope.parameters)
            self._reset = [(names[x], late.assigned("reset", x, text)) for x, text in reset]
        read = _names(self._threshold, *self._slopes.values(), *(text for _, text in self._reset))
        self._counted = {"since", SPIKED_AT} & read
        neuron = self._plain() if self._is_plain() else self._counting()
        self.population = Population(str(group.name), int(group.N), neuron)

    def _see_held(self) -> bool:
        """Return whether a method takes variables on within a step that Brian2 holds."""
        read = _names(*(text for x, text in self._slopes.items() if x not in self._held))
        return self._method in ("exact", "heun", "rk4") and not read.isdisjoint(self._held)

    def _is_plain(self) -> bool:
        clash = self._is_late or not {*self._held}.isdisjoint(self.inputs.values())
        is_whole = bool(self._slopes) and {*self._slopes} == {*self._initial}
        return is_whole and not (self._counted or clash or self._see_held())

    def _plain(self) -> Equations:
        """Return the neuron as the user's own differential equations."""
        lines = [f"d{x}/dt = {text}" for x, text in self._slopes.items()]
        return self._made(lines, self._reset, self._method, tuple(self._held))

    def _counting(self) -> Equations:
        """Return the neuron as the update of a step, in Brian2's order."""
        lines = []
        for name, x in self.inputs.items():
            self.inputs[name] = arrived = f"arrived_{x}"
            text = f"where({self._live}, {arrived}, 0)" if x in self._held else arrived
            lines.append(f"{x} = {x} + {text}")
        if self._is_late:
            lines += [f"{x} = where(since < 1, {text}, {x})" for x, text in self._reset]
        lines += ["since = since + 1", *(f"before_{x} = {x}" for x in self._held)]
        lines += map(str, self._updates())
        lines += [f"{x} = where({self._live}, {x}, before_{x})" for x in self._held]
        self._initial["since"] = _LONG_AGO
        self._scope.parameters["dead_steps"] = self._dead
        reset = [("since", "0"), *([] if self._is_late else self._reset)]
        if SPIKED_AT in self._counted:
            self._initial[SPIKED_AT] = _NEVER
            reset = [(SPIKED_AT, "t"), *reset]
        return self._made(lines, reset)

    def _made(
        self,
        lines: list[str],
        reset: list[tuple[str, str]],
        method: str = "",
        held: tuple[str, ...] = (),
    ) -> Equations:
        read = read_statements("\n".join(lines), "equations", derivatives=True)
        used = _names(self._threshold, *(x.value.text for x in read), *(text for _, text in reset))
        return Equations(
            "\n".join(lines),
            threshold=self._threshold,
            reset="\n".join(f"{x} = {text}" for x, text in reset),
            method=method,
            parameters={name: x for name, x in self._scope.parameters.items() if name in used},
            initial=self._initial,
            refractory=np.maximum(self._dead - 1, 0) * self._dt,
            held=held,
            inputs=tuple(self.inputs.values()),
        )

    def _updates(self) -> tuple[Statement, ...]:
        """Return the lines of a step that solve the equations."""
        slopes = dict(self._slopes)
        if any(name.split("_")[0] == "xi" for name in _names(*slopes.values())):
            what, remedy = "noise beside spikes that arrive at what is reset", "another variable"
            raise refusal(self._group, "xi", what, remedy=remedy)
        if self._method == "exact" and self._see_held():
            what, remedy = "exact, though others see what is held", "method='euler' or 'rk4'"
            raise refusal(self._group, "method", what, remedy=remedy)
        if self._method == "rk4":
            slopes |= {x: f"where({self._live}, {slopes[x]}, 0)" for x in self._held}
        lines = [Statement(x, Expression(text), True) for x, text in slopes.items()]
        if not lines:
            return ()
        system = System([], lines, self._scope.parameters, self._dt, ("t",))
        updates = METHODS[self._method](system)
        self._scope.parameters |= {name: np.asarray(x) for name, x in updates.constants.items()}
        return updates.statements


def _names(*texts: str) -> set[str]:
    return {name for text in texts for name in Expression(text).names}
