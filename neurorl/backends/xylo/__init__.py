"""Run networks on SynSense's own simulator of Xylo, and say what its chips have room for."""
