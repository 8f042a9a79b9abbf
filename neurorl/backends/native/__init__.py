"""Run networks in C++ printed from their program: what a user gets who names no backend."""

from neurorl.backends.native.simulator import NativeSimulator as NativeSimulator
