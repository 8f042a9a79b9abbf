"""The description of a network, and its translation to plain data and to replicas."""
