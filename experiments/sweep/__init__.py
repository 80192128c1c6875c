"""Sweeps: one scenario with some of its fields varied, a run for each point, a table of all."""
