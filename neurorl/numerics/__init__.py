"""Random numbers and elementary functions that are defined to the last bit."""
