"""Lower a network to one program of statements, which every executor runs or prints."""

from neurorl.program.lowering import lower
from neurorl.program.program import Draw, NodeProgram, Program, ProjectionProgram, Release

__all__ = ["Draw", "NodeProgram", "Program", "ProjectionProgram", "Release", "lower"]
