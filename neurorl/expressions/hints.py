"""Say what to write for names and functions of Brian2, NESTML and NumPy that aren't here."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

INPUT = (
    "what changes in time arrives at an input: spikes, or a source of kind 'current', "
    "given in each call of step"
)
"""Say how a neuron gets values from outside."""

_NOISE = (
    "a neuron's dx/dt may have xi, white noise, its formulas rand, from 0 to 1, without brackets, "
    "and Equations(noise=...) draws at the threshold; "
    "other noise arrives at an input, as spikes or by a source of kind 'current'"
)
_OWN_NUMBER = "give each neuron its own number as a parameter, an array (size,)"
_STEPS = "write floor(x/dt + 0.5)"
_NO_INVERSE = "there is none; as a table of values it can be a parameter or an input"
_DEAD = "say refractory=... and held=... of Equations"
_SYNAPSE = "give the current an equation of its own, di/dt = -i/tau, with inputs=('i',)"

_DRAWS = "rand randn xi poisson random random_normal random_uniform random_poisson normal uniform"
ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(_DRAWS.split(), _NOISE),
    **dict.fromkeys(["TimedArray", "stim", "stimulus", "inject"], INPUT),
    **dict.fromkeys(["i", "j", "N"], _OWN_NUMBER),
    **dict.fromkeys(["asin", "acos", "atan", "arcsin", "arccos", "arctan", "erf"], _NO_INVERSE),
    **dict.fromkeys(["timestep", "steps", "t_in_timesteps"], _STEPS),
    **dict.fromkeys(["lastspike", "not_refractory", "unless"], _DEAD),
    **dict.fromkeys(["convolve", "delta"], _SYNAPSE),
    "t": "only a neuron's equations, threshold and reset have it",
    "dt": "only a neuron's equations have dt; write its number",
    "tan": "write sin(x)/cos(x)",
    "ceil": "write -floor(-x)",
    "int": "write floor(x), or where(condition, 1, 0)",
    "bool": "compare it, such as x > 0",
    "float": "every value is a float; where(condition, 1, 0) makes one of a condition",
    "round": "write floor(x + 0.5)",
    "rint": "write floor(x + 0.5)",
    "mod": "write x - y*floor(x/y)",
    "pow": "write x**2, or exp(y*log(x))",
    "square": "write x**2",
    "heaviside": "write where(x > 0, 1, 0)",
    "expm1": "write exp(x) - 1",
    "exprel": "write where(x == 0, 1, (exp(x) - 1)/x)",
    "ln": "write log(x)",
    "log1p": "write log(1 + x)",
    "log2": "write log(x)/log(2)",
    "log10": "write log(x)/log(10)",
    "sinh": "write (exp(x) - exp(-x))/2",
    "cosh": "write (exp(x) + exp(-x))/2",
    "minimum": "write min(a, b)",
    "maximum": "write max(a, b)",
    "fabs": "write abs(x)",
    "pi": "write 3.141592653589793",
    "inf": "write 1e308",
    "resolution": "the step in seconds is dt",
    "emit_spike": "a neuron spikes where its threshold holds: say threshold=...",
    "integrate_odes": "say method=... of Equations",
}
"""Map each foreign name to what to do instead."""

_NEAR = 0.66  # similarity of `difflib`: one wrong letter of three, or two of six


def hint(name: str, known: Collection[str]) -> str | None:
    """Return what to do about an unknown name; None if only the known names can be listed.

    A name spelled much like one of the *known* names is taken for it.
    """
    if name in ELSEWHERE:
        return f"it isn't in the language: {ELSEWHERE[name]}"
    near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
    return f"did you mean {near[0]!r}?" if near else None
