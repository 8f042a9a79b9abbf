"""Learn by the policy's gradient, through stochastic spikes (needs PyTorch).

It trains the same descriptions as the local rules, by actor-critic; the weights then run on any
backend. See docs/reparameterization.md.
"""

from __future__ import annotations

from neurorl.reparameterization.config import GradientConfig, make_gradient

__all__ = ["GradientConfig", "make_gradient"]
