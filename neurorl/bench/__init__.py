"""What a training loop costs: neurorl's backends, a floor in C, and what else one would take."""
