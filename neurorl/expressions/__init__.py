"""Define the language in which users write neurons, synapses and rules: see docs/expressions.md."""

from neurorl.expressions.expression import Expression, Statement, read_statements
from neurorl.expressions.functions import FUNCTIONS
from neurorl.expressions.scan import ExpressionError

__all__ = ["FUNCTIONS", "Expression", "ExpressionError", "Statement", "read_statements"]
