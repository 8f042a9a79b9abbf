"""Change NIR files: the bytes, or some of a valid file's tree."""

from __future__ import annotations

import io
from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st

from fuzzing.targets import Target
from fuzzing.values import HOSTILE, changed_bytes, changed_tree, paths_of
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source


def network() -> Network:
    """Make a small network, whose file has every kind of node that we write."""
    cells = CubaLIF(5e-3, 2e-2, np.array([1.0, 2.0, 3.0]), 0.1)
    return Network(
        (Source("input", 2), Population("cells", 3, cells), Population("last", 3, LIF(bias=0.2))),
        (
            Projection("first", "input", "cells", np.ones((2, 3)), delay=3e-3),
            Projection("back", "cells", "cells", np.full((3, 1, 1), 0.5), 3),
            Projection("second", "cells", "last", np.ones((3, 3))),
        ),
    )


class GraphBytes(Target):
    """Change some bytes of a NIR file."""

    name: ClassVar[str] = ".nir, bytes"
    weight: ClassVar[int] = 6
    needs: ClassVar[tuple[str, ...]] = ("nir", "h5py")

    def prepare(self) -> None:
        from neurorl.nir import to_nir

        self.path = self.folder / "graph.nir"
        to_nir(network(), path=self.path)
        self.inputs = changed_bytes(self.path.read_bytes())

    def attempt(self, value: Any) -> None:
        from neurorl.nir import from_nir

        self.path.write_bytes(value)
        from_nir(self.path, 1e-3)


class GraphTree(GraphBytes):
    """Put other values, groups, links and kinds of data into a NIR file."""

    name = ".nir, structure"
    weight = 8

    def prepare(self) -> None:
        super().prepare()
        import h5py

        with h5py.File(self.path) as file:
            tree = _plain(file)
        odd = st.sampled_from(_ODD)
        paths = [path for path in paths_of(tree) if path]
        self.inputs = st.tuples(
            changed_tree(tree, paths),
            st.lists(st.tuples(st.sampled_from(paths), odd), max_size=2),
        )

    def attempt(self, value: Any) -> None:
        import h5py

        tree, odd = value
        if not isinstance(tree, dict):
            return
        file = io.BytesIO()
        with h5py.File(file, "w") as root:
            _write(root, tree, dict(odd), ())
        super().attempt(file.getvalue())


_ODD = ("huge", "object", "external", "soft", "cycle", "compound", "empty", "half", "vlen")


def _plain(group: Any) -> Any:
    import h5py

    if isinstance(group, h5py.Group):
        return {name: _plain(item) for name, item in group.items()}
    value = group[()]
    if isinstance(value, bytes):
        return value.decode()
    return value.astype(str).tolist() if value.dtype == object else value.tolist()


def _write(group: Any, tree: dict[str, Any], odd: dict[Any, str], path: tuple[Any, ...]) -> None:
    for key, value in tree.items():
        name = key.replace("/", "_").replace("\0", "_")[:60].encode("utf-8", "replace").decode()
        if not name or name in group or name == ".":
            continue
        place = (*path, key)
        if place in odd:
            _write_odd(group, name, odd[place])
        elif isinstance(value, dict):
            _write(group.create_group(name), value, odd, place)
        else:
            _write_value(group, name, value)


def _write_value(group: Any, name: str, value: Any) -> None:
    if len(str(value)) > 100_000:  # which would be as long for each of the texts beside it
        value = "text"
    try:
        array = np.array(value, dtype=None if value is not None else float)
        if array.dtype.kind == "U":
            group[name] = value if isinstance(value, str) else np.array(value, dtype="S")
        else:
            group[name] = array
    except (TypeError, ValueError, OverflowError, UnicodeError):
        group[name] = "text"  # what h5py has no kind of data for


def _write_odd(group: Any, name: str, how: str) -> None:
    import h5py

    if how == "huge":
        group.create_dataset(name, shape=(10**6, 10**6), dtype="f8", chunks=(100, 100))
    elif how == "object":
        group.create_dataset(name, data=np.zeros(3, dtype="S2000"))
    elif how == "external":
        group[name] = h5py.ExternalLink("/etc/passwd", "/")
    elif how == "soft":
        group[name] = h5py.SoftLink("/node")
    elif how == "cycle":
        group[name] = group
    elif how == "compound":
        group.create_dataset(name, data=np.zeros(2, dtype=[("a", "f8"), ("b", "S3")]))
    elif how == "empty":
        group.create_dataset(name, data=h5py.Empty("f8"))
    elif how == "half":
        group.create_dataset(name, data=np.ones(3, dtype="f2"))
    else:
        kind = h5py.vlen_dtype(np.float64)
        group.create_dataset(name, shape=(2,), dtype=kind)


class Made(Target):
    """Make graphs as `nir` does in Python, of any wiring."""

    name: ClassVar[str] = ".nir, wiring"
    weight: ClassVar[int] = 8
    needs: ClassVar[tuple[str, ...]] = ("nir",)

    def prepare(self) -> None:
        import nir

        one = np.ones(2)
        makers = (
            lambda: nir.Input(np.array([2])),
            lambda: nir.Output(np.array([2])),
            lambda: nir.LIF(tau=one, r=one, v_leak=one * 0, v_threshold=one, v_reset=one * 0),
            lambda: nir.IF(r=one, v_threshold=one, v_reset=one * 0),
            lambda: nir.Threshold(one),
            lambda: nir.Linear(np.ones((2, 2))),
            lambda: nir.Linear(np.ones((2, 50))),
            lambda: nir.Affine(np.ones((2, 2)), one),
            lambda: nir.Scale(one),
            lambda: nir.Delay(one * 1e-3),
            lambda: nir.Flatten({"input": np.array([2, 1])}, 0, -1),
        )
        names = st.sampled_from("abcdefghijkl")
        self.inputs = st.tuples(
            st.dictionaries(names, st.sampled_from(makers), min_size=1, max_size=12),
            st.lists(st.tuples(names, names), max_size=24),
            st.none() | HOSTILE,
        )

    def attempt(self, value: Any) -> None:
        import nir

        from neurorl.nir import from_nir

        made, edges, odd = value
        nodes = {name: maker() for name, maker in made.items()}
        kept = [(a, b) for a, b in edges if a in nodes and b in nodes]
        graph = nir.NIRGraph(nodes, kept, type_check=False)
        if odd is not None:
            node = next(iter(nodes.values()))
            for field in ("tau", "r", "weight", "scale", "delay", "input_type"):
                if hasattr(node, field):
                    setattr(node, field, odd)
        from_nir(graph, 1e-3)


TARGETS: tuple[type[Target], ...] = (GraphBytes, GraphTree, Made)
