"""Upgrades: changes of a span's physical description."""
