"""The error tree of the network description."""

from __future__ import annotations


class NetworkError(ValueError):
    """A network that cannot be described or built as the user asked."""


class UnitError(NetworkError):
    """A quantity whose text does not say which number of which unit is meant."""


class PhysicsError(NetworkError):
    """A span that its own physics forbids, such as optics without the margin to work."""
