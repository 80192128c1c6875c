"""A run as a script or a user starts it: a process to wait for, hurt, and read the folder of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fakes.scenarios import write
from topologies.emulation.claims import STATE
from topologies.emulation.ownership import marked_processes

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200"}
INTERFACES = Path("/sys/class/net")


def spanlab(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "experiments", *map(str, arguments)],
        env=options.pop("env", ENVIRONMENT),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a file that is being written."""
    if not path.exists():
        return []
    text = path.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def eventually(reached: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Poll until something is true and return it; say if it came after the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (found := reached()):
        if time.monotonic() > deadline:
            time.sleep(2)
            late = "it came 2 s later" if reached() else "nor 2 s later"
            raise AssertionError(f"{what}: not within {timeout_s:g} s, {late}")
        time.sleep(0.02)
    return found


def interfaces() -> set[str]:
    """Return the network interfaces of the machine itself."""
    return {device.name for device in INTERFACES.iterdir()}


class Run:
    """``python -m experiments run FILE --out DIR --json`` in a session of its own."""

    def __init__(
        self,
        folder: Path,
        scenario: dict[str, Any],
        *options: str,
        program: str = "experiments",
    ) -> None:
        self.folder = folder / "out"
        self.interfaces = interfaces()
        file = write(folder, scenario)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", program, "run", str(file)),
                *("--out", str(self.folder), "--json", *options),
            ],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.stdout = self.stderr = ""

    @property
    def name(self) -> str:
        manifest = self.folder / "manifest.json"
        self.wait(manifest.exists, "manifest.json")
        return str(json.loads(manifest.read_text())["run"])

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        return lines_of(self.folder / "events.jsonl")

    @property
    def steps(self) -> list[dict[str, Any]]:
        return lines_of(self.folder / "steps.jsonl")

    def wait(self, reached: Callable[[], Any], what: str, timeout_s: float = 60.0) -> Any:
        """Wait until something is reached while the run goes on."""

        def reached_or_over() -> Any:
            if found := reached():
                return found
            assert self.process.poll() is None, f"{what}: the run ended\n{self.end()}"
            return None

        return eventually(reached_or_over, timeout_s, what)

    def wait_step(self, step: int) -> None:
        """Wait until some rank has finished a step."""
        self.wait(lambda: any(line["step"] >= step for line in self.steps), f"step {step}")

    def wait_phase(self, phase: str) -> None:
        """Wait until the machine was looked at in a phase."""

        def begun() -> bool:
            return any(line["phase"] == phase for line in lines_of(self.folder / "machine.jsonl"))

        self.wait(begun, f"phase {phase}")

    def end(self, timeout_s: float = 90.0) -> str:
        """Wait for the end; return what it printed."""
        if not self.stdout and not self.stderr:
            self.stdout, self.stderr = self.process.communicate(timeout=timeout_s)
        return self.stdout + self.stderr

    def close(self) -> None:
        """End the run, whatever it does, without leaving anything to the next test."""
        self.process.terminate()  # one that has ended already is left alone
        try:
            self.end(timeout_s=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.end()
        for pid in self.marked():
            os.kill(pid, signal.SIGKILL)

    def marked(self) -> list[int]:
        if not (self.folder / "manifest.json").exists():
            return []
        return marked_processes(self.name)

    def ranks(self) -> list[int]:
        """Return the process ids of the ranks, in their order."""
        (launcher,) = (
            pid
            for pid in self.marked()
            if command_of(pid).rstrip().endswith("-m workloads")
            and command_of(pid) != command_of(_parent(pid))
        )
        return children_of(launcher)

    def relays(self) -> list[int]:
        """Return the process ids of the spans' relays."""
        return [pid for pid in self.marked() if name_of(pid).startswith("relay ")]

    def left_behind(self) -> list[str]:
        """Wait for the run's remains to go; return those that do not."""
        try:
            eventually(lambda: not self._remains(), 5.0, "remains")
        except AssertionError:
            return self._remains()
        return []

    def _remains(self) -> list[str]:
        found = [f"process {pid}: {command_of(pid)}" for pid in self.marked()]
        if (STATE / self.name).exists():
            found.append(str(STATE / self.name))
        new = interfaces() - self.interfaces
        return found + [f"interface {name}" for name in sorted(new)]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
