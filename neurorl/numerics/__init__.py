"""Define random numbers and elementary functions to the last bit."""
