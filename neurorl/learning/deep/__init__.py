"""Learn hidden layers that serve all actions, in agents with the trunk ``'shared'``."""
