"""Run networks on Brian2: readable equations, stepped without `Network.run`."""

from neurorl.backends.brian2.simulator import Brian2Simulator as Brian2Simulator
