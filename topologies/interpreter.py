"""Python as our other processes are started by it."""

from __future__ import annotations

import sys

PYTHON = (sys.executable, "-BI" if sys.dont_write_bytecode else "-I")
"""Isolated, and without byte code where this process leaves none: as root in a user's checkout."""
