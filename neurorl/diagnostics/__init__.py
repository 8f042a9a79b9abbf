"""Finds populations and policies that learning has lost, and says what to do."""
