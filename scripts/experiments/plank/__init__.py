"""Play the four levels of CartPole of Plank et al. (2025); `scripts/plank.py` is the command."""
