"""Published results of training across sites beside this project's: docs/published.md.

Reads the tables that the sweeps of experiments/scenarios/published/ leave; runs nothing itself.
"""
