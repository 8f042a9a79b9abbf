"""Describe an agent by its parts, each of which can be replaced."""
