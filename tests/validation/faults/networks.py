"""Make the networks that the faults are put into."""

from __future__ import annotations

import numpy as np

from neurorl.models import ADAPTIVE_LIF, COBA_LIF, GLM, LIF, CubaLIF, actor_network
from neurorl.network.description import Network, Population, Projection, Source, Uniform


def _two(neuron: object, n: int = 9, m: int = 4) -> Network:
    return Network(
        (Source("input", 7), Population("cells", n, neuron), Population("last", m, neuron)),  # type: ignore[arg-type]
        (
            Projection("drive", "input", "cells", Uniform(-0.3, 0.8)),
            Projection("next", "cells", "last", Uniform(-0.2, 0.7)),
        ),
    )


def lif() -> Network:
    """Return two layers without currents, refractory."""
    return _two(LIF(12e-3, 0.9, bias=0.03, refractory=2e-3))


def cuba() -> Network:
    """Return two layers with currents, biases and refractory periods."""
    return _two(CubaLIF(3e-3, 11e-3, 0.8, 0.04, 0.0, refractory=3e-3))


def noisy() -> Network:
    """Return two layers with escape noise."""
    return _two(CubaLIF(2e-3, 9e-3, 0.7, 0.02, 0.15, refractory=2e-3))


def glm() -> Network:
    """Return units that forget everything but their noise."""
    return _two(GLM(bias=-0.4))


def loop() -> Network:
    """Return a recurrent population with noise, and a loop over a second one."""
    cell = CubaLIF(2.5e-3, 14e-3, 0.6, 0.01, 0.08)
    return Network(
        (Source("input", 5), Population("cells", 8, cell), Population("more", 5, cell)),
        (
            Projection("drive", "input", "cells", Uniform(0.0, 0.8)),
            Projection("own", "cells", "cells", Uniform(-0.4, 0.4)),
            Projection("out", "cells", "more", Uniform(-0.1, 0.6)),
            Projection("back", "more", "cells", Uniform(-0.4, 0.2), delay=2e-3),
        ),
    )


def delayed() -> Network:
    """Return delays of several steps."""
    return Network(
        (
            Source("input", 6),
            Population("cells", 7, CubaLIF(2e-3, 8e-3, 0.7, refractory=1e-3)),
            Population("last", 4, LIF(9e-3, 0.8)),
        ),
        (
            Projection("near", "input", "cells", Uniform(0.0, 0.8)),
            Projection("far", "input", "last", Uniform(0.0, 0.8), delay=4e-3),
            Projection("next", "cells", "last", Uniform(-0.2, 0.8), delay=3e-3),
        ),
    )


def signed() -> Network:
    """Return signed projections, written from time to time."""
    return actor_network(5, 2, neuron=GLM(), actors=2, hidden=3, signed=True, initial_output=0.5)


def uneven() -> Network:
    """Return neurons with parameters of their own."""
    k = np.arange(8)
    cell = CubaLIF(
        1e-3 * (1 + k % 3), 3e-3 * (1 + k), 0.5 + 0.1 * (k % 4), 0.02 * (1 + k), 0.0, 1e-3 * (k % 3)
    )
    return Network(
        (Source("input", 6), Population("cells", 8, cell)),
        (Projection("drive", "input", "cells", Uniform(-0.4, 0.9)),),
    )


def square(n: int = 6, tau_syn: float = 0.0, refractory: float = 2e-3) -> Network:
    """Return as many neurons as inputs, and as many again."""
    cell = CubaLIF(tau_syn, 9e-3, 0.8, 0.02, 0.0, refractory=refractory)
    return Network(
        (Source("input", n), Population("cells", n, cell), Population("last", n, cell)),
        (
            Projection("drive", "input", "cells", Uniform(-0.3, 0.9)),
            Projection("next", "cells", "last", Uniform(-0.2, 0.8), delay=2e-3),
        ),
    )


def equal(weight: float = 0.4, n: int = 10) -> Network:
    """Return neurons that differ in their inputs alone, with thresholds that sums can meet."""
    cell = LIF(10e-3, 1.0)
    return Network(
        (Source("input", n), Population("cells", 5, cell), Population("last", 3, LIF(8e-3, 0.5))),
        (
            Projection("drive", "input", "cells", Uniform(0.0, weight)),
            Projection("next", "cells", "last", Uniform(0.0, 0.6)),
        ),
    )


def own() -> Network:
    """Return neurons by equations, with conductances and adaptation."""
    adaptive = ADAPTIVE_LIF.with_parameters(v_t=0.5, tau_a=30e-3)
    return Network(
        (Source("input", 8), Population("coba", 6, COBA_LIF), Population("adaptive", 6, adaptive)),
        (
            Projection("excites", "input", "coba", Uniform(0.2, 1.0), target="ge"),
            Projection("inhibits", "input", "coba", Uniform(0.0, 0.4), delay=2e-3, target="gi"),
            Projection("second", "coba", "adaptive", Uniform(0.1, 0.8)),
        ),
    )
