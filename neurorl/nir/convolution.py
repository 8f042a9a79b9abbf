"""Hold linear maps as lists of synapses: convolutions and pooling, found in such lists too.

Images are ``(channels, height, width)``, for Conv1d ``(channels, length)``, flattened in C order.
Padding, stride and dilation mean what they mean to ``torch.nn.functional.conv2d``; an average pool
divides by the size of its kernel, at the edges too.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError, UnsupportedError
from neurorl.network.limits import MAX_SIZE, MAX_WEIGHTS, check_limit
from neurorl.network.synapse_list import SynapseList, listed
from neurorl.nir.package import NirObject
from neurorl.numerics.arrays import FloatArray

Indices = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class SparseMap:
    """Hold the weights that aren't zero, one for each pair of an input and an output."""

    synapses: SynapseList
    values: FloatArray

    @classmethod
    def of(cls, pre: Indices, post: Indices, values: FloatArray, sizes: tuple[int, int]) -> Self:
        """Return the map of entries in any order; several entries of a pair are added.

        sizes: ``(n_pre, n_post)``.
        """
        places, first = np.unique(pre.astype(np.int64) * sizes[1] + post, return_inverse=True)
        sums = np.bincount(first, values, len(places))
        kept = sums != 0
        rows, columns = np.divmod(places[kept], sizes[1])
        return cls(listed(rows, columns.astype(np.int32), sizes), sums[kept])

    @property
    def n_pre(self) -> int:
        """Return the number of inputs."""
        return self.synapses.n_pre

    def __len__(self) -> int:
        return self.synapses.n_post

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the outputs, ``(n_post,)``, for inputs ``(n_pre,)``."""
        return self.synapses.sums(self.values * values[self.synapses.pre])

    def scaled(self, scale: FloatArray) -> SparseMap:
        """Return the map with each output multiplied by its *scale*, ``(n_post,)``."""
        return SparseMap(self.synapses, self.values * scale[self.synapses.post])

    def after(self, first: SparseMap | FloatArray, where: str) -> SparseMap:
        """Return this map applied after *first*, one weight for each channel or a map.

        Raises DescriptionError for more weights than a projection may have, naming *where*.
        """
        if not isinstance(first, SparseMap):
            return SparseMap(self.synapses, self.values * first[self.synapses.pre])
        counts = np.diff(self.synapses.start)[first.synapses.post]
        check_limit(where, "weights", int(counts.sum()), MAX_WEIGHTS)
        numbers = self.synapses.of(first.synapses.post.astype(np.intp))
        pre, post = np.repeat(first.synapses.pre, counts), self.synapses.post[numbers]
        values = np.repeat(first.values, counts) * self.values[numbers]
        return SparseMap.of(pre, post, values, (first.n_pre, len(self)))

    def through(self, matrix: FloatArray) -> FloatArray:
        """Return the matrix ``(n, n_pre)`` of *matrix*, ``(n, n_post)``, applied after this map."""
        product = np.zeros((len(matrix), self.n_pre))
        for i in np.flatnonzero(np.diff(self.synapses.start)):
            part = slice(self.synapses.start[i], self.synapses.start[i + 1])
            product[:, i] = matrix[:, self.synapses.post[part]] @ self.values[part]
        return product

    @classmethod
    def of_matrix(cls, matrix: FloatArray) -> SparseMap:
        """Return the map of a matrix ``(n_post, n_pre)``."""
        post, pre = np.nonzero(matrix)
        return cls.of(pre, post, matrix[post, pre], (matrix.shape[1], matrix.shape[0]))


IMAGES = {"Conv1d": 1, "Conv2d": 2, "SumPool2d": 2, "AvgPool2d": 2}
"""Name the nodes that slide a window over an image, and its dimensions."""

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Kernel:
    """Hold a kernel that slides over an image.

    kernel: ``(c_out, c_in / groups, *size)``. before, after: zeros around the image, for each
    dimension. shape: shape of the image, with its channels. bias: ``(c_out,)``.
    """

    shape: Shape
    kernel: FloatArray
    stride: Shape
    before: Shape
    after: Shape
    dilation: Shape
    groups: int
    bias: FloatArray

    @property
    def output(self) -> Shape:
        """Return the shape of the output."""
        image, taps = np.array(self.shape[1:]), np.array(self.kernel.shape[2:])
        covered = np.array(self.dilation) * (taps - 1) + 1
        sizes = (image + self.before + self.after - covered) // self.stride + 1
        return (len(self.kernel), *sizes.tolist())

    def map(self) -> SparseMap:
        """Return the weights as a list of synapses."""
        out, image = self.output, self.shape
        c_out, c_in = self.kernel.shape[:2]
        first = np.arange(c_out) // (c_out // self.groups) * c_in
        pixels = np.arange(math.prod(image[1:])).reshape(image[1:])
        places = np.arange(math.prod(out[1:])).reshape(out[1:])
        pre, post, values = [], [], []
        for at, tap in enumerate(itertools.product(*(range(n) for n in self.kernel.shape[2:]))):
            inside = [self._inside(dim, k) for dim, k in enumerate(tap)]
            at_pre = pixels[np.ix_(*(pixel for pixel, _ in inside))].ravel()
            at_post = places[np.ix_(*(place for _, place in inside))].ravel()
            for c in range(c_in):
                sizes = (c_out, len(at_pre))
                pre.append(((first + c)[:, None] * pixels.size + at_pre).ravel())
                post.append((np.arange(c_out)[:, None] * places.size + at_post).ravel())
                weights = self.kernel.reshape(c_out, c_in, -1)[:, c, [at]]
                values.append(np.broadcast_to(weights, sizes).ravel())
        ends = (math.prod(image), math.prod(out))
        return SparseMap.of(np.concatenate(pre), np.concatenate(post), np.concatenate(values), ends)

    def _inside(self, dim: int, tap: int) -> tuple[NirObject, NirObject]:
        """Return the pixels, and the places of the output, that a tap of the kernel connects."""
        place = np.arange(self.output[1 + dim])
        pixel = place * self.stride[dim] - self.before[dim] + tap * self.dilation[dim]
        kept = (pixel >= 0) & (pixel < self.shape[1 + dim])
        return pixel[kept], place[kept]


def window_of(name: str, node: NirObject, shape: Shape) -> Kernel:
    """Return the window of a node for images of this shape. Raises DescriptionError."""
    kind, where = type(node).__name__, f"NIR node {name!r}"
    n = IMAGES[kind]
    if kind.startswith("Conv"):
        kernel = np.asarray(node.weight, dtype=np.float64)
        groups = _whole(where, "groups", node.groups, 1, 1)[0]
        dilation = _whole(where, "dilation", node.dilation, n, 1)
        bias = np.zeros(1) if node.bias is None else np.asarray(node.bias, dtype=np.float64).ravel()
    else:
        size = _whole(where, "kernel_size", node.kernel_size, n, 1)
        share = 1.0 / math.prod(size) if kind == "AvgPool2d" else 1.0
        check_limit(where, "pixels of its kernel", math.prod(size), MAX_SIZE)
        groups, dilation, bias = shape[0], (1,) * n, np.zeros(1)
        kernel = np.full((groups, 1, *size), share)
    _check_image(where, shape, kernel, groups, n)
    if len(bias) not in (1, len(kernel)):
        raise DescriptionError(f"{where}, bias", "of another size", got=len(bias))
    stride = _whole(where, "stride", node.stride, n, 1)
    before, after = _padding(where, node.padding, kernel.shape[2:], dilation, stride)
    window = Kernel(shape, kernel, stride, before, after, dilation, groups, bias)
    if min(window.output) < 1:
        raise DescriptionError(where, "its kernel is larger than the image", got=kernel.shape[2:])
    check_limit(where, "channels", math.prod(window.output), MAX_SIZE)
    check_limit(where, "weights", math.prod(window.output[1:]) * kernel.size, MAX_WEIGHTS)
    return window


def _check_image(where: str, shape: Shape, kernel: FloatArray, groups: int, n: int) -> None:
    if kernel.ndim != n + 2:
        raise DescriptionError(f"{where}, weight", f"needs {n + 2} dimensions", got=kernel.shape)
    if len(shape) != n + 1:
        what, remedy = f"needs an image of {n + 1} dimensions", "give the node its input_shape"
        raise DescriptionError(where, what, got=shape, remedy=remedy)
    if len(kernel) % groups or kernel.shape[1] * groups != shape[0]:
        what = "takes another number of channels"
        raise DescriptionError(where, what, got=shape[0], limit=kernel.shape[1] * groups)


def _whole(where: str, field: str, value: object, n: int, least: int) -> Shape:
    """Return a whole number for each of *n* dimensions."""
    numbers = np.asarray(value).ravel()
    is_whole = numbers.dtype.kind == "f" and (numbers == np.rint(numbers)).all()
    if numbers.dtype.kind not in "iu" and not is_whole:
        raise DescriptionError(f"{where}, {field}", "not whole numbers", got=value)
    if len(numbers) not in (1, n) or numbers.min() < least or numbers.max() > MAX_SIZE:
        limit = f"{n} numbers from {least} on"
        raise DescriptionError(f"{where}, {field}", "out of range", got=value, limit=limit)
    return tuple(int(numbers[k % len(numbers)]) for k in range(n))


def _padding(
    where: str, value: object, size: Shape, dilation: Shape, stride: Shape
) -> tuple[Shape, Shape]:
    """Return the zeros before and after the image."""
    text = value.decode() if isinstance(value, bytes) else value
    if not isinstance(text, str) or text == "valid":
        padding = _whole(where, "padding", 0 if isinstance(text, str) else value, len(size), 0)
        return padding, padding
    if text != "same" or max(stride) > 1:
        what, limit = "unknown", "numbers, 'valid', or 'same' with a stride of 1"
        raise UnsupportedError(f"{where}, padding", what, got=text, limit=limit)
    total = [d * (k - 1) for d, k in zip(dilation, size, strict=True)]
    return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)


def find_convolution(weights: SparseMap, shape: Shape, output: Shape) -> Kernel | None:
    """Return the convolution of an image of *shape* that equals this map exactly, or None.

    Dilation and groups become zeros of the kernel.
    """
    if len(shape) != 3 or len(output) != 3 or not len(weights.values):
        return None
    pre = np.unravel_index(weights.synapses.pre, shape)
    post = np.unravel_index(weights.synapses.post, output)
    stride = tuple(_stride(pre[d], post[d], shape[d]) for d in (1, 2))
    offset = [pre[d] - stride[d - 1] * post[d] for d in (1, 2)]
    before = tuple(max(0, -int(o.min())) for o in offset)
    taps = [o + b for o, b in zip(offset, before, strict=True)]
    kernel = np.zeros((output[0], shape[0], int(taps[0].max()) + 1, int(taps[1].max()) + 1))
    kernel[post[0], pre[0], taps[0], taps[1]] = weights.values
    window = Kernel(shape, kernel, stride, before, before, (1, 1), 1, np.zeros(output[0]))
    return window if window.output == output and _equal(window.map(), weights) else None


def _stride(pre: NirObject, post: NirObject, n: int) -> int:
    """Return the stride with which the synapses of one dimension span the smallest kernel."""
    return min(range(1, n + 1), key=lambda stride: np.ptp(pre - stride * post))


def window_node(nir: NirObject, window: Kernel, bias: FloatArray | None) -> NirObject:
    """Return the NIR node of a convolution with one group, or of a pool.

    bias: one for each channel, or None.
    """
    kernel = window.kernel
    own = np.eye(*kernel.shape[:2]) > 0
    share = float(kernel[0, 0, 0, 0])
    size = np.array(kernel.shape[2:])
    names = {1.0: nir.SumPool2d, 1.0 / size.prod(): nir.AvgPool2d}
    slides = {"stride": np.array(window.stride), "padding": np.array(window.before)}
    is_pool = bool((kernel[own] == share).all() and not kernel[~own].any())
    if bias is None and len(own) == own.shape[1] and is_pool and share in names:
        return names[share](kernel_size=size, **slides)
    added = np.zeros(len(kernel)) if bias is None else bias
    image = tuple(window.shape[1:])
    return nir.Conv2d(image, kernel, window.stride, window.before, window.dilation, 1, added)


def _equal(one: SparseMap, other: SparseMap) -> bool:
    parts = ((x.synapses.start, x.synapses.post, x.values) for x in (one, other))
    return all(map(np.array_equal, *parts))
