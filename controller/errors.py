"""The error tree of the controller."""

from __future__ import annotations


class ControllerError(RuntimeError):
    """The controller cannot do what it was asked, or cannot be reached."""


class PolicyError(ControllerError):
    """A policy that is not known, or whose routes do not reach where they should."""


class IntentError(ControllerError, ValueError):
    """Something asked for that cannot be accepted; ``field`` is the path of the offending value."""

    def __init__(self, field: str, message: str) -> None:
        """Take the path, empty where the whole is at fault, and what is wrong there."""
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
