"""Hold agents that learn and play, alone or side by side, and the files that keep them."""
