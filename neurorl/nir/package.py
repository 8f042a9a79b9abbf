"""Import the package ``nir`` when it is first needed; check, read and write its files."""

from __future__ import annotations

import importlib
import io
import keyword
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from neurorl.errors import ArgumentError, BackendUnavailableError, DescriptionError
from neurorl.network.limits import MAX_SIZE, check_limit
from neurorl.network.serialization import LARGEST
from neurorl.storage.files import write_bytes

_LARGEST_FILE = 2**31
_SQUEEZED = 1024  # gzip doesn't compress any data better than this
_SMALL = 2**24
_MOST_OBJECTS = 2**18
_DEEPEST = 12
_MOST_NODES, _MOST_EDGES = 1024, 8192
_FILTERS = (None, "gzip", "lzf", "szip")
_NUMBERS = (
    *("tau", "tau_syn", "tau_mem", "r", "w_in", "v_leak", "v_threshold", "v_reset", "threshold"),
    *("weight", "bias", "scale", "delay", "stride", "dilation", "groups", "kernel_size"),
    "input_shape",
)


NirObject = Any
"""Represent the module ``nir``, or an object of its graphs, which have no types."""


def check_file(path: Path) -> None:
    """Raise ValueError for an HDF5 file with links out of it, or more data than it can hold."""
    import h5py

    size = path.stat().st_size
    left = min(_LARGEST_FILE, _SMALL + _SQUEEZED * size)
    with h5py.File(path, "r") as file:
        for number, item in enumerate(_items(file, 0)):
            if number >= _MOST_OBJECTS:
                raise ValueError("too many parts")
            if isinstance(item, h5py.Dataset):
                left -= _bytes_of(item, left)
                if left < 0:
                    raise ValueError("says that it holds more than a file of its size can")


def _items(group: NirObject, depth: int) -> Iterator[NirObject]:
    """Yield everything in a group, from the outside in."""
    import h5py

    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{name[:60]!r} is a link")
        item = group[name]
        yield item
        if isinstance(item, h5py.Group):
            yield from _items(item, depth + 1)


def _bytes_of(dataset: NirObject, most: int) -> int:
    """Return the memory that an array takes. Raises ValueError for data unknown to NIR."""
    import h5py

    where = dataset.name[:60]
    if dataset.external or dataset.is_virtual or dataset.compression not in _FILTERS:
        raise ValueError(f"{where}: is kept elsewhere, or packed otherwise than ours")
    if dataset.shape is None:
        raise ValueError(f"{where}: is empty")
    if h5py.check_string_dtype(dataset.dtype) is None and dataset.dtype.kind not in "biufS":
        raise ValueError(f"{where}: neither numbers nor text")
    size = int(dataset.size) * max(8, dataset.dtype.itemsize)
    if dataset.dtype.kind == "O" and size <= most:
        # Texts of any length; many entries may share one.
        rows = dataset.shape[0] if dataset.shape else 1
        for k in range(rows):
            row = np.atleast_1d(dataset[k] if dataset.shape else dataset[()])
            size += sum(len(text) for text in row.ravel())
            if size > most:
                break
    return int(size)


def check_graph(graph: NirObject, depth: int = 0) -> None:
    """Raise DescriptionError for a graph with parts that no ``nir.NIRGraph`` has."""
    if depth > _DEEPEST:
        raise DescriptionError("NIR", "subgraphs nested too deeply", limit=_DEEPEST)
    if not isinstance(graph.nodes, dict) or not all(isinstance(n, str) for n in graph.nodes):
        raise DescriptionError("NIR", "nodes without names")
    check_limit("NIR", "nodes", len(graph.nodes), _MOST_NODES)
    edges = list(graph.edges)
    check_limit("NIR", "edges", len(edges), _MOST_EDGES)
    for edge in edges:
        is_pair = isinstance(edge, (tuple, list)) and len(edge) == 2
        if not (is_pair and all(isinstance(end, str) for end in edge)):
            raise DescriptionError("NIR", "an edge that isn't from one node to another")
    for name, node in graph.nodes.items():
        if type(node).__name__ == "NIRGraph":
            check_graph(node, depth + 1)
        else:
            _check_node(name, node)


def _check_node(name: str, node: NirObject) -> None:
    for field in _NUMBERS:
        value = getattr(node, field, None)
        if value is not None:
            _check_numbers(f"NIR node {name!r}, {field}", value)
    if type(node).__name__ == "Input":
        _check_type(name, node.input_type)


def _check_numbers(where: str, value: object) -> None:
    try:
        numbers = np.asarray(value)
    except ValueError as exc:
        raise DescriptionError(where, "not numbers", got=exc) from exc
    if numbers.dtype.kind not in "biuf":
        raise DescriptionError(where, "not numbers", got=numbers.dtype)
    if not numbers.size:
        raise DescriptionError(where, "is empty")
    if not (np.abs(numbers.astype(np.float64)) <= LARGEST).all():
        raise DescriptionError(where, "not finite, or too large", limit=f"{LARGEST:g}")


def _check_type(name: str, shapes: object) -> None:
    where = f"NIR node {name!r}, its shape"
    if not isinstance(shapes, dict) or "input" not in shapes:
        raise DescriptionError(where, "is missing")
    if shapes["input"] is None:
        return
    try:
        shape = np.asarray(shapes["input"])
    except ValueError as exc:
        raise DescriptionError(where, "not whole numbers", got=exc) from exc
    if shape.dtype.kind not in "iu" or shape.size > 8 or (shape < 1).any():
        raise DescriptionError(where, "not whole numbers of at least 1", got=shape)
    check_limit(where, "channels", math.prod(shape.ravel().tolist()), MAX_SIZE)


# Readers make each node a module, or an attribute of a PyTorch module that has these already.
_OF_MODULES = """
T_destination add_module add_submodule apply bfloat16 buffers call_super_init children clear code
compile cpu cuda delete_all_unused_submodules delete_submodule double dump_patches eval
execution_order extra_repr float forward get_buffer get_execution_order get_extra_state
get_input_nodes get_parameter get_submodule graph half instantiate_modules ipu items keys
load_state_dict meta modules mtia named_buffers named_children named_modules named_parameters
parameters pop print_readable recompile register_backward_hook register_buffer
register_forward_hook register_forward_pre_hook register_full_backward_hook
register_full_backward_pre_hook register_load_state_dict_post_hook
register_load_state_dict_pre_hook register_module register_parameter
register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ return_state
set_extra_state set_submodule shape_env share_memory state_dict stateful_modules to to_empty
to_folder train training type update values xpu zero_grad
"""
RESERVED = frozenset({"input", "output", *_OF_MODULES.split(), *keyword.kwlist})
"""Reserve these names: only the Input and the Output of a graph may have one."""


class DroppedWarning(UserWarning):
    """Warn that something has no counterpart on the other side, and was left out."""


def load_package() -> NirObject:
    """Return the module ``nir``. Raises BackendUnavailableError if it is missing."""
    try:
        return importlib.import_module("nir")
    except ImportError as exc:
        what, remedy = "the package nir can't be imported", "pip install 'neurorl[nir]'"
        raise BackendUnavailableError("NIR", what, remedy=remedy) from exc


def read_graph(path: Path) -> NirObject:
    """Return the graph of a file. Raises ArgumentError if it is missing or not a NIR file."""
    nir = load_package()
    if not path.is_file():
        raise ArgumentError(f"NIR file {path}", "there is no such file")
    try:
        check_file(path)
        return nir.read(path, type_check=False)
    except Exception as exc:  # h5py and nir raise errors of many kinds
        raise ArgumentError(f"NIR file {path}", "can't be read", got=exc) from exc


def write_graph(path: Path, graph: NirObject) -> None:
    """Write a graph to a file, atomically. Raises ArgumentError if it can't be."""
    file = io.BytesIO()
    load_package().write(file, graph)
    write_bytes(path, file.getvalue(), "NIR file", ArgumentError)
