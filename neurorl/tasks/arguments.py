"""Write arguments of environments and wrappers as data, and read them from the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurorl.errors import ArgumentError
from neurorl.storage.plain import DTYPES

__all__ = ["NotDataError", "check_env_args", "decode", "encode", "read_env_args", "read_value"]

_TAG = "$"  # key of what JSON doesn't have
_PLAIN = (bool, int, str, type(None))
_WORDS = {"True": True, "False": False, "None": None}


class NotDataError(Exception):
    """Say what can't be written as data."""


def encode(where: str, value: Any) -> Any:
    """Return *value* as JSON holds it; tuples, arrays and infinities are marked, so that they stay.

    Raises NotDataError for anything that isn't made of numbers, texts, lists, dicts and arrays.
    """
    if type(value) in _PLAIN:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {_TAG: "float", "of": repr(value)}
    if type(value) is list:
        return [encode(where, v) for v in value]
    if type(value) is tuple:
        return {_TAG: "tuple", "of": [encode(where, v) for v in value]}
    if type(value) is dict and all(type(key) is str and key != _TAG for key in value):
        return {key: encode(where, v) for key, v in value.items()}
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.name in DTYPES:
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        shape = {"shape": list(value.shape)} if kind == "array" else {}
        content = encode(where, value.ravel().tolist() if kind == "array" else value.item())
        return {_TAG: kind, "of": content, "dtype": value.dtype.name, **shape}
    raise NotDataError(f"{where} is a {type(value).__name__}, which is not plain data")


def decode(data: Any) -> Any:
    """Return the value that `encode` wrote. Raises ValueError or KeyError for anything else."""
    if isinstance(data, list):
        return [decode(v) for v in data]
    if not isinstance(data, Mapping):
        return data
    if _TAG not in data:
        return {str(key): decode(v) for key, v in data.items()}
    kind, of = data[_TAG], decode(data["of"])
    if kind == "float":
        return float(of)
    if kind == "tuple":
        return tuple(of)
    if kind not in ("array", "scalar") or data["dtype"] not in DTYPES:
        raise ValueError(f"unknown kind of data {kind!r}")
    dtype = np.dtype(data["dtype"])
    return dtype.type(of) if kind == "scalar" else np.array(of, dtype).reshape(data["shape"])


def read_env_args(texts: Sequence[str]) -> dict[str, Any]:
    """Return the arguments named by ``--env-arg K=V``, V read as JSON or else as text.

    Raises ArgumentError.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier() or key == "id":
            remedy = "such as --env-arg is_slippery=false"
            raise ArgumentError("--env-arg", "is not K=V", got=repr(text)[:80], remedy=remedy)
        if key in arguments:
            raise ArgumentError("--env-arg", "is given twice", got=key)
        arguments[key] = read_value(value)
    check_env_args(arguments)
    return arguments


def check_env_args(arguments: Mapping[str, Any]) -> None:
    """Raise ArgumentError unless *arguments* can be stored with a run."""
    for key, value in arguments.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as exc:
            what = "can't be stored with the run"
            limit = "finite numbers, true, false, texts, lists of them"
            raise ArgumentError(
                f"environment argument {key!r}", what, got=repr(value)[:80], limit=limit
            ) from exc


def read_value(text: str) -> Any:
    """Return the value of a command-line word: JSON, one of Python's constants, or text."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
