"""Backends of a third party, each with one fault that `validate` has to find and name.

`foreign` is a backend written from the contract alone; the other modules make one mistake each in
copies of it. Nothing here knows how `neurorl.validation` works.
"""
