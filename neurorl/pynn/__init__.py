"""Play networks on PyNN's simulators; see docs/pynn.md. Needs ``pip install 'neurorl[pynn]'``.

PyNN's cells are equations in mV, ms, nA and nF. With a membrane unit of 1 mV and a capacitance of
1 nF, weights and biases are chosen so that spikes and biases change membranes as described:
simulators that integrate exactly, such as NEST, then have the description's membranes.
"""

from neurorl.pynn.export import PyNNExport, Windows, problems, to_pynn
from neurorl.pynn.wiring import TARGETS, as_held

__all__ = ["TARGETS", "PyNNExport", "Windows", "as_held", "problems", "to_pynn"]
