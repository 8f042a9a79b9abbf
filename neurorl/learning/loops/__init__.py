"""Run decisions and learning: the loop's definition in NumPy, the same in C++, and on a chip."""
