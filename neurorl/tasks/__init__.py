"""Environments: this package's own, their registration, and groups of several."""
