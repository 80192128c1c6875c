"""Runs that take no notice of what else the machine does."""

from tests.integration.conftest import start

__all__ = ["start"]
