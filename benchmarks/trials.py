"""One trial of chaos: a short run, a harm drawn from a seed, and a judgement of what came of it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harms import WITHIN_S, Harm, faults, harms
from benchmarks.planting import HURTS, fill_disk, victims
from topologies.emulation.claims import STATE
from topologies.emulation.ownership import MARK

ROOT = Path(__file__).parents[1]
STEPS = 40
SCENARIO: dict[str, Any] = {
    "name": "chaos",
    "network": {
        "campuses": {
            name: {"workers": 1, "fabric": {"kind": "star", "rate": "1 Gbit/s"}}
            for name in ("west", "east")
        },
        "spans": {"west-east": {"route": "100 km", "rate": "100 Mbit/s", "delay": "4 ms"}},
    },
    "workload": {
        "gradients": "4 MB",
        "bucket": "2 MB",
        "compute": "20 ms",
        "steps": STEPS,
        "reference_steps": 6,
        "timeout": "20 s",
    },
    "emulate": {"bytes": "1/10", "time": 1},
    "timeline": [{"at": "step 16", "upgrade": "west-east", "with": "coherent-400g"}],
}
STAGES = ("building", "measuring", "training", "measuring again")
"""When a harm may come."""
UNHARMED = 0.1
"""Of the trials, to see that those are left alone."""
NOT_DRAWN = {"dashboard", "container", "container engine", "rank out of memory"}
"""Rows that tests of their own see to: no run of these trials has those components, or surely takes
more memory."""
HANG_S = 120.0
"""What a run of a few seconds never takes, on however busy a machine."""
PATIENCE_S = 6.0
"""How long what a run leaves may take to go: the kernel takes networks down behind its back."""
DISK = "48m"


@dataclass(frozen=True)
class Draw:
    """What is done in a trial: a row of the table, or nothing, in a stage, and how far into it.

    Attributes:
        share: of the stage's steps or seconds, and of the processes that are such a component.
    """

    number: int
    harm: str | None
    stage: str
    share: float
    pick: float


@dataclass
class Judged:
    """What came of a trial.

    Attributes:
        planted: what was harmed, or why nothing was.
        took_s: from the harm to the end of the run.
        faults: in what it was not as the table says; leaks: what it left behind.
    """

    planted: str
    status: str
    verdict: str
    took_s: float
    hung: bool = False
    faults: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether it was as it should be."""
        return not (self.hung or self.faults or self.leaks)


def draw(seed: int, number: int) -> Draw:
    """Draw the harm of a trial: the same for the same seed and number."""
    random_ = random.Random(f"{seed} {number}")
    rows = [
        name
        for name, harm in harms().items()
        if harm.outcome != "refused" and name not in NOT_DRAWN and harm.component not in NOT_DRAWN
    ]
    harm = None if random_.random() < UNHARMED else random_.choice(rows)
    stage = random_.choices(STAGES, (1, 1, 4, 1))[0]
    if harm and harm.startswith("prober"):
        stage = random_.choice(("measuring", "measuring again"))
    return Draw(number, harm, stage, random_.random(), random_.random())


def inventory(run: str | None = None) -> dict[str, set[str]]:
    """Return what a run may leave on a machine, by kind."""
    marked = {
        f"{entry.name} {_command(entry)}"
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and _is_marked(entry, run)
    }
    return {
        "process": marked,
        "namespace": _names(Path("/run/netns")),
        "device": _names(Path("/sys/class/net")),
        "folder of a run": _names(STATE),
        "shared memory": _names(Path("/dev/shm")),
        "mount": {line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()},
    }


def leaks(before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> list[str]:
    """Return what is there and was not before."""
    return [f"{kind} {it}" for kind in after for it in sorted(after[kind] - before[kind])]


def trial(drawn: Draw, folder: Path) -> Judged:
    """Make one run, harm it as drawn, and judge it."""
    before = inventory()
    harm = harms()[drawn.harm] if drawn.harm else None
    scenario = folder / "lab.yaml"
    scenario.write_text(yaml.safe_dump({"seed": drawn.number, **SCENARIO}, sort_keys=False))
    with _disk(folder) if harm and harm.component == "disk" else _here(folder) as place:
        run = _Run(scenario, place / "out")
        try:
            judged = _harmed(run, drawn, harm)
        finally:
            run.close()
    deadline = time.monotonic() + PATIENCE_S
    while (left := leaks(before, inventory())) and time.monotonic() < deadline:
        time.sleep(0.1)
    judged.leaks += left
    return judged


class _Run:
    """``spanlab run`` as a process."""

    def __init__(self, scenario: Path, folder: Path) -> None:
        self.folder = folder
        environment = {name: it for name, it in os.environ.items() if name != MARK}
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - kept as long as the run
        self.process = subprocess.Popen(
            [sys.executable, "-m", "experiments", "run", str(scenario), "--out", str(folder)],
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=self.said,
            start_new_session=True,
        )

    @property
    def name(self) -> str:
        """Its mark; empty until it has one."""
        try:
            return str(json.loads((self.folder / "manifest.json").read_text())["run"])
        except (OSError, ValueError):
            return ""

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the whole lines of one of its files."""
        try:
            text = (self.folder / name).read_text()
        except OSError:
            return []
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def has(self, kind: str) -> bool:
        """Return whether something is noted among its events."""
        return any(event["kind"] == kind for event in self.lines("events.jsonl"))

    def reached(self, drawn: Draw) -> bool:
        """Return whether the stage of a harm has come, and its step."""
        if not self.name or not (STATE / self.name).exists():
            return False
        if drawn.stage == "building":
            return True
        if drawn.stage == "measuring":
            return self.has("network up")
        step = max((line["step"] for line in self.lines("steps.jsonl")), default=-1)
        if drawn.stage == "training":
            return step >= drawn.share * (STEPS - 1)
        return self.has("trained")

    def wait(self, reached: Callable[[], Any], timeout_s: float) -> bool:
        """Wait until something is reached or the run is over; return whether it was reached."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.process.poll() is None:
            if reached():
                return True
            time.sleep(0.02)
        return False

    def close(self) -> None:
        """End it if it still runs; what it started dies with it or shows as a leak."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.said.close()


def _harmed(run: _Run, drawn: Draw, harm: Harm | None) -> Judged:
    planted, since = "nothing", time.monotonic()
    if harm:
        planted = "nothing: it was over before"
        if run.wait(lambda: run.reached(drawn), HANG_S):
            if drawn.stage != "training" and harm.component != "prober":  # which soon ends
                time.sleep(2 * drawn.share)
            since = time.monotonic()
            planted = _plant(run, drawn, harm)
    try:
        code = run.process.wait(HANG_S)
    except subprocess.TimeoutExpired:
        return Judged(planted, "running", "", HANG_S, hung=True)
    took_s = time.monotonic() - since
    run.said.seek(0)
    stderr, result = run.said.read(), None
    if (file := run.folder / "result.json").exists():
        result = json.loads(file.read_text())
    status = result["status"] if result else "no result"
    judged = Judged(planted, status, result["fidelity"]["verdict"] if result else "", took_s)
    if planted.startswith("nothing"):
        harm = None
    measured = [it["at_ns"] for it in run.lines("events.jsonl") if it["kind"] == "measured"]
    if harm and status == "finished" and measured and measured[0] < since * 1e9 + 2e9:
        # It came when nothing was measured any more, or so late that a standstill was not over.
        harm = None if measured[0] < since * 1e9 or harm.how != "killed" else harm
    judged.faults += faults(harm, result, code=code, stderr=stderr)
    if status != "finished" and took_s > WITHIN_S:
        judged.faults.append(f"it took {took_s:.1f} s to fail")
    if "Traceback" in stderr:
        judged.faults.append(f"a traceback: {stderr[-1000:]}")
    return judged


def _plant(run: _Run, drawn: Draw, harm: Harm) -> str:
    """Do it; return what was harmed, or why nothing was."""
    if harm.component == "disk":
        fill_disk(run.folder.parent)
        return str(run.folder.parent)
    found = [run.process.pid]
    if harm.component != "descriptors":
        run.wait(lambda: victims(harm.component, run.name), 5.0)
        found = victims(harm.component, run.name)
    if not found:
        return f"nothing: there was no {harm.component}"
    pid = found[int(drawn.pick * len(found))]
    try:
        HURTS[harm.how](pid)
    except ProcessLookupError:
        return f"nothing: {harm.component} had ended"
    return f"{harm.component}, process {pid}"


@contextmanager
def _here(folder: Path) -> Iterator[Path]:
    yield folder


@contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    """Yield a small disk of memory."""
    place = folder / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def _names(folder: Path) -> set[str]:
    return {it.name for it in folder.iterdir()} if folder.is_dir() else set()


def _is_marked(entry: Path, run: str | None) -> bool:
    mark = f"{MARK}={run or ''}".encode()
    try:
        words = (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word == mark if run else word.startswith(mark) for word in words)


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:100]
    except OSError:
        return ""
