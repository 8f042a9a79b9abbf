"""Give C the features of an agent: those that it computes, and the values of others."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorl.models import features as maps
from neurorl.models.features.of_others import BlockMeans
from neurorl.native import structures as c


class Given:
    """Give C the values of features that it has no twin of, in place of an observation."""

    def __init__(self, features: maps.Features) -> None:
        self.size = self.n_inputs = features.size
        self.flat = features.__call__


def seen_by_c(features: maps.Features) -> maps.Features | Given:
    """Return *features*, or if C would take their inputs for their values, `Given` of them."""
    return features if is_compiled(features) else Given(features)


def is_compiled(features: maps.Features) -> bool:
    """Return whether C knows the values of these features, or there is nothing to know."""
    leaves = [leaf for leaf, _ in _leaves(features)]
    return all(type(f) in _KINDS or type(f).values is maps.Features.values for f in leaves)


def in_c(features: maps.Features | Given) -> c.Struct:
    """Return the structure of a feature map."""
    parts = [_part(*leaf) for leaf in _leaves(features)]
    sizes = {"n_inputs": features.n_inputs, "size": features.size}
    return c.Features(n_parts=len(parts), parts=parts, **sizes)


def _part(features: Any, usual: Any) -> c.Struct:
    """Return the structure of one part; *usual*, if not None, is taken off its values."""
    kind, values = _KINDS.get(type(features), "given"), dict[str, Any]()
    if kind != "given":
        names = {str(name) for name, *_ in c.Part._fields_} - {"kind", "size", "usual"}
        values = {name: getattr(features, name) for name in names if hasattr(features, name)}
    if usual is not None:
        values["usual"] = usual
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            whole = np.int64 if value.dtype.kind == "i" else None
            values[name] = np.ascontiguousarray(value, whole)
    number = c.choices(c.AGENT, "Kind")[kind]
    return c.Part(kind=number, d=features.n_inputs, size=features.size, **values)


def _leaves(features: Any) -> list[tuple[Any, Any]]:
    """Return the parts that C++ computes, each with what is taken off its values, or None."""
    if type(features) in (BlockMeans, maps.Select, maps.SelectChanges, maps.SelectParts):
        return _leaves(features.of)  # `flat` has taken the means, or the numbers
    if type(features) is maps.HashedStates:
        return _leaves(features.tables)  # `flat` has taken the hash
    if type(features) is maps.Concat:
        return [leaf for part in features.parts for leaf in _leaves(part)]
    if type(features) is maps.SubtractMean and type(features.of) is not maps.SubtractMean:
        leaves = _leaves(features.of)
        if all(usual is None for _, usual in leaves):
            parts = np.split(features.usual, np.cumsum([leaf.size for leaf, _ in leaves])[:-1])
            return [(leaf, usual) for (leaf, _), usual in zip(leaves, parts, strict=True)]
    return [(features, None)]


_KINDS: dict[type, str] = {
    maps.OneHot: "one-hot",
    maps.JointStates: "one-hot",
    maps.PlaceCells: "table",
    maps.Combinations: "table",
    maps.GaussianCells: "gaussian",
    maps.RBF: "joint",
    maps.Tiles: "tiles",
    maps.BinnedCombinations: "bins",
    maps.Fourier: "fourier",
}
