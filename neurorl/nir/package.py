"""Import the package ``nir`` when it is first needed, and read and write its files."""

from __future__ import annotations

import importlib
import io
import keyword
from pathlib import Path
from typing import Any

from neurorl.errors import ArgumentError, BackendUnavailableError
from neurorl.nir.checks import check_file
from neurorl.storage.files import write_bytes

__all__ = ["RESERVED", "DroppedWarning", "load_package", "read_graph", "write_graph"]

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


def load_package() -> Any:
    """Return the module ``nir``. Raises BackendUnavailableError if it is missing."""
    try:
        return importlib.import_module("nir")
    except ImportError as exc:
        raise BackendUnavailableError(
            "NIR", "the package nir can't be imported", remedy="pip install 'neurorl[nir]'"
        ) from exc


def read_graph(path: Path) -> Any:
    """Return the graph of a file. Raises ArgumentError if it is missing or not a NIR file."""
    nir = load_package()
    if not path.is_file():
        raise ArgumentError(f"NIR file {path}", "there is no such file")
    try:
        check_file(path)
        return nir.read(path, type_check=False)
    except Exception as exc:  # h5py and nir raise errors of many kinds
        raise ArgumentError(f"NIR file {path}", "can't be read", got=exc) from exc


def write_graph(path: Path, graph: Any) -> None:
    """Write a graph to a file, atomically. Raises ArgumentError if it can't be."""
    file = io.BytesIO()
    load_package().write(file, graph)
    write_bytes(path, file.getvalue(), "NIR file", ArgumentError)
