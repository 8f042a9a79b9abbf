"""Draw NIR graphs with convolutions, pools and loops, and play them with PyTorch's functions.

Layers answer in the step of their input, loops a step later. All weights are multiples of 1/32 and
all factors powers of 2, so every sum is exact in whatever order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

DT = 2.0**-10
Raster = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]


class Drawn:
    """Hold a graph, a chain of nodes with loops, and its layers of neurons by name."""

    def __init__(self, nir: Any, seed: int) -> None:
        self._nir, self._rng = nir, np.random.default_rng(seed)
        self.shape: tuple[int, ...] = tuple(
            int(n) for n in self._rng.integers((1, 5, 5), (4, 9, 9))
        )
        self.nodes: dict[str, Any] = {"input": nir.Input(np.array(self.shape))}
        self.edges: list[tuple[str, str]] = []
        self.loops: dict[str, str] = {}
        self.layers: list[str] = []
        self._last = "input"

    def add(self, node: Any, shape: tuple[int, ...]) -> str:
        """Append a node that puts out *shape*."""
        name = f"{type(node).__name__.lower()}{len(self.nodes)}"
        self.nodes[name] = node
        self.edges.append((self._last, name))
        self._last, self.shape = name, shape
        return name

    def convolve(self, with_shape: bool) -> None:
        """Append a Conv2d of drawn stride, padding, dilation and groups."""
        rng, nir = self._rng, self._nir
        c, *image = self.shape
        groups = int(rng.choice([g for g in (1, 2, 3) if c % g == 0]))
        out = groups * int(rng.integers(1, 3))
        size = rng.integers(1, 4, 2)
        dilation = rng.integers(1, 3, 2)
        stride, padding = rng.integers(1, 3, 2), rng.integers(0, 3, 2)
        padding = np.maximum(padding, (dilation * (size - 1) + 2 - image) // 2)
        weight = np.rint(rng.normal(0.3, 0.6, (out, c // groups, *size)) * 32) / 32
        bias = np.rint(rng.uniform(-4, 8, out)) / 32
        node = nir.Conv2d(
            input_shape=tuple(image) if with_shape else None,
            weight=weight,
            stride=tuple(map(int, stride)),
            padding=tuple(map(int, padding)),
            dilation=tuple(map(int, dilation)),
            groups=groups,
            bias=bias,
        )
        after = (image + 2 * padding - dilation * (size - 1) - 1) // stride + 1
        self.add(node, (out, *map(int, after)))

    def pool(self, average: bool) -> None:
        """Append a pool of 2 by 2, or of less at small images, with or without padding."""
        c, *image = self.shape
        size = np.minimum(2, image)
        stride, padding = self._rng.integers(1, 3, 2), self._rng.integers(0, 2, 2) * (size > 1)
        kind = self._nir.AvgPool2d if average else self._nir.SumPool2d
        after = (np.array(image) + 2 * padding - size) // stride + 1
        self.add(kind(size, stride, padding), (c, *map(int, after)))

    def neurons(self, loop: bool = False) -> None:
        """Append LIF, CubaLIF or IF neurons of the shape so far, with a loop if that is wanted."""
        nir, rng, shape = self._nir, self._rng, self.shape
        full = {
            "v_threshold": rng.integers(8, 24, shape) / 16,
            "v_reset": np.zeros(shape),
        }
        kind = rng.choice(["LIF", "CubaLIF", "IF"])
        forgets = rng.choice([0.25, 0.5], shape)
        if kind == "IF":
            node = nir.IF(r=np.full(shape, 1 / DT), **full)
        elif kind == "LIF":
            node = nir.LIF(tau=DT / forgets, r=1 / forgets, v_leak=np.zeros(shape), **full)
        else:
            ones = np.ones(shape)
            node = nir.CubaLIF(
                tau_syn=2 * DT * ones,
                tau_mem=DT / forgets,
                r=1 / forgets,
                v_leak=0 * ones,
                w_in=2 * ones,
                **full,
            )
        name = self.add(node, shape)
        self.layers.append(name)
        if loop:
            weight = np.rint(rng.normal(0.0, 0.5, (shape[0], shape[0])) * 32) / 32
            self.nodes[f"{name}_loop"] = nir.Linear(weight)
            self.edges += [(name, f"{name}_loop"), (f"{name}_loop", name)]
            self.loops[name] = f"{name}_loop"

    def flatten(self, n: int) -> None:
        """Append a Flatten and an Affine to *n* channels."""
        size = int(np.prod(self.shape))
        self.add(self._nir.Flatten(np.array(self.shape), 0, -1), (size,))
        self.affine(n)

    def affine(self, n: int) -> None:
        """Append an Affine to *n* channels."""
        (size,) = self.shape
        weight = np.rint(self._rng.normal(0.2, 2.0 / size**0.5, (n, size)) * 32) / 32
        self.add(self._nir.Affine(weight, np.rint(self._rng.uniform(-4, 4, n)) / 32), (n,))

    def graph(self) -> Any:
        """Return the graph, with an Output at its end."""
        nodes = {**self.nodes, "output": self._nir.Output(np.array(self.shape))}
        return self._nir.NIRGraph(nodes, [*self.edges, (self._last, "output")], type_check=False)


def random_graph(nir: Any, seed: int) -> Drawn:
    """Draw two layers of images, some pooled, then two flat ones with loops."""
    drawn, rng = Drawn(nir, seed), np.random.default_rng((seed, 1))
    for _ in range(2):
        drawn.convolve(bool(rng.integers(2)))
        if rng.integers(2):
            drawn.pool(bool(rng.integers(2)))
        drawn.neurons()
        if rng.integers(2):
            drawn.pool(bool(rng.integers(2)))
    drawn.flatten(int(rng.integers(3, 8)))
    drawn.neurons(loop=True)
    drawn.affine(4)
    drawn.neurons(loop=bool(rng.integers(2)))
    return drawn


def play_graph(drawn: Drawn, inputs: Raster) -> dict[str, Raster]:
    """Return the spikes ``(steps, n)`` of each layer in the order of C, by PyTorch in float64."""
    import torch

    torch.set_num_threads(1)  # images this small take longer on several
    state: dict[str, Any] = {}
    rows: dict[str, list[Values]] = {name: [] for name in drawn.layers}
    for row in inputs:
        x = torch.tensor(row, dtype=torch.float64)[None]
        for pre, name in drawn.edges:
            if not {pre, name} & {*drawn.loops.values()}:
                x = _output(drawn, name, x, state)
                if name in rows:
                    rows[name].append(x[0].numpy().ravel())
    return {name: np.array(spikes) > 0 for name, spikes in rows.items()}


def _output(drawn: Drawn, name: str, x: Any, state: dict[str, Any]) -> Any:
    """Return what a node makes of ``(1, ...)`` in one step."""
    import torch
    from torch.nn import functional

    node = drawn.nodes[name]

    def tensor(value: Any) -> Any:
        return torch.tensor(value, dtype=torch.float64)

    kind = type(node).__name__
    if kind == "Conv2d":
        more = (node.stride, node.padding, node.dilation, node.groups)
        return functional.conv2d(x, tensor(node.weight), tensor(node.bias), *more)
    if kind in ("SumPool2d", "AvgPool2d"):
        size, stride, padding = (
            tuple(map(int, v)) for v in (node.kernel_size, node.stride, node.padding)
        )
        pooled = functional.avg_pool2d(x, size, stride, padding)
        return pooled * (size[0] * size[1]) if kind == "SumPool2d" else pooled
    if kind == "Flatten":
        return x.flatten(1)
    if kind == "Affine":
        return functional.linear(x, tensor(node.weight), tensor(node.bias))
    if name in drawn.loops:
        before = state.get(f"{name} spikes", torch.zeros_like(x))
        x = x + functional.linear(before, tensor(drawn.nodes[drawn.loops[name]].weight))
    zeros = torch.zeros_like(x)
    if kind == "CubaLIF":
        i = state.get(f"{name} i", zeros)
        x = state[f"{name} i"] = i + DT / tensor(node.tau_syn) * (-i + tensor(node.w_in) * x)
    v = state.get(name, zeros)
    if kind == "IF":
        v = v + DT * tensor(node.r) * x
    else:
        tau = tensor(node.tau if kind == "LIF" else node.tau_mem)
        v = v + DT / tau * (tensor(node.v_leak) - v + tensor(node.r) * x)
    spikes = (v > tensor(node.v_threshold)).to(torch.float64)
    state[name], state[f"{name} spikes"] = v * (1 - spikes), spikes
    return spikes
