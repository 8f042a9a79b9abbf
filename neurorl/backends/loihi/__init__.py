"""Run networks on Loihi through nengo-loihi, on its emulator or on a chip."""

from neurorl.backends.loihi.simulator import LoihiSimulator as LoihiSimulator
