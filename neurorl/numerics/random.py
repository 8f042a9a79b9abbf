"""Draw random numbers by a counter, so that no state is saved and every backend agrees.

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). The key is the
seed; the counter is (neuron, step // 4, stream), and step % 4 picks one of the block's four words.
The stream is the index of the population in its network; draws that belong to no population use
the `Stream` numbers, from 2**31 up.
"""

from __future__ import annotations

import enum
import functools
import operator
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import FloatArray, IntArray
from neurorl.storage.plain import check_count

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_CHUNK = 256


def read_seed(seed: object, where: str = "seed") -> int:
    """Return *seed* as an int. Raises ArgumentError unless it is a whole number of 63 bits."""
    return check_count(where, seed, 0, 2**63 - 1)


class Stream(enum.IntEnum):
    """Number the streams of draws that belong to no population."""

    ACTION = 0x80000000
    ENCODER = 0x80000001
    DERIVE = 0x80000002
    FEEDBACK = 0x80000003
    CONNECT = 0x80000004
    DELAYS = 0x80000005
    PLACES = 0x80000006
    WEIGHTS = 0x80000100
    WRITES = 0x81000000
    WRITES_AT_ENDS = 0x82000000
    COINS = 0x84000000
    POISSON = 0x85000000
    OF_EQUATIONS = 0x86000000


def philox4x32(counter: tuple[npt.ArrayLike, ...], seed: int) -> tuple[U64, U64, U64, U64]:
    """Return four words (uint64 arrays below 2**32) for each counter: 10 rounds of Philox 4x32.

    counter: four words of 32 bits, broadcast together. seed: the key, of 64 bits.
    """
    c0, c1, c2, c3 = (np.asarray(c, dtype=np.uint64) for c in counter)
    for k0, k1 in _keys(operator.index(seed) & 0xFFFFFFFFFFFFFFFF):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c2 = (p1 >> _HALF) ^ c1 ^ np.uint64(k0), (p0 >> _HALF) ^ c3 ^ np.uint64(k1)
        c1, c3 = p1 & _MASK, p0 & _MASK
    return c0, c1, c2, c3


def words(seed: int, stream: int, n: int, first_step: int, n_steps: int) -> U32:
    """Return the 32-bit draws of *n* neurons in steps *first_step*...: shape ``(n_steps, n)``."""
    low_block, high_block = first_step >> 2, (first_step + n_steps + 3) >> 2
    blocks = np.arange(low_block, high_block, dtype=np.uint64)[:, None]
    neurons = np.arange(n, dtype=np.uint64)[None, :]
    drawn = philox4x32((neurons, blocks & _MASK, blocks >> _HALF, stream), seed)
    rows = np.stack(drawn, axis=1).astype(np.uint32).reshape(-1, n)
    start = first_step - 4 * low_block
    return rows[start : start + n_steps]


def uniforms(seed: int, stream: int, n: int, step: int) -> FloatArray:
    """Return *n* numbers in (0, 1), (word + 1/2) / 2**32, of one step."""
    return to_unit(words(seed, stream, n, step, 1)[0])


def uniforms_at(seed: int, stream: int, places: IntArray, steps: npt.ArrayLike) -> FloatArray:
    """Return a number in (0, 1) for each place, as `uniforms` does, each at a step of its own.

    places: indices of neurons, or of anything, up to 2**64; for places >= 2**32 their high word
        replaces the step's. steps: below 2**32, one for all or one for each place.
    """
    at, step = places.astype(np.uint64), np.asarray(steps, dtype=np.uint64)
    drawn = philox4x32((at & _MASK, step >> np.uint64(2), at >> _HALF, stream), seed)
    if not step.any():
        return to_unit(drawn[0].astype(np.uint32))
    chosen = np.choose((step & np.uint64(3)).astype(np.intp), drawn)
    return to_unit(chosen.astype(np.uint32))


def to_unit(drawn: U32) -> FloatArray:
    """Convert words to numbers in (0, 1): (word + 1/2) / 2**32."""
    # + 1/2, so that neither 0 nor 1 is drawn and logarithms are finite.
    return np.asarray((drawn + 0.5) * 2.0**-32, dtype=np.float64)


def derive(seed: int, *purpose: int) -> int:
    """Return a new seed of 63 bits, from a seed and up to two numbers for its purpose."""
    seed, a, b = map(operator.index, (seed, *(*purpose, 0, 0)[:2]))  # NumPy's overflow
    c0, c1, c2, c3 = a & 0xFFFFFFFF, b & 0xFFFFFFFF, b >> 32, int(Stream.DERIVE)
    for k0, k1 in _keys(seed & 0xFFFFFFFFFFFFFFFF):  # quicker here than `philox4x32`
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1 = p1 >> 32 ^ c1 ^ k0, p1 & 0xFFFFFFFF
        c2, c3 = p0 >> 32 ^ c3 ^ k1, p0 & 0xFFFFFFFF
    # 63 bits, so that a seed fits into int64.
    return (c0 & 0x7FFFFFFF) << 32 | c1


def derive_several(seed: int, purpose: int, first: int, n: int) -> list[int]:
    """Return `derive` of *purpose* and each of the *n* numbers from *first* on.

    For many numbers it takes a fifth of the time of single calls.
    """
    numbers = np.arange(first, first + n, dtype=np.uint64)
    counter = (purpose, numbers & _MASK, numbers >> _HALF, Stream.DERIVE)
    high, low, *_ = philox4x32(counter, seed)
    derived: list[int] = ((high & np.uint64(0x7FFFFFFF)) << _HALF | low).tolist()
    return derived


@functools.lru_cache(maxsize=256)
def _keys(seed: int) -> tuple[tuple[int, int], ...]:
    """Return the keys of the ten rounds for a seed of 64 bits."""
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    return tuple(((k0 + n * _W0) & 0xFFFFFFFF, (k1 + n * _W1) & 0xFFFFFFFF) for n in range(10))


LOGISTIC_BITS = 14


def _logistic_table() -> FloatArray:
    p = (np.arange(2 ** (LOGISTIC_BITS - 1)) + 0.5) / 2**LOGISTIC_BITS
    # Rounded, so that logarithms that differ in their last bits give the same table.
    lower = np.rint(np.log(p / (1 - p)) * 2.0**40) * 2.0**-40
    table = np.concatenate([lower, -lower[::-1]])
    table.setflags(write=False)
    return np.asarray(table, dtype=np.float64)


LOGISTIC_TABLE = _logistic_table()
"""Hold the quantiles of the standard logistic distribution at the middles of 2**14 equal parts.

A draw is the entry at the word's upper 14 bits, so P(L > x) differs from sigmoid(-x) by at most
2**-15, and no simulator needs a logarithm that agrees with another's in the last bit.
"""


def logistic(drawn: U32) -> FloatArray:
    """Convert words to standard logistic draws, one for each."""
    return np.asarray(LOGISTIC_TABLE[drawn >> np.uint32(32 - LOGISTIC_BITS)])


class DrawRows:
    """Draw a stream row by row, one row a step, in chunks ahead of use.

    seed, stream, n: as in `words`. convert: turns words into numbers.
    A row depends only on the step, not on earlier calls.
    """

    def __init__(
        self, seed: int, stream: int, n: int, convert: Callable[[U32], FloatArray] = to_unit
    ) -> None:
        self._args = (seed, stream, n)
        self._convert = convert
        self._number = -1
        self._rows = np.empty((0, n))

    def __call__(self, step: int) -> FloatArray:
        """Return the draws of one step, shape ``(n,)``."""
        number, row = divmod(step, _CHUNK)
        if number != self._number:
            self._rows = self._convert(words(*self._args, number * _CHUNK, _CHUNK))
            self._number = number
        return np.asarray(self._rows[row])

    def rows(self, step: int, n_steps: int) -> FloatArray:
        """Return the draws of *n_steps* steps from *step*, shape ``(n_steps, n)``; not cached."""
        return self._convert(words(*self._args, step, n_steps))


NoiseRows = functools.partial(DrawRows, convert=logistic)
"""Draw standard logistic numbers, for escape noise."""
