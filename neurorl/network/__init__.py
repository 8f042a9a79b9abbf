"""Describe networks, and translate descriptions to plain data and to replicas."""
