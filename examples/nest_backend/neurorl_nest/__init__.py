"""Run networks of neurorl on NEST."""
