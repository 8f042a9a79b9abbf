"""List what each function of expressions gives for special values, by hand."""

from __future__ import annotations

import numpy as np

from neurorl.numerics.elementary import exp

_INF, _NAN = np.inf, np.nan
_SMALLEST, _LARGEST = float(exp(-700.0)), float(exp(700.0))

TABLE: list[tuple[str, list[float], list[float]]] = [
    # text of v, what v is, and what the value must be, signs of zeros included
    ("abs(v)", [-2, -0.0, -_INF, _NAN], [2, 0.0, _INF, _NAN]),
    ("sign(v)", [-2, 5e-324, 0.0, -0.0, -_INF, _NAN], [-1, 1, 0.0, 0.0, -1, _NAN]),
    ("floor(v)", [-0.5, 0.5, -0.0, 2.0**60, _INF, _NAN], [-1, 0.0, -0.0, 2.0**60, _INF, _NAN]),
    (
        "trunc(v)",
        [-0.5, 0.5, -1.5, -0.0, 2.0**60, _INF, _NAN],
        [-0.0, 0, -1, -0.0, 2.0**60, _INF, _NAN],
    ),
    ("sqrt(v)", [4, 0.0, -0.0, -1, _INF, _NAN], [2, 0.0, -0.0, _NAN, _INF, _NAN]),
    (
        "exp(v)",
        [0, -0.0, 800, _INF, -800, -_INF, _NAN],
        [1, 1, *[_LARGEST] * 2, *[_SMALLEST] * 2, _NAN],
    ),
    ("log(v)", [1, 0.0, -0.0, -1, _INF, _NAN], [0.0, -_INF, -_INF, _NAN, _INF, _NAN]),
    ("tanh(v)", [0.0, -0.0, 30, -_INF, 5e-324, _NAN], [0.0, -0.0, 1, -1, 5e-324, _NAN]),
    ("sin(v)", [0.0, -0.0, 5e-324, _INF, -_INF, _NAN], [0.0, -0.0, 5e-324, *[_NAN] * 3]),
    ("cos(v)", [0.0, -0.0, 5e-324, _INF, -_INF, _NAN], [1, 1, 1, *[_NAN] * 3]),
    ("sigmoid(v)", [0, 800, -_INF, _NAN], [0.5, 1, _SMALLEST, _NAN]),
    ("min(v, 0)", [1, -1, 0.0, -0.0, -_INF, _NAN], [0.0, -1, 0.0, -0.0, -_INF, _NAN]),
    ("min(0, v)", [1, -1, 0.0, -0.0, -_INF, _NAN], [0.0, -1, 0.0, 0.0, -_INF, _NAN]),
    ("max(v, 0)", [1, -1, 0.0, -0.0, _INF, _NAN], [1, 0.0, 0.0, -0.0, _INF, _NAN]),
    ("max(0, v)", [1, -1, 0.0, -0.0, _INF, _NAN], [1, 0.0, 0.0, 0.0, _INF, _NAN]),
    ("clip(v, 0, 1)", [2, -2, 0.5, -0.0, _INF, _NAN], [1, 0.0, 0.5, -0.0, 1, _NAN]),
    ("clip(v, 1, 0)", [2, -2, 0.5, _NAN], [0.0, 0.0, 0.0, _NAN]),
    ("clip(1, v, 2)", [0, 3, _NAN], [1, 2, _NAN]),
    ("clip(1, 0, v)", [0, 3, _NAN], [0.0, 1, _NAN]),
    ("where(v > 0, v, -v)", [2, -2, 0.0, -0.0, _NAN], [2, 2, -0.0, 0.0, _NAN]),
    ("where(v == v, 1, 2)", [_INF, 0, _NAN], [1, 1, 2]),
    ("where(not v < 1 and v != 2 or False, 1, 2)", [0, 2, 3, _NAN], [2, 2, 1, 1]),
    ("1/v", [0.0, -0.0, _INF, -_INF, 5e-324, _NAN], [_INF, -_INF, 0.0, -0.0, _INF, _NAN]),
    ("v/0", [1, -1, 0.0, _NAN], [_INF, -_INF, _NAN, _NAN]),
    ("1/0 - v", [1, _INF], [_INF, _NAN]),
    ("1e308*10*v", [1, -1, 0.0], [_INF, -_INF, _NAN]),
    ("5e-324*v", [0.5, 0.6, -0.1], [0.0, 5e-324, -0.0]),
    ("v**3", [-2, -0.0, -_INF, 1e200], [-8, -0.0, -_INF, _INF]),
    ("v**1", [-0.0], [-0.0]),
    ("-v", [0.0, -0.0, _INF], [-0.0, 0.0, -_INF]),
    ("0.1 + 0.2 + v", [0.3], [0.1 + 0.2 + 0.3]),
    ("0.1 + (0.2 + v)", [0.3], [0.1 + (0.2 + 0.3)]),
]
