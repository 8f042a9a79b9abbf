"""Hold agents that learn and play, alone or side by side, and their files."""
