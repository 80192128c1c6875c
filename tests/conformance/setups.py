"""Where the suite runs: back ends and datapaths, on this machine or in a guest that has netem."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.guest.boot import GUEST_LACKING, in_guest
from tests.integration.runs import ENVIRONMENT, ROOT
from topologies.emulation.capabilities import probe

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
    def lacking(self) -> str | None:
        """Return what it takes that is not here."""
        if self.guest:
            return GUEST_LACKING
        machine = probe()
        if self.impairer == "netem" and not machine.netem:
            return "needs the kernel's netem"
        if self.datapath == "kernel" and not machine.kernel_datapath:
            return "needs the kernel's Open vSwitch"
        return None


SETUPS = [
    Setup("relay", "user", guest=False),
    Setup("netem", "kernel", guest=False),
    Setup("netem", "kernel", guest=True),
    Setup("relay", "kernel", guest=True, brief=True),
]

_of_guest: dict[Setup, Any] = {}


def found_by(setup: Setup, folders: pytest.TempPathFactory) -> Any:
    """Return what `lab` found; a guest is booted once for all that run in one."""
    if not setup.guest:
        return _found_here(setup, folders.mktemp("conformance"))
    if not _of_guest:
        _of_guest.update(_found_in_guest(folders.mktemp("guest")))
    return _of_guest[setup]


def _command(setup: Setup, folder: Path) -> list[str]:
    file = folder / f"{setup.impairer}.json"
    how = [str(file), setup.impairer, setup.datapath, str(folder), *["brief"] * setup.brief]
    return [sys.executable, str(LAB), *how]


def _found_here(setup: Setup, folder: Path) -> Any:
    done = subprocess.run(
        _command(setup, folder),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / f"{setup.impairer}.json").read_text())


def _found_in_guest(folder: Path) -> dict[Setup, Any]:
    chosen = [setup for setup in SETUPS if setup.guest]
    lines = [f"export PYTHONPATH={ROOT}"]
    for setup in chosen:
        lines.append(" ".join(_command(setup, folder)) + " || exit 1")
    in_guest(folder, "\n".join(lines), timeout_s=400)
    return {setup: json.loads((folder / f"{setup.impairer}.json").read_text()) for setup in chosen}
