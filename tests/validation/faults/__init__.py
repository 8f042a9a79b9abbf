"""Make backends of a third party, each with one fault that `validate` has to find and name.

`foreign` is a backend written from the contract alone, `wrapped` a copy of the reference; the
faults are mistakes in these, and know nothing of how `neurorl.validation` works. `case` judges what
is said of each.
"""
