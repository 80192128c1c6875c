"""Where the suite runs: back ends and datapaths, on this machine or in a guest that has netem."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.guest.boot import in_guest
from tests.integration.runs import ROOT
from tests.jobs import Job

LAB = Path(__file__).with_name("lab.py")


@dataclass(frozen=True)
class Setup:
    """A back end for spans and a datapath for switches, and whether a guest is their machine.

    A brief one goes through `BRIEF` only.
    """

    impairer: str
    datapath: str
    guest: bool
    brief: bool = False

    def __str__(self) -> str:
        return f"{self.impairer}, {self.datapath} datapath{', guest' if self.guest else ''}"

    @property
    def command(self) -> tuple[str, ...]:
        """What writes down in the present folder what `lab` found."""
        how = (self._file, self.impairer, self.datapath, ".", *["brief"] * self.brief)
        return (sys.executable, str(LAB), *how)

    @property
    def job(self) -> Job:
        """What goes through the suite."""
        if not self.guest:
            return Job(f"conformance-{self.impairer}", self.command, timeout_s=250)
        script = f"set -e\nexport PYTHONPATH={ROOT}\n{' '.join(self.command)}"
        name = f"conformance-{self.impairer}-guest"
        return Job(name, in_guest(script), timeout_s=400)

    @property
    def marks(self) -> list[pytest.MarkDecorator]:
        """What its tests need."""
        needs = []
        if self.guest:
            needs.append(pytest.mark.needs_guest)
            if self.brief:
                needs.append(pytest.mark.thorough)
            return needs
        if self.impairer == "netem":
            needs.append(pytest.mark.needs_netem)
        if self.datapath == "kernel":
            needs.append(pytest.mark.needs_datapath)
        return needs

    def found(self, folder: Path) -> Any:
        """Return what `lab` found and left in a folder."""
        return json.loads((folder / self._file).read_text())

    @property
    def _file(self) -> str:
        return f"{self.impairer}.json"


SETUPS = [
    Setup("relay", "user", guest=False),
    Setup("netem", "kernel", guest=False),
    Setup("netem", "kernel", guest=True),
    Setup("relay", "kernel", guest=True, brief=True),
]
