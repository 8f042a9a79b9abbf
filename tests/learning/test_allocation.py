"""Arrays for C: where they begin, and that huge pages change nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from neurorl.numerics import arrays
from neurorl.numerics.arrays import HUGE_PAGE, LINE, zeros_on_lines


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int32])
@pytest.mark.parametrize("shape", [(0,), (3, 5), (2, 1000, 7), (3, 2**20)])
def test_zeros_begin_at_a_line(shape: tuple[int, ...], kind: type[np.generic]) -> None:
    array = zeros_on_lines(shape, kind)
    assert array.shape == shape
    assert array.dtype == kind
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert not array.any()
    assert array.__array_interface__["data"][0] % LINE == 0
    array[...] = 1
    assert array.all()


def test_large_arrays_begin_at_a_huge_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are none, arrays are as small ones are."""
    shape = (2 * HUGE_PAGE // 4, 2)
    if arrays._huge(HUGE_PAGE) is not None:
        assert zeros_on_lines(shape, np.int32).__array_interface__["data"][0] % HUGE_PAGE == 0
    monkeypatch.setattr(arrays, "_huge", lambda size: None)
    array = zeros_on_lines(shape, np.int32)
    assert array.shape == shape
    assert array.__array_interface__["data"][0] % LINE == 0
    assert not array.any()
