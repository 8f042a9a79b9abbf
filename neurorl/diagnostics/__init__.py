"""Find populations and policies that learning has lost, and say what to do."""
