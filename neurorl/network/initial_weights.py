"""Draw the weights that projections have before learning."""

from __future__ import annotations

import numpy as np

from neurorl.network.description import Network, Uniform
from neurorl.network.synapse_list import repeats
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import Stream, uniforms, uniforms_at


def initial_weights(network: Network, name: str, seed: int) -> FloatArray:
    """Return a projection's weights before learning, 0 where masked; *seed* draws `Uniform`.

    A listed synapse has the draw of its place in a matrix; further ones between the same two
    neurons have later draws.
    """
    projection = network.projection(name)
    shape = network.weight_shape(name)
    synapses = network.synapses(name)
    if isinstance(projection.weights, Uniform):
        stream = Stream.WEIGHTS + network.projections.index(projection)
        low, high = projection.weights.low, projection.weights.high
        if synapses is not None:
            listed = np.empty(len(synapses))
            for part, places in synapses.chunks():
                listed[part] = uniforms_at(seed, stream, places, repeats(places))
            listed *= high - low
            listed += low
            return listed
        drawn = uniforms(seed, stream, int(np.prod(shape)), 0).reshape(shape)
        weights = low + (high - low) * drawn
    else:
        weights = np.broadcast_to(projection.weights, shape).copy()
    kept = weights if projection.mask is None else np.where(projection.mask, weights, 0.0)
    return np.asarray(kept, dtype=np.float64)
