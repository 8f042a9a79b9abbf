"""Define this package's environments, register them, and group several."""
