"""Inputs that nobody would write: each is accepted, or refused with a located error, at once."""
