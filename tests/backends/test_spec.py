"""Test specs of backends: what texts mean, that they come back, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurorl
from neurorl.backends.lookup import BACKENDS
from neurorl.backends.reference import ReferenceSimulator
from neurorl.backends.registry import backend_class, load, variants
from neurorl.backends.spec import BackendSpec
from neurorl.errors import ArgumentError, BackendUnavailableError, UnknownNameError
from neurorl.models import LIF
from neurorl.network.description import Network, Population, Source

NETWORK = Network((Source("input", 3), Population("cells", 2, LIF(10e-3, 0.8))))


@st.composite
def specs(draw: st.DrawFn) -> BackendSpec:
    name = draw(st.sampled_from(sorted(BACKENDS)))
    info = BACKENDS[name]
    engines = [name for name, engine in info.engines.items() if engine.options]
    values = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text('ab1:,=%+ "é')
    )
    names = st.text("abcdefgh_", min_size=1)
    return BackendSpec(
        name,
        draw(st.none() | st.sampled_from(info.arithmetics)),
        draw(st.none() | st.sampled_from(["exact", "chip", "chip+coins"])),
        draw(st.none() | st.sampled_from(engines)) if engines else None,
        draw(st.dictionaries(names, values, max_size=2)),
    )


@given(specs())
def test_a_spec_comes_back_from_its_text(spec: BackendSpec) -> None:
    assert BackendSpec.parse(str(spec)) == spec
    assert hash(BackendSpec.parse(str(spec))) == hash(spec)
    assert BackendSpec.parse(spec.label).label == spec.label


@pytest.mark.parametrize(
    ("text", "spec", "label"),
    [
        ("reference", BackendSpec("reference"), "reference:float"),
        (" brian2:cython:loihi ", BackendSpec("brian2", "loihi", engine="cython"), None),
        ("brian2:loihi:cython", BackendSpec("brian2", "loihi", engine="cython"), None),
        ("loihi:stock", BackendSpec("loihi", engine="stock"), "loihi:stock:loihi"),
        ("loihi:loihi+chip", BackendSpec("loihi", "loihi", "chip"), "loihi:loihi+chip"),
        ("loihi:+chip+coins", BackendSpec("loihi", None, "chip+coins"), "loihi:loihi+chip+coins"),
        ("loihi:loihi+exact", BackendSpec("loihi", "loihi", "exact"), "loihi:loihi"),
        # The only engine of a backend says nothing.
        ("reference:numpy:loihi", BackendSpec("reference", "loihi"), "reference:loihi"),
        (
            "loihi:target=emulator",
            BackendSpec("loihi", options={"target": "emulator"}),
            "loihi:loihi:target=emulator",
        ),
    ],
)
def test_what_texts_mean(text: str, spec: BackendSpec, label: str | None) -> None:
    assert BackendSpec.parse(text) == spec
    assert spec.label == (label or str(BackendSpec.parse(text)))


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("brain2", UnknownNameError, "did you mean 'brian2'"),
        ("brian2:cyton", UnknownNameError, "part of brian2.*did you mean 'cython'"),
        ("brian2:", UnknownNameError, "part of brian2"),
        ("brian2:loihi+chp", UnknownNameError, "noise.*did you mean 'chip'"),
        ("loihi:float", ArgumentError, "another arithmetic"),
        ("brian2:float:loihi", ArgumentError, "arithmetic is said twice, 'float' and 'loihi'"),
        ("brian2:numpy:cython", ArgumentError, "engine is said twice, 'numpy' and 'cython'"),
        (3, ArgumentError, "is none"),
        (dict, ArgumentError, "is none"),
    ],
)
def test_what_texts_are_refused(text: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        BackendSpec.parse(text)
    assert "\n" not in str(caught.value)


def test_keywords_beside_a_text_must_agree() -> None:
    spec = BackendSpec.of("brian2:cython", "loihi", options={"noise": "chip", "engine": "cython"})
    assert (spec.arithmetic, spec.noise, spec.class_options) == (
        "loihi",
        "chip",
        {"engine": "cython"},
    )
    assert BackendSpec.of("brian2:loihi", "loihi") == BackendSpec.of("brian2:loihi")
    for arithmetic, noise in (("float", None), (None, "chip")):
        with pytest.raises(ArgumentError, match="is said twice"):
            BackendSpec.of("reference:loihi+exact", arithmetic, noise)
    with pytest.raises(ArgumentError, match="engine is said twice"):
        BackendSpec.of("brian2:cython", options={"engine": "numpy"}).load(NETWORK)
    with pytest.raises(UnknownNameError, match="arithmetic"):
        BackendSpec.of("brian2", "fixed")


def test_load_takes_a_text_a_spec_or_a_class() -> None:
    for backend in ("reference:loihi", BackendSpec("reference", "loihi")):
        with neurorl.load(backend, NETWORK, seed=3) as made:
            assert (made.arithmetic_name, made.seed) == ("loihi", 3)
    with load(ReferenceSimulator, NETWORK, arithmetic="loihi", noise="chip") as made:
        assert (made.arithmetic_name, made.noise) == ("loihi", "chip")
    with load("loihi:stock", NETWORK) as made:
        assert made.engine == "stock"  # type: ignore[attr-defined]
    with load("loihi:loihi", NETWORK, arithmetic=None) as made:
        assert made.arithmetic_name == "loihi"
    with pytest.raises(ArgumentError, match="arithmetic is said twice"):
        load("reference:loihi", NETWORK, arithmetic="float")


def test_a_class_of_ones_own_needs_no_name() -> None:
    class Own(ReferenceSimulator):
        name = "own"

    spec = BackendSpec.of(Own, "loihi")
    assert (spec.label, spec.is_exact, spec.backend_class) == ("own:loihi", True, Own)
    assert spec.must_equal(BackendSpec("reference", "loihi"))
    assert not spec.must_equal(BackendSpec("reference"))
    assert not spec.must_equal(BackendSpec("reference", "loihi", "chip"))


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_the_table_of_the_librarys_own_is_what_their_classes_say(name: str) -> None:
    try:
        capabilities = backend_class(name).capabilities
    except BackendUnavailableError as exc:
        pytest.skip(str(exc))
    info = BACKENDS[name]
    assert info.arithmetics == capabilities.arithmetics
    assert tuple(info.engines) == capabilities.engines
    for spec in variants(name):
        assert BackendSpec.parse(str(spec)) == spec


def test_a_text_is_read_without_any_simulator() -> None:
    code = "import sys; from neurorl.backends.spec import BackendSpec as B; "
    code += "[B.parse(x).label for x in ('brian2:cython:loihi', 'loihi:stock', 'torch:eager')]; "
    code += "sys.exit(any(m in sys.modules for m in ('brian2', 'nengo', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
