"""Run the workload in JAX: the window as one jitted scan, replicas by vmap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.bench import workload as w
from neurorl.bench.workload import BenchLoop, Size, agent_loop


def make(size: Size, replicas: int) -> BenchLoop:
    """Return the loop, compiled at its first step."""
    return agent_loop(_JaxAgent(size, replicas), size, replicas, engine="jit")


class _JaxAgent:
    """Run replicas as an `Agent`; one replica has no axis, as a batch of one is slower.

    moving: v, x, y of both layers and spikes in flight; e, w: of both layers.
    """

    def __init__(self, size: Size, replicas: int) -> None:
        import jax

        self._batch = () if replicas == 1 else (replicas,)
        window, learn, reset = _functions(size)
        if self._batch:
            window, learn, reset = jax.vmap(window), jax.vmap(learn), jax.vmap(reset)
        self._window = jax.jit(window, donate_argnums=(0, 1, 3))
        self._learn = jax.jit(learn, donate_argnums=1)
        self._reset = jax.jit(reset, donate_argnums=(0, 1))
        i, h, o = size.inputs, size.hidden, size.outputs
        self._moving = self._arrays([(h,), (i,), (h,), (o,), (h,), (o,), (i,), (h,)])
        self._e = self._arrays([(i, h), (h, o)])
        weights = [np.broadcast_to(x, (*self._batch, *x.shape)) for x in w.initial_weights(size)]
        self._w: Any = tuple(jax.device_put(weights))
        self._key: Any = jax.random.key(7)
        if self._batch:
            self._key = jax.random.split(self._key, replicas)
        self.reset()  # compiled before it is needed

    def _arrays(self, shapes: list[tuple[int, ...]]) -> Any:
        import jax.numpy as jnp

        return tuple(jnp.zeros((*self._batch, *shape), jnp.float32) for shape in shapes)

    def step(self, p: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        inputs = p if self._batch else p[0]
        result = self._window(self._moving, self._e, self._w, self._key, inputs)
        self._moving, self._e, self._key, counts = result
        return np.asarray(counts)

    def learn(self, m: Any) -> None:
        self._w = self._learn(self._e, self._w, np.asarray(m, np.float32))

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        which = np.zeros(self._batch, bool)
        which[... if replicas is None or not self._batch else list(replicas)] = True
        self._moving, self._e = self._reset(self._moving, self._e, which)


def _functions(size: Size) -> tuple[Callable[..., Any], ...]:
    """Return the functions for window, learning and reset of one replica."""
    import jax
    import jax.numpy as jnp

    def layer(v: Any, x: Any, y: Any, e: Any, weights: Any, arrived: Any) -> tuple[Any, ...]:
        v = w.MEMBRANE * v + arrived @ weights
        fired = v > w.THRESHOLD
        spikes = fired.astype(jnp.float32)
        x, y = w.TRACE * x + arrived, w.TRACE * y + spikes
        change = jnp.outer(w.PLUS * x, spikes) - jnp.outer(w.MINUS * arrived, y)
        return jnp.where(fired, 0.0, v), x, y, w.ELIGIBILITY * e + change, spikes

    def window(moving: Any, e: Any, weights: Any, key: Any, p: Any) -> tuple[Any, ...]:
        key, subkey = jax.random.split(key)
        drawn = (jax.random.uniform(subkey, (w.STEPS, size.inputs)) < p).astype(jnp.float32)
        w1, w2 = weights

        def step(carry: Any, inputs: Any) -> tuple[Any, Any]:
            (vh, xi, yh, vo, xh, yo, from_input, from_hidden), (e1, e2) = carry
            vh, xi, yh, e1, hidden = layer(vh, xi, yh, e1, w1, from_input)
            vo, xh, yo, e2, out = layer(vo, xh, yo, e2, w2, from_hidden)
            return ((vh, xi, yh, vo, xh, yo, inputs, hidden), (e1, e2)), out

        (moving, e), outs = jax.lax.scan(step, (moving, e), drawn)
        return moving, e, key, outs.sum(0)

    def learn(e: Any, weights: Any, m: Any) -> Any:
        means = (size.hidden_mean, size.output_mean)
        return tuple(
            jnp.clip(wk + w.RATE * mean * m * ek, -w.BOUND * mean, w.BOUND * mean)
            for ek, wk, mean in zip(e, weights, means, strict=True)
        )

    def reset(moving: Any, e: Any, which: Any) -> Any:
        return tuple(tuple(jnp.where(which, 0.0, x) for x in part) for part in (moving, e))

    return window, learn, reset
