"""The loop of decisions and learning: its definition in NumPy, the same in C++, and on a chip."""
