"""Make inputs that might break this package, and try each of them.

`fuzzing.targets` has a class for each kind of input; `fuzzing.guard` says what an attempt may not
do; `fuzzing.run` tries many. ``scripts/fuzz.py`` is the command.
"""
