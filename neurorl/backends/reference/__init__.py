"""Run networks in NumPy: the executable definition of what a network means."""

from neurorl.backends.reference.simulator import ReferenceSimulator as ReferenceSimulator
