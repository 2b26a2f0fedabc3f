"""Runs of runs: what several plans tell together."""
