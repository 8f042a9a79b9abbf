"""How numbers are held: floating point on a grid, or the integers of Loihi."""
