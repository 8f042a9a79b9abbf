"""Describe networks whose hidden layers serve all actions, and how these layers learn."""
