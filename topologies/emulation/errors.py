"""What can go wrong between the description of a network and its running twin."""

from __future__ import annotations


class EmulationError(RuntimeError):
    """The running network does not do what was asked of it."""


class MachineError(EmulationError):
    """The machine lacks something; the text says what to do."""


class ImpairmentError(EmulationError):
    """A link state that was refused, not applied, or read back differently."""
