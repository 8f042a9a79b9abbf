"""Read networks of Brian2: every spike is that of Brian2's own run, and the rest is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import SynapseLearning, load
from neurorl.backends.brian2.vendor import brian2, exact_preferences
from neurorl.brian2 import FromBrian2, from_brian2
from neurorl.errors import NeurorlError, UnsupportedError

ms, mV, nS, Hz, second = brian2.ms, brian2.mV, brian2.nS, brian2.Hz, brian2.second  # noqa: N816
nA, pF = brian2.nA, brian2.pF  # noqa: N816
DT = 1e-4
Objects = list[Any]
Namespace = dict[str, Any]
Raster = npt.NDArray[np.bool_]


def coba() -> tuple[Objects, Namespace]:
    """Return Brian2's example COBA, smaller."""
    names = {"taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms, "Vt": -50 * mV, "Vr": -60 * mV}
    names |= {"El": -60 * mV, "Ee": 0 * mV, "Ei": -80 * mV, "I": 20 * mV, "we": 2.4, "wi": 13.4}
    cells = brian2.NeuronGroup(
        200,
        """dv/dt = (ge*(Ee - v) + gi*(Ei - v) - (v - El) + I)*(1./taum) : volt (unless refractory)
        dge/dt = -ge*(1./taue) : 1
        dgi/dt = -gi*(1./taui) : 1""",
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * ms,
        method="exponential_euler",
        namespace=names,
    )
    excites = brian2.Synapses(cells[:160], cells, on_pre="ge += we", namespace=names)
    inhibits = brian2.Synapses(cells[160:], cells, on_pre="gi += wi", namespace=names)
    for synapses in (excites, inhibits):
        synapses.connect(p=0.03)
    cells.v = "El + (randn()*5 - 5)*mV"
    cells.ge = "(randn()*1.5 + 4)"
    cells.gi = "(randn()*12 + 20)*0.1"
    return [cells, excites, inhibits], {}


def cuba() -> tuple[Objects, Namespace]:
    """Return Brian2's example CUBA, smaller, with names from the caller."""
    cells = brian2.NeuronGroup(
        200,
        """dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)
        dge/dt = -ge/taue : volt
        dgi/dt = -gi/taui : volt""",
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * ms,
        method="exact",
    )
    cells.v = "-60*mV + rand()*10*mV"
    excites = brian2.Synapses(cells[:160], cells, "w : volt", on_pre="ge_post += w")
    inhibits = brian2.Synapses(cells[160:], cells, on_pre="gi_post -= 9*mV")
    for synapses in (excites, inhibits):
        synapses.connect(condition="i != j", p=0.04)
    excites.w = "(1 + rand())*mV"
    excites.delay = "rand()*3*ms"
    names = {"taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms, "Vt": -50 * mV, "Vr": -60 * mV}
    return [cells, excites, inhibits], names | {"El": -49 * mV}


def izhikevich() -> tuple[Objects, Namespace]:
    cells = brian2.NeuronGroup(
        100,
        """dv/dt = (0.04*v**2 + 5*v + 140 - u + drive)/ms : 1
        du/dt = a*(b*v - u)/ms : 1
        drive = I*(1 + 0.1*sin(2*pi*10*Hz*t)) : 1
        I : 1
        a : 1
        b = 0.2 : 1""",
        threshold="v >= 30",
        reset="v = -65; u += 8",
        method="euler",
    )
    cells.v, cells.u = -65, -13
    cells.a, cells.I = "0.02 + 0.08*rand()", "4 + 6*rand()"
    into = brian2.Synapses(cells, cells, "w : 1", on_pre="v += w")
    into.connect(p=0.1)
    into.w = "rand() - 0.4"
    return [cells, into], {}


def adex() -> tuple[Objects, Namespace]:
    names = {"C": 281 * pF, "gL": 30 * nS, "EL": -70.6 * mV, "VT": -50.4 * mV, "DT": 2 * mV}
    names |= {"Vcut": -40.4 * mV, "tauw": 144 * ms, "a": 4 * nS, "b": 0.0805 * nA}
    cells = brian2.NeuronGroup(
        10,
        """dvm/dt = (gL*(EL - vm) + gL*DT*exp((vm - VT)/DT) + I - w)/C : volt
        dw/dt = (a*(vm - EL) - w)/tauw : amp
        I : amp""",
        threshold="vm > Vcut",
        reset="vm = EL; w += b",
        method="euler",
    )
    cells.vm = names["EL"]
    cells.I = "(0.8 + 0.2*i)*nA"
    return [cells], names


def hodgkin_huxley() -> tuple[Objects, Namespace]:
    """Return neurons as of Brian2's example COBAHH."""
    cells = brian2.NeuronGroup(
        20,
        """dv/dt = (0.1*(-60*mV - v) + ge*(0*mV - v) + 100*m**3*h*(50*mV - v)
                    + 30*n**4*(-90*mV - v))/ms : volt
        dm/dt = alpha_m*(1 - m) - beta_m*m : 1
        dn/dt = alpha_n*(1 - n) - beta_n*n : 1
        dh/dt = alpha_h*(1 - h) - beta_h*h : 1
        dge/dt = -ge/(5*ms) : 1
        alpha_m = 0.32*(mV**-1)*4*mV/exprel((13*mV - v + VT)/(4*mV))/ms : Hz
        beta_m = 0.28*(mV**-1)*5*mV/exprel((v - VT - 40*mV)/(5*mV))/ms : Hz
        alpha_h = 0.128*exp((17*mV - v + VT)/(18*mV))/ms : Hz
        beta_h = 4./(1 + exp((40*mV - v + VT)/(5*mV)))/ms : Hz
        alpha_n = 0.032*(mV**-1)*5*mV/exprel((15*mV - v + VT)/(5*mV))/ms : Hz
        beta_n = .5*exp((10*mV - v + VT)/(40*mV))/ms : Hz""",
        threshold="v > -20*mV",
        refractory=3 * ms,
        method="exponential_euler",
    )
    cells.v, cells.ge = "-65*mV + i*mV/2", "0.01*i"
    into = brian2.Synapses(cells, cells, on_pre="ge += 0.3")
    into.connect(p=0.3)
    return [cells, into], {"VT": -63 * mV}


def adaptive() -> tuple[Objects, Namespace]:
    """Return an adaptive threshold, as of Brian2's example, driven by spikes that come again."""
    given = brian2.SpikeGeneratorGroup(3, [0, 1, 2, 0], [1, 2, 2, 5.03] * ms, period=10 * ms)
    cells = brian2.NeuronGroup(
        4,
        "dv/dt = -v/(5*ms) : 1\ndvt/dt = (1 - vt)/(30*ms) : 1",
        threshold="v > vt",
        reset="v = 0; vt += 0.5",
        method="exact",
    )
    cells.vt = 1
    into = brian2.Synapses(given, cells, "w : 1", on_pre="v += w")
    into.connect()
    into.w, into.delay = "0.4 + 0.2*j", "1*ms + 0.5*ms*j"
    return [given, cells, into], {}


EXAMPLES = (coba, cuba, izhikevich, adex, hodgkin_huxley, adaptive)


def jumps(seed: int) -> tuple[Objects, Namespace]:
    """Return random neurons whose synapses, reset and refractory time meet at one variable."""
    rng = np.random.default_rng(seed)
    pick: Callable[..., Any] = lambda *of: of[rng.integers(len(of))]  # noqa: E731
    held = pick("", " (unless refractory)")
    method = pick("euler", "exponential_euler", "rk4", "heun", ("exact", "euler"))
    if held and method == ("exact", "euler"):
        method = "euler"
    cells = brian2.NeuronGroup(
        40,
        f"""dv/dt = (I*{pick("1", "int(not_refractory)")} - v + 0.3*u)/(10*ms) : 1{held}
        du/dt = (0.2*v - u)/(20*ms) : 1
        I : 1 (constant)
        ref : second
        count : 1""",
        threshold=pick("v > 1", "v > 1 + 0.1*u", "v > 1 and t - lastspike > 1*ms"),
        reset=pick("v = 0", "v -= 1", "v *= 0.2; u += 0.1", "u += v; v = 0", "count += v; v = 0"),
        refractory=pick(2 * ms, 0.1 * ms, "ref", 0 * ms),
        method=method,
    )
    cells.v, cells.I, cells.ref = "rand()", "1.1 + rand()", "rand()*4*ms"
    into = brian2.Synapses(cells, cells, "w : 1\ng : 1", on_pre="v_post += w*g; u_post -= 0.02*w")
    into.connect(p=0.2)
    into.w, into.g = "rand() - 0.3", "0.2*rand()"
    into.delay = pick("0*ms", "rand()*ms")
    return [cells, into], {}


ODD: Mapping[str, dict[str, Any]] = {
    "reset at t": {"reset": "v = -0.5*sin(t/ms) - stim(t)"},
    "reset by the last spike": {
        "reset": "v = 0.5*int(not_refractory) + 0.3*int(t - lastspike < 1*ms) - 0.2",
        "refractory": 2 * ms,
    },
    "slopes by the last spike": {
        "model": "dv/dt = (I*exp(-(t - lastspike)/(4*ms)) + 1.3 - v)/(10*ms) : 1",
        "refractory": 2 * ms,
        "method": "rk4",
    },
    "a threshold that whole steps meet": {
        "threshold": "v > 1 and t - lastspike > 12*ms",
        "refractory": 1 * ms,
    },
    "whole numbers": {"reset": "v = 0; k = k + 0.5", "threshold": "v > 1 + 0.1*k"},
    "powers": {
        "model": "dv/dt = (I - v + (v - 3)**none + 0.1*(v - 1)**20 - 1)/(10*ms) : 1",
        "threshold": "v**two > 1 or (v - 2)**(two + 15) > 0",
    },
    "names and infinity": {"model": "dv/dt = (I*xigain + clip(v, -inf, inf) - 2*v)/(10*ms) : 1"},
}


def odd(case: str, is_driven: bool) -> tuple[Objects, Namespace]:
    """Return neurons of a case, with synapses to the variable of their reset or without."""
    usual = {"model": "dv/dt = (I - v)/(10*ms) : 1", "threshold": "v > 1", "reset": "v = 0"}
    given = {**usual, "method": "euler", **ODD[case]}
    cells = brian2.NeuronGroup(8, given.pop("model") + "\nI : 1\nk : integer", **given)
    cells.I, cells.v = "(1.2 + i/3)*(1 - 2*int(i == 7))", "i/9"
    into = brian2.Synapses(cells, cells, on_pre="v_post += 0.05")
    into.connect(condition="i < j")
    stim = brian2.TimedArray(np.random.default_rng(0).uniform(0, 1, 60), dt=0.3 * ms)
    names = {"stim": stim, "two": 2, "none": 0, "xigain": 1.5}
    return [cells, into] if is_driven else [cells], names


def theirs(objects: Objects, names: Namespace, n_steps: int) -> dict[str, Raster]:
    """Return the spikes of Brian2's own run."""
    groups = [part for part in objects if isinstance(part, brian2.NeuronGroup)]
    monitors = [brian2.SpikeMonitor(group) for group in groups]
    with exact_preferences("numpy"), np.errstate(all="ignore"):
        brian2.Network(*objects, *monitors).run(n_steps * DT * second, namespace=names)
    rasters = {}
    for group, monitor in zip(groups, monitors, strict=True):
        raster = np.zeros((n_steps, group.N), dtype=np.bool_)
        raster[np.rint(np.asarray(monitor.t) / DT).astype(int), np.asarray(monitor.i)] = True
        rasters[str(group.name)] = raster
    return rasters


def begun(made: Callable[..., tuple[Objects, Namespace]], *arguments: int) -> Any:
    brian2.defaultclock.dt = DT * second
    brian2.seed(1)
    with exact_preferences("numpy"):
        return made(*arguments)


def compare(made: tuple[Objects, Namespace], n_steps: int, backend: str = "reference") -> int:
    """Return the number of spikes, which must be those of Brian2."""
    objects, names = made
    with exact_preferences("numpy"):
        found = from_brian2(brian2.Network(*objects), names)
    with load(backend, found.network, seed=1) as ours:
        spikes = ours.step(found.inputs(n_steps), n_steps)
    want = theirs(objects, names, n_steps)
    assert {*spikes} == {*want}
    for name, raster in want.items():
        assert np.array_equal(raster, spikes[name]), np.flatnonzero((raster != spikes[name]).any(1))
    return int(sum(raster.sum() for raster in want.values()))


@pytest.mark.parametrize("example", EXAMPLES)
def test_spikes_are_those_of_brian2s_own_run(example: Callable[[], Any]) -> None:
    assert compare(begun(example), 1000) > 20


@pytest.mark.parametrize("seed", range(8))
def test_arrivals_resets_and_refractory_times_keep_brian2s_order(seed: int) -> None:
    assert compare(begun(jumps, seed), 300) > 20


@pytest.mark.parametrize("is_driven", [False, True])
@pytest.mark.parametrize("case", ODD)
def test_odd_but_legal_neurons_have_brian2s_spikes(case: str, is_driven: bool) -> None:
    for backend in ("reference", "native"):
        assert compare(begun(odd, case, is_driven), 1500, backend) > 50  # type: ignore[arg-type]


def test_backend_brian2_has_these_spikes_too() -> None:
    assert compare(begun(adaptive), 500, "brian2") > 10


def stdp(clock: str, pre: float, post: float, line: str) -> tuple[Objects, Namespace]:
    """Return Brian2's example STDP, smaller, on given spikes."""
    step, who = np.nonzero(np.random.default_rng(0).random((800, 60)) < 0.02)
    given = brian2.SpikeGeneratorGroup(60, who, step * DT * second)
    cells = brian2.NeuronGroup(
        2,
        "dv/dt = (ge*(0*mV - v) - 74*mV - v)/(10*ms) : volt\ndge/dt = -ge/(5*ms) : 1",
        threshold="v > -54*mV",
        reset="v = -60*mV",
        method="euler",
    )
    cells.v = -60 * mV
    learns = brian2.Synapses(
        given,
        cells,
        f"""w : 1
        k : integer
        dApre/dt = -Apre/taupre : 1 ({clock}-driven)
        dApost/dt = -Apost/taupre : 1 ({clock}-driven)""",
        on_pre=f"""{line}
        Apre += dA
        w = clip(w + Apost, 0, gmax)""",
        on_post="Apost -= 1.05*dA; w = clip(w + Apre, 0, gmax)",
    )
    learns.connect(p=0.7)
    learns.w = "rand()*0.1"
    learns.pre.delay, learns.post.delay = pre * second, post * second
    return [given, cells, learns], {"taupre": 20 * ms, "dA": 0.003, "gmax": 0.1, "two": 2}


@pytest.mark.parametrize(
    ("clock", "pre", "post", "line", "scale"),
    [
        ("event", 0.0, 0.0, "ge += w", 1.0),
        ("clock", 1e-3, 0.5e-3, "ge += 2*w", 2.0),
        ("event", 0.0, 0.0, "ge += w; k = k + 1.5; Apre += 0.01*k*(w - 0.2)**two", 1.0),
    ],
)
def test_synapses_that_learn_have_brian2s_weights(
    clock: str, pre: float, post: float, line: str, scale: float
) -> None:
    brian2.defaultclock.dt = DT * second
    brian2.seed(1)
    with exact_preferences("numpy"):
        objects, names = stdp(clock, pre, post, line)
        found = from_brian2(objects, names)
    source, cells, learns = (str(part.name) for part in objects)
    given = found.inputs(801)[source]
    with load(found.network, seed=1) as backend:
        learning = SynapseLearning(backend, found.rules[learns])
        # What Brian2 does after the last step is the beginning of the next one here.
        raster = np.asarray(given)
        rows = [learning.window({source: raster[k : k + 1]}, 1)[cells] for k in range(801)]
        weights = learning.weights(learns)
    want = theirs(objects, names, 800)[cells]
    assert np.array_equal(np.concatenate(rows)[:800], want)
    assert want.sum() > 50
    synapses = objects[2]
    order = np.lexsort((np.asarray(synapses.j), np.asarray(synapses.i)))
    assert np.ptp(weights) > 0.05
    # Weights lie on the grid of those in force.
    assert weights == pytest.approx(scale * np.asarray(synapses.w)[order], abs=1e-8)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Let Brian2 use deprecated names of its own dependencies."""
    brian2.defaultclock.dt = DT * second
    with exact_preferences("numpy"):
        yield


def group(model: str = "dv/dt = -v/(10*ms) : 1", **options: Any) -> Any:
    usual = {"threshold": "v > 1", "reset": "v = 0", "method": "exact"}
    return brian2.NeuronGroup(3, model, **{**usual, **options})


def wired(model: str = "w : 1", **lines: str) -> Objects:
    cells = group()
    synapses = brian2.Synapses(cells, cells, model, **lines)
    synapses.connect()
    return [cells, synapses]


def regular() -> Objects:
    cells = group()
    cells.run_regularly("v = 1")
    return [cells]


def linked() -> Objects:
    one, other = group(), group("dv/dt = (x - v)/(10*ms) : 1\nx : 1 (linked)")
    other.x = brian2.linked_var(one, "v")
    return [one, other]


def timed() -> Objects:
    names = {"stim": brian2.TimedArray(np.arange(65.0), dt=ms)}
    return [group("dv/dt = (stim(t) - v)/(10*ms) : 1", namespace=names)]


def drawn() -> Objects:
    cells = group()
    return [cells, brian2.PoissonInput(cells, "v", 10, 10 * Hz, "0.1*i")]


SUMMED = "I_post = 0.1*(v_pre - v_post) : 1 (summed)"


def summed() -> Objects:
    cells = group("dv/dt = (I - v)/(10*ms) : 1\nI : 1")
    synapses = brian2.Synapses(cells, cells, SUMMED)
    synapses.connect()
    return [cells, synapses]


def has_run() -> Objects:
    cells = group()
    brian2.Network(cells).run(1 * ms)
    return [cells]


def rescheduled() -> Any:
    network = brian2.Network(group())
    network.schedule = ["start", "synapses", "groups", "thresholds", "resets", "end"]
    return network


def late_reset() -> Objects:
    cells = group()
    cells.resetter["spike"].when = "end"
    return [cells]


def begun_apart() -> Objects:
    learns = "w = clip(w + x, 0, 1)"
    model = "w : 1\ndx/dt = -x/(20*ms) : 1 (event-driven)"
    objects = wired(model, on_pre="v_post += w; x += 1", on_post=learns)
    objects[1].x = "i"
    return objects


def two_clocks() -> Objects:
    return [group(), group(dt=0.2 * ms)]


NOISY = "dv/dt = -v/(10*ms) + 0.1*xi*(10*ms)**-0.5 : 1"


def noisy() -> Objects:
    cells = group(NOISY, method="euler")
    synapses = brian2.Synapses(cells, cells, on_pre="v += 0.1")
    synapses.connect()
    return [cells, synapses]


REFUSED: Mapping[str, tuple[Callable[[], Objects], str]] = {
    "run_regularly": (regular, "a CodeRunner isn't held; do it in Python"),
    "TimedArray": (timed, "v: a function of your own (got stim()); 64 numbers or fewer, of t"),
    "PoissonInput": (drawn, "another weight than a number, or another slot"),
    "summed": (summed, "a SummedVariableUpdater isn't held; let spikes add"),
    "linked": (linked, "v: no number of its own (got x)"),
    "run": (has_run, "has run already; read it before"),
    "schedule": (rescheduled, "schedule: another order of a step (got ['start', 'synapses', "),
    "when": (late_reset, "when: runs at a time of its own (got end); 'resets'"),
    "a boolean": (
        lambda: [group("dv/dt = -v/ms : 1\nk : boolean", reset="k = not k")],
        "reset: sets a boolean (got k); a number, 0 or 1",
    ),
    "refractory time that changes": (
        lambda: [group("dv/dt = -v/ms : 1\nr : second", refractory="r", reset="r += ms")],
        "refractory: a condition or formula (got r); a time",
    ),
    "refractory formula": (
        lambda: [group("dv/dt = -v/ms : 1\nr = v*ms : second", refractory="r")],
        "refractory: a condition or formula (got r); a time",
    ),
    "time in a synapse": (
        lambda: wired(on_pre="v_post += w*int(t > 5*ms)"),
        "on_pre: transmits another number each time (got v_post + w * int(t > 5 * ms))",
    ),
    "chance in a synapse": (
        lambda: wired(on_pre="v_post += w*int(rand() < 0.5)"),
        "on_pre: transmits another number each time",
    ),
    "trace that differs": (begun_apart, "x: differs between synapses; one number for all"),
    "modulo": (
        lambda: [group("dv/dt = int(t % ms > 0)/ms : 1", method="euler")],
        ", v, character 9: '%' isn't in the language",
    ),
    "clocks": (two_clocks, "clocks of several dt (got [0.0001, 0.0002]); one dt"),
    "noise at the reset": (noisy, "xi: noise beside spikes that arrive at what is reset"),
    "nothing": (list, "no objects"),
    "a number": (lambda: [group(), 3], "takes Brian2's objects (got 3); take brian2.collect()"),
    "events": (lambda: [group(events={"up": "v > 2"})], "events other than spikes (got ['up'])"),
    "refractory": (lambda: [group(refractory="v > 0.5")], "refractory: a condition or formula"),
    "method": (lambda: [group(method="rk2")], "method: isn't held (got 'rk2'); one of exact"),
    "unknown": (lambda: [group("dv/dt = -v/tau0 : 1")], "nothing is called 'tau0'; say"),
    "two draws": (
        lambda: [group(threshold="rand() < 0.1", reset="v = rand()")],
        "a second rand(); it would be",
    ),
    "if": (lambda: [group(reset="if v: v=0")], "reset: isn't in the language"),
    "randn": (lambda: [group(reset="v = randn()")], "reset, character 1: unknown function 'randn'"),
    "v_pre": (lambda: wired(on_pre="v_post += v_pre"), "no number of its own (got v_pre)"),
    "set": (lambda: wired(on_pre="v_post = w"), "such a line isn't held (got v_post = w)"),
    "pre": (lambda: wired(on_post="v_pre += w"), "on_post: such a line isn't held"),
    "bounds": (
        lambda: wired(on_pre="v_post += w", on_post="w += 1"),
        "w: isn't kept within bounds; w = clip(..., low, high)",
    ),
    "late": (
        lambda: wired(on_pre="w = clip(w + 1, 0, 1); v_post += w"),
        "on_pre: adds what was set before",
    ),
    "fading": (
        lambda: wired(
            "du/dt = -u/(50*ms) : 1 (event-driven)\ndx/dt = (1 - x)/(20*ms) : 1 (event-driven)",
            on_pre="u += 0.2*(1 - u); v_post += u*x; x -= u*x",
        ),
        "adds what was set before (got v_post + u * x); begin with X_post += w, one variable; what",
    ),
    "untold": (
        lambda: wired("w : 1\nx : 1", on_pre="v_post += w; x += 1"),
        "not one line transmits what learns (got ['x'])",
    ),
    "ends": (lambda: wired(on_pre="v_post += w")[1:], "an end isn't in the network"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_held_is_refused_by_name(case: str, quiet: None) -> None:
    made, words = REFUSED[case]
    with pytest.raises(NeurorlError) as caught:
        from_brian2(made(), {})
    assert words in str(caught.value)
    assert str(caught.value).startswith("from_brian2")
    assert "\n" not in str(caught.value)


def test_one_object_is_a_network(quiet: None) -> None:
    one = group()
    assert from_brian2(one).network == from_brian2([one]).network
    with pytest.raises(UnsupportedError, match=r"takes Brian2's objects .got 3"):
        from_brian2(3)


def test_a_network_that_has_run_is_refused(quiet: None) -> None:
    network = brian2.Network(group())
    network.run(1 * ms)
    with pytest.raises(UnsupportedError, match=r"has run already .*; read it before"):
        from_brian2(network)


def test_names_are_those_of_the_caller_and_units_are_numbers(quiet: None) -> None:
    tau = 20 * ms  # noqa: F841 - Brian2 finds it here
    cells = group("dv/dt = (10*mV/(5*mV) - v)/tau : 1\nshare : 1")
    cells.v = [0.1, 0.2, 0.3]
    neuron: Any = from_brian2([cells]).network.populations[0].neuron
    assert neuron.equations == "dv/dt = (2.0 - v) / tau"
    assert neuron.parameters == {"tau": 0.02}
    assert neuron.initial["v"].tolist() == [0.1, 0.2, 0.3]


def test_poisson_groups_and_drawn_thresholds_have_their_rates(quiet: None) -> None:
    poisson = brian2.PoissonGroup(3, "(1 + i)*500*Hz")
    drawn = group("r : Hz", threshold="rand() < r*dt", reset="", method="euler")
    drawn.r = [100, 1000, 3000] * Hz
    heard = group("dv/dt = -v/ms : 1", reset="")
    into = brian2.Synapses(poisson, heard, on_pre="v_post += 2")
    into.connect(j="i")
    found: FromBrian2 = from_brian2([poisson, drawn, heard, into], {})
    with load(found.network, seed=1) as backend:
        spikes = backend.step(found.inputs(10_000), 10_000)
    assert spikes[drawn.name].mean(axis=0) / DT == pytest.approx([100, 1000, 3000], rel=0.2)
    assert spikes[heard.name].mean(axis=0)[0] > 0.1


def test_poisson_inputs_have_brian2s_law(quiet: None) -> None:
    """Compare rates of cells, of which one has twice as many inputs."""
    n, rate, weight, steps = 20, 50.0, 0.25, 20_000
    cells = group("dv/dt = -v/(5*ms) : 1", threshold="v > 2")
    inputs = brian2.PoissonInput(cells, "v", n, rate * Hz, weight)
    part = brian2.PoissonInput(cells[2:], "v", n, rate * Hz, weight)
    found: FromBrian2 = from_brian2([cells, inputs, part], {})
    assert [p.size for p in found.network.sources] == [3 * n, n]
    with load(found.network, seed=1) as backend:
        ours = backend.step(found.inputs(steps), steps)[cells.name].mean(axis=0) / DT
    monitor = brian2.SpikeMonitor(cells)
    brian2.seed(1)
    brian2.Network(cells, inputs, part, monitor).run(steps * DT * brian2.second)
    theirs = np.bincount(np.asarray(monitor.i), minlength=3) / (steps * DT)
    assert theirs[2] > 2 * theirs[0] > 2
    assert ours == pytest.approx(theirs, rel=0.15)


@pytest.mark.parametrize("each", [1.0, 0.35])
def test_arrays_of_time_are_formulas_of_t(each: float, quiet: None) -> None:
    """Compare every spike, with values that last whole steps and that don't."""
    values = np.random.default_rng(0).uniform(0, 4, 30)
    stim = brian2.TimedArray(values, dt=each * ms)
    cells = group("dv/dt = (stim(t) + a*stim(t - 2*ms) - v)/(3*ms) : 1\na : 1", method="euler")
    cells.a = [0, 0.5, 1]
    found: FromBrian2 = from_brian2([cells], {"stim": stim, "ms": ms})
    with load(found.network, seed=1) as backend:
        spikes = backend.step(found.inputs(600), 600)[cells.name]
    monitor = brian2.SpikeMonitor(cells)
    brian2.Network(cells, monitor).run(60 * ms, namespace={"stim": stim, "ms": ms})
    steps, neurons = np.nonzero(spikes)
    assert len(steps) > 30
    assert np.array_equal(np.rint(np.asarray(monitor.t) / DT), steps)
    assert np.array_equal(np.asarray(monitor.i), neurons)
