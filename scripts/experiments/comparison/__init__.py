"""Answer the paper's question: local rules against gradients, on the same networks and tasks."""
