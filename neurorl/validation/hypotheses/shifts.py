"""Propose what a simulator of Xylo's integers may get wrong: shifts, saturation, spikes, weights.

Each hypothesis is another text of some lines of the program in `neurorl.program.xylo`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from neurorl.arithmetic.xylo_integers import DECAY_MAX, MANTISSA_MAX, STATE_MAX
from neurorl.expressions.expression import Expression
from neurorl.expressions.nodes import TEXT, Node, render
from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence, Steps
from neurorl.validation.hypotheses.arrivals import by_node, otherwise
from neurorl.validation.hypotheses.noise import simplest
from neurorl.validation.observed import Mask, Observed
from neurorl.validation.rewriting import (
    Change,
    after,
    before,
    calling,
    chained,
    line,
    reading,
    setting,
    with_constants,
)
from neurorl.validation.variants import Variant, silence_after_reset

_LOST = "max(min({x}, 1), floor({x}*lost_{y}))"
"""State what a step takes off x; y names whose shift it is, of the current u or membrane v."""

_DECAYS = {
    "have no least step of 1: small numbers stay": "floor({x}*lost_{y})",
    "are rounded towards zero": "trunc({x}*lost_{y})",
    "are rounded towards zero, by 1 at least": (
        "sign({x})*max(min(abs({x}), 1), floor(abs({x})*lost_{y}))"
    ),
    "are rounded to the nearest": "floor({x}*lost_{y} + 0.5)",
    "are rounded to the nearest, by 1 at least": "max(min({x}, 1), floor({x}*lost_{y} + 0.5))",
    "are rounded away from zero": "sign({x})*(0 - floor(0 - abs({x})*lost_{y}))",
    "multiply by a factor and round down, and aren't shifts": "{x} - floor({x}*kept_{y})",
    "multiply by a factor and round to zero, and aren't shifts": "{x} - trunc({x}*kept_{y})",
    "multiply by a factor and round, and aren't shifts": "{x} - floor({x}*kept_{y} + 0.5)",
    "are missing: nothing is lost": "0",
    "lose everything": "{x}",
}
_OF = {"u": "decays of the current", "v": "decays of the membrane"}
_VARIABLES = {"u": "current", "v": "voltage"}


def _lost(text: str, x: str, of: str = "") -> str:
    return text.format(x=f"({of or x})", y=x)


def _decaying(text: str, names: Sequence[str]) -> Change:
    lines = {"u": f"u = u - {_lost(text, 'u')}", "v": f"back = 0 - {_lost(text, 'v')}"}
    return chained(*(line("back" if x == "v" else x, lines[x]) for x in names))


def _each(names: str = "uv") -> Iterator[tuple[str, str]]:
    """Yield both names, then each, with words."""
    yield names, "decays"
    yield from ((x, _OF[x]) for x in names)


def decays(evidence: Evidence) -> Iterator[Variant]:
    """Propose other roundings of decays, factors in place of shifts, and other shifts."""
    d = evidence.population.integrator(evidence.network.dt)
    described = {"kept_u": d.current_decay, "kept_v": d.membrane_decay}
    lost = {y: evidence.constant(f"lost_{y}") for y in "uv"}
    factors = ({f"kept_{y}": 1 - x for y, x in lost.items()}, described)
    for names, subject in _each():
        for detail, text in _DECAYS.items():
            for kept in factors[: 1 + ("kept" in text)]:
                change = chained(with_constants(**kept), _decaying(text, names))
                yield Variant("decay", f"{subject} {detail}", change)
        for more in (1, -1, 2, -2, 3, -3):
            way = f"{abs(more)} {'more' if more > 0 else 'less'}"
            shifted = {f"lost_{y}": np.minimum(lost[y] * 2.0**-more, 1.0) for y in names}
            detail = f"shifts of {subject} are {way} than described"
            yield Variant("decay", detail, with_constants(**shifted))
    other = with_constants(lost_u=lost["v"], lost_v=lost["u"])
    yield Variant("decay", "current and membrane have each other's shifts", other)
    fitted: list[Change] = []
    for y, subject in _OF.items():
        shifts = {s: with_constants(**{f"lost_{y}": 2.0**-s}) for s in range(DECAY_MAX + 1)}
        chosen = _of_each(evidence, shifts, _VARIABLES[y])
        if chosen is not None:
            values, first = _merged(-np.log2(lost[y]), chosen)
            fitted.append(with_constants(**{f"lost_{y}": 2.0**-values}))
            detail = f"shifts of {subject} are others: {first}"
            yield Variant("decay", detail, fitted[-1], 2)
    if len(fitted) > 1:
        yield Variant("decay", "shifts of all decays are others", chained(*fitted), 2)


def _of_each(
    evidence: Evidence, changes: Mapping[int, Change], variable: str
) -> dict[int, int] | None:
    """Return the first of some changes that explains each neuron's deviations, by its number.

    None if one of the neurons that deviate in a variable has none.
    """
    steps, found = Steps(evidence), dict[int, int]()
    odd = steps.odd[variable]
    neurons = np.flatnonzero(odd.any(axis=0)).tolist()
    for number, change in changes.items():
        now = evidence.in_one_step(Variant("", "", change), steps.calls)
        wrong = ((now[variable] != steps.now[variable]) & odd).any(axis=0)
        for j in neurons:
            if not wrong[j]:
                found.setdefault(j, number)
    return found if found and len(found) == len(neurons) else None


def _merged(described: Array, chosen: Mapping[int, int]) -> tuple[Array, str]:
    """Return the numbers of all neurons, and words for the first that differs."""
    values = described.copy()
    values[list(chosen)] = list(chosen.values())
    j = next(iter(chosen))
    return values, f"of neuron {j} {values[j]:g}, not {described[j]:g}"


_CURRENT = "the sum of the current"
_PLACES = {
    "u": _CURRENT,
    "driven": "the sum of decay and current",
    "change": "the sum of these and bias",
    "level": "the sum of the membrane",
}
_WHERE = [x for n in (4, 1, 2, 3) for x in itertools.combinations(_PLACES, n)]
_WIDTHS = (*range(15, 7, -1), *range(17, 25))


def saturations(evidence: Evidence) -> Iterator[Variant]:
    """Propose sums that don't saturate, wrap, or saturate elsewhere or at other numbers."""
    for places in _WHERE:
        subject = "sums" if len(places) == 4 else " and ".join(_PLACES[x] for x in places)
        don_t = "don't" if len(places) > 1 else "doesn't"
        yield _saturating(f"{subject} {don_t} saturate", places, "{x}")
        wraps = _wrapping(16)
        yield _saturating(f"{subject} wrap{'s' * (len(places) == 1)} around", places, wraps)
        if len(places) in (1, 4):
            for bits in _WIDTHS:
                text = f"clip({{x}}, {-(2 ** (bits - 1))}, {2 ** (bits - 1) - 1})"
                detail = f"{subject} saturate{'s' * (len(places) == 1)} at {bits} bits, not 16"
                yield _saturating(detail, places, text)
            text = f"clip({{x}}, {-STATE_MAX}, {STATE_MAX})"
            yield _saturating(f"{subject} saturates at {-STATE_MAX}, not below", places, text)
    ends = f"{-STATE_MAX - 1}, {STATE_MAX}"
    for detail, change in {
        "the current saturates once in a step, not at each weight": chained(
            setting(limits=None), before(f"u = clip(u, {ends})")
        ),
        "what arrives in a step saturates first by itself, then the current": chained(
            setting(limits=None), before(f"u = clip(was_u + clip(arrived_u, {ends}), {ends})")
        ),
        "decay, current and bias are added to the membrane, and saturate, one by one": chained(
            line("driven", f"driven = clip(v + back, {ends})"),
            line("change", f"change = clip(driven + u, {ends})"),
            line("level", f"level = clip(change + bias, {ends})"),
        ),
        "the bias is added before the current, in sums that saturate": chained(
            line("driven", f"driven = clip(back + bias, {ends})"),
            line("change", f"change = clip(driven + u, {ends})"),
        ),
    }.items():
        yield Variant("saturation", detail, change)
    for subject, subject_line in (("the membrane", "level"), ("the current", "u")):
        low = after if subject_line == "u" else partial(_following, subject_line)
        floor = low(f"{subject_line} = max({subject_line}, 0)")
        yield Variant("floor", f"{subject} has a floor: it never goes below 0", floor)


def _following(name: str, text: str) -> Change:
    return lambda n: line(name, f"{_text_of(n, name)}; {text}")(n)


def _text_of(node: object, name: str) -> str:
    return str(next(x for x in node.update if x.variable == name))  # type: ignore[attr-defined]


def _wrapping(bits: int) -> str:
    return f"{{x}} - {2**bits}*floor({{x}}/{2**bits} + 0.5)"


def _saturating(detail: str, places: Sequence[str], text: str) -> Variant:
    """Return a variant in which the clips of some sums are another formula of x."""

    def become(arguments: tuple[Node, ...]) -> Node:
        inner = render(arguments[0], TEXT)
        return Expression(text.format(x=f"({inner})")).tree

    changes = [calling("clip", become, [x for x in places if x != "u"])] if places != ("u",) else []
    if "u" in places:
        found = text.replace("clip({x}, ", "").rstrip(")").split(", ")
        if text.startswith("clip"):
            changes.append(setting(limits=(float(found[0]), float(found[1]))))
        else:
            changes += [setting(limits=None), before(f"u = {text.format(x='u')}")]
    return Variant("saturation", detail, chained(*changes))


_COUNT = "floor((level + 0.5)*inverse)"
_ALL = "several spikes"
_RESETS = {
    "": "v = level - count*threshold",
    ", and take off all that the membrane is worth": f"v = level - threshold*max({_COUNT}, 0)",
    ", and take off what as many as described would": (
        f"v = level - threshold*clip({_COUNT}, 0, most)"
    ),
    ", and take the threshold off once": "v = level - min(count, 1)*threshold",
    ", and reset the membrane to 0": "v = where(count > 0, 0, level)",
}


def spikes(evidence: Evidence) -> Iterator[Variant]:
    """Propose other limits of the spikes of a step, and what several of them transmit."""
    (described,) = (float(x) for x in _most(evidence))
    most = with_constants(most=described)
    for limit in _limits(evidence, described):
        told = f"neurons spike up to {limit:.0f} times in a step" if limit < 1e6 else "no limit"
        for more, reset in _RESETS.items():
            lines = line("count", f"count = clip({_COUNT}, 0, {limit:.0f})"), line("v", reset)
            detail = f"{told}, not {described:.0f}{more}"
            freedom = int("threshold once" in more or "to 0" in more)  # two changes
            yield Variant(_ALL, detail, chained(most, *lines), freedom)
    for size in (8, 16, 32, 64):
        wrapped = f"full - {size}*floor(full/{size})"
        lines = line("count", f"full = max({_COUNT}, 0); count = {wrapped}"), line("v", _RESETS[""])
        yield Variant(_ALL, f"the number of spikes wraps around at {size}", chained(*lines))
        full = line("v", "v = level - full*threshold")
        detail = f"the number of spikes that are sent wraps around at {size}"
        yield Variant(_ALL, detail, chained(*lines[:1], full))
    for chosen, subject in by_node(evidence, evidence.into, "spikes"):
        for limit in (1, 2, 3, 4, 7, 8, 15, 16, 24, 30):
            times = "once" if limit == 1 else f"up to {limit} times"
            detail = f"{subject} count {times} in a step, however many they are"
            arrivals = otherwise(chosen, lambda e, p, k=limit: np.minimum(e.arriving(p, p.delay), k))
            yield Variant(_ALL, detail, arrivals=arrivals)


def _most(evidence: Evidence) -> tuple[float, ...]:
    (text,) = (x.value.text for x in evidence.node.update if x.variable == "count")
    return (float(text.rstrip(")").rsplit(", ", 1)[1]),)


def _limits(evidence: Evidence, described: float) -> list[float]:
    """Return the limits of spikes that the largest numbers allow, in steps that deviate."""
    steps = Steps(evidence)
    now = steps.now["release"][steps.odd["release"] | steps.odd["voltage"]]
    seen = float(now.max(initial=0.0))
    likely = (1, seen, seen + 1, 2, 15, 16, 30, 31, 32, 63, 64, 127, 128, 255, 1e9)
    return [x for x in dict.fromkeys(likely) if x >= max(seen, 1) and x != described]


def resets(evidence: Evidence) -> Iterator[Variant]:
    """Propose other resets of a membrane after one spike or several."""
    for detail, change in {
        "a spike resets the membrane to 0 and doesn't subtract": line("v", _RESETS[
            ", and reset the membrane to 0"]),
        "a spike doesn't reset the membrane": line("v", "v = level"),
        "the threshold is subtracted once, however often a neuron spikes": line("v", _RESETS[
            ", and take the threshold off once"]),
        "all that the membrane is worth is subtracted, not what was sent": line("v", _RESETS[
            ", and take off all that the membrane is worth"]),
        "a spike subtracts a step late, before the membrane moves": chained(
            line("v", "v = level"), before("v = v - was_count*threshold")
        ),
        "a spike subtracts a step late, after the membrane has moved": line(
            "v", "v = level - was_count*threshold"
        ),
        "a spike subtracts a step late, before the threshold": chained(
            line("level", "level = clip(v + change, -32768, 32767) - was_count*threshold"),
            line("v", "v = level"),
        ),
        "a spike clears the current too": after("u = where(count > 0, 0, u)"),
        "a spike sets the membrane to minus the threshold": line(
            "v", "v = where(count > 0, 0 - threshold, level)"
        ),
    }.items():
        yield Variant("reset", detail, change)
    steps = Steps(evidence)
    count = steps.now["release"]
    chosen = steps.odd["voltage"] & (count > 0) & ~steps.odd["release"]
    if chosen.any():
        now, level = steps.now["voltage"].astype(np.float64), steps.plain["level"]
        to, less = now[chosen], (level - now)[chosen] / count[chosen]
        extra = (level - count * evidence.constant("threshold") - now)[chosen]
        for detail, text, value in (
            ("resets the membrane to {}", "where(count > 0, fitted, level)", to),
            ("subtracts {}", "level - count*fitted", less),
            ("subtracts {} more", "level - count*threshold - where(count > 0, fitted, 0)", extra),
        ):
            number = float(np.median(value))
            change = chained(with_constants(fitted=number), line("v", f"v = {text}"))
            yield Variant("reset", f"a spike {detail.format(f'{number:g}')}", change, 1)


def orders(evidence: Evidence) -> Iterator[Variant]:
    """Propose another order of a step."""
    node, ends = evidence.node, f"{-STATE_MAX - 1}, {STATE_MAX}"
    lost = Expression(f"u - {_lost(_LOST, 'u')}")

    def decayed(e: Observed, variable: str, state: Array) -> Array:
        start = silence_after_reset(e, variable, state)
        if variable != "current":
            return start
        values = lost.evaluate({"u": start.astype(np.float64), "lost_u": node.constants["lost_u"]})
        return np.asarray(values).astype(start.dtype)

    first, cause = line("u", "u = u + 0"), "step order"
    yield Variant(cause, "the current decays before its input is added", first, start=decayed)
    told = "weights are added in another order: those between populations first"
    yield Variant(cause, told, order=lambda into: into[::-1])
    v = _lost(_LOST, "v", "moved")
    for detail, change in {
        "the membrane takes the current before it decays": reading("u", "arrived_u", but="u"),
        "the membrane takes the current of the step before": reading("u", "was_u", but="u"),
        "the membrane meets the threshold before it moves": line(
            "count", _text_of(node, "count").replace("level", "v")
        ),
        "the membrane decays after current and bias are added": chained(
            line("back", "back = 0"),
            line("level", f"moved = clip(v + change, {ends}); level = moved - {v}"),
        ),
        "the membrane decays after the current is added": chained(
            line("back", "back = 0"),
            line("change", "change = driven"),
            line(
                "level",
                f"moved = clip(v + change, {ends}); level = clip(moved - {v} + bias, {ends})",
            ),
        ),
        "the membrane decays after its reset": chained(
            line("back", "back = 0"),
            line("v", f"moved = level - count*threshold; v = moved - {v}"),
        ),
        "the bias is added after the threshold": chained(
            line("change", "change = driven"),
            line("v", f"v = clip(level - count*threshold + bias, {ends})"),
        ),
        "the bias goes into the current before it decays": chained(
            before(f"u = clip(u + bias, {ends})"), line("change", "change = driven")
        ),
        "the bias goes into the current after it has decayed": chained(
            line("u", f"{_text_of(node, 'u')}; u = clip(u + bias, {ends})"),
            line("change", "change = driven"),
        ),
    }.items():
        yield Variant(cause, detail, change)


def thresholds(evidence: Evidence) -> Iterator[Variant]:
    """Propose another comparison with the threshold, or other thresholds."""
    count = _text_of(evidence.node, "count")
    strictly = line("count", count.replace("+ 0.5", "- 0.5"))
    yield Variant("threshold", "a membrane must exceed the threshold to spike", strictly)
    tree = count.removeprefix("count = ")
    once = line("count", f"count = where(level > threshold, {tree}, 0)")
    detail = "a membrane must exceed the threshold to spike, once or several times"
    yield Variant("threshold", detail, once)
    described, steps = evidence.constant("threshold"), Steps(evidence)
    for low, high, odd in _thresholds(evidence, steps):
        for told, values, freedom in _within(described, low, high, odd):
            both = with_constants(threshold=values, inverse=1 / values)
            yield Variant("threshold", f"the threshold is {told}", both, freedom)
            seen = with_constants(inverse=1 / values)
            detail = f"the threshold that a membrane meets is {told}, not what a spike takes off"
            yield Variant("threshold", detail, seen, freedom)


def _thresholds(evidence: Evidence, steps: Steps) -> Iterator[tuple[Array, Array, Mask]]:
    """Yield bounds of thresholds, ``low < threshold <= high``, and the neurons that deviate."""
    odd = (steps.odd["voltage"] | steps.odd["release"]) & ~steps.odd["current"]
    neurons = odd.any(axis=0)
    most, count = _most(evidence)[0], steps.now["release"].astype(np.float64)
    level = steps.plain["level"].astype(np.float64)
    for known in (np.ones_like(odd), odd):
        if neurons.any():
            over = np.where(known & (count < most), level / (count + 1), -np.inf)
            under = np.where(known & (count > 0), level / np.maximum(count, 1), np.inf)
            yield np.maximum(over.max(axis=0), 0), under.min(axis=0), neurons
            less = (level - steps.now["voltage"]) / np.maximum(count, 1)
            exact = _medians(less, odd & (count > 0))
            yield exact - 0.5, exact, neurons & np.isfinite(exact)


def _medians(values: Array, chosen: Mask) -> Array:
    found = np.full(values.shape[1], np.nan)
    for j in np.flatnonzero(chosen.any(axis=0)):
        found[j] = np.median(values[chosen[:, j], j])
    return found


def _within(
    described: Array, low: Array, high: Array, odd: Mask
) -> Iterator[tuple[str, Array, int]]:
    """Yield words, thresholds of each neuron and their freedom: a difference, a factor or any."""
    some = odd & (low < high)
    if not some.any():
        return
    d, least, most = described[some], low[some], np.minimum(high[some], STATE_MAX + 1.0)
    first, last = np.floor((least - d).max()) + 1, np.floor((most - d).min())
    if first <= last and not first <= 0 <= last:
        nearest = int(first if first > 0 else last)
        values = np.maximum(described + nearest, 1)
        yield f"{abs(nearest)} {'more' if nearest > 0 else 'less'} than described", values, 1
    least_ratio, most_ratio = (least / d).max(), (most / d).min()
    if least_ratio < most_ratio:
        factor = simplest(float(least_ratio), float(most_ratio))
        for rounded in (np.rint, np.floor, np.ceil):
            values = np.maximum(rounded(described * factor), 1)
            yield f"{factor:g} times that described", values, 1
    values = described.copy()
    values[some] = np.maximum(np.where(most <= STATE_MAX, np.floor(most), np.floor(least) + 1), 1)
    j = int(np.flatnonzero(some)[0])
    yield f"another: of neuron {j} {values[j]:g}, not {described[j]:g}", values, 2


def biases(evidence: Evidence) -> Iterator[Variant]:
    """Propose biases of fewer bits, or of the other sign."""
    for detail, text in {
        "biases saturate at 8 bits": "clip(bias, -128, 127)",
        "biases wrap around at 8 bits": _wrapping(8).format(x="bias"),
        "the bias is subtracted": "(0 - bias)",
    }.items():
        yield Variant("bias", detail, reading("bias", text))


Whole = Callable[[Array], Array]
"""Change the mantissas of a matrix."""


def _mantissas() -> dict[str, tuple[str, Whole]]:
    """Return changes of mantissas, each with a cause, by words."""
    found: dict[str, tuple[str, Whole]] = {}
    for bits in range(7, 1, -1):
        high, step = 2 ** (bits - 1) - 1, 2 ** (8 - bits)
        clip, cut = "clipping of weights", "rounding of weights"
        found[f"are clipped to {-high}..{high}"] = clip, partial(np.clip, a_min=-high, a_max=high)
        lower = partial(np.clip, a_min=-high - 1, a_max=high)
        found[f"are clipped to {-high - 1}..{high}"] = clip, lower
        found[f"wrap around at {bits} bits"] = clip, partial(_wrapped, 2**bits)
        for words, rounded in (("down", np.floor), ("to zero", np.trunc), ("", np.rint)):
            rounding = f", rounded {words}" if words else ", rounded to the nearest"
            detail = f"keep their upper {bits} bits only{rounding}"
            found[detail] = cut, partial(_stepped, rounded, step)
    found["have no sign"] = "weights", np.abs
    found["are 0 where they are negative"] = "clipping of weights", partial(np.maximum, 0)
    found["have the other sign"] = "weights", np.negative
    found["are lost"] = "weights", lambda w: 0 * w
    return found


def _wrapped(size: int, w: Array) -> Array:
    return w - size * np.floor(w / size + 0.5)


def _stepped(rounded: Callable[[Array], Array], step: int, w: Array) -> Array:
    return rounded(w / step) * step


def weights(evidence: Evidence) -> Iterator[Variant]:
    """Propose weights of fewer bits, clipped, shifted or transposed; of one projection or more."""
    exponents = {p.name: evidence.history.arithmetic.exponent(p.projection.name) for p in evidence.into}
    for chosen, _ in by_node(evidence, evidence.into, ""):
        names = ", ".join(sorted(chosen))
        for detail, (cause, whole) in _mantissas().items():
            change = partial(_of_mantissas, {x: exponents[x] for x in chosen}, whole)
            yield Variant(cause, f"weights of {names} {detail}", transmit=change)
        least = {exponents[x] for x in chosen}
        for shift in range(-7, 8):
            if shift:
                detail = f"weights of {names} are shifted by {shift} more: {shift:+d}"
                detail = f"the weight shift of {names} is {abs(shift)} "
                detail += "more" if shift > 0 else "less"
                if least == {-shift}:
                    detail = f"weights of {names} aren't shifted"
                yield Variant("weights", detail, transmit=partial(_shifted, chosen, shift))
    for p in evidence.into:
        if p.blocks == 1 and p.pre == evidence.population.name:
            told = {
                f"weights of {p.name} are transposed": lambda w: w.swapaxes(1, 2),
                f"neurons don't reach themselves by {p.name}": lambda w: w * (1 - np.eye(w.shape[1])),
            }
            for detail, change in told.items():
                only = partial(_of_mantissas, {p.name: 0}, change)
                yield Variant("weights", detail, transmit=only)


def _of_mantissas(exponents: Mapping[str, int], whole: Whole, name: str, w: Array) -> Array:
    if name not in exponents:
        return w
    unit = 2.0 ** exponents[name]
    return np.asarray(whole(w / unit) * unit)


def _shifted(chosen: frozenset[str], shift: int, name: str, w: Array) -> Array:
    return np.asarray(np.floor(w * 2.0**shift)) if name in chosen else w


UNLIMITED = _saturating("", tuple(_PLACES), "{x}").change
"""Let all sums hold any number."""
