"""A runner that is killed, wherever it is, leaves nothing after the next start or a clean.

Each kill is at a point of the runner's life and a drawn time after it. What is left is looked for
everywhere (`inventory`): processes by descent, whatever they carry; all else by comparing before
and after. Between a kill and the next check stands either ``clean`` or another runner's start,
which is then killed itself.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments.durable import read_lines
from experiments.finished import read_run
from experiments.runstate import state_of
from experiments.sweep.store import LEDGER, RUNS
from tests.fakes.scenarios import tiny, write
from tests.fakes.sweeps import LOSS, write_sweep
from tests.integration.inventory import Inventory, bury, descendants, foreigners, heir
from tests.integration.runs import ENVIRONMENT, command_of, eventually, spanlab
from topologies.emulation.claims import STATE
from topologies.emulation.ownership import MARK
from topologies.files import FileError

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]

SEED = 9
LATER_S = 0.4
"""A kill comes up to this long after its point."""
GONE_S = 5.0
TOKEN = "SPANLAB_TEST_TOKEN"
"""Tells descendants of a living command from those of a dead one."""
SHORT: dict[str, Any] = {"workload__steps": 12, "workload__reference_steps": 3}


class Victim:
    """A command in a session of its own, to be killed.

    Attributes:
        out: its run folder.
    """

    def __init__(self, folder: Path, token: str, temporary: Path, *arguments: object) -> None:
        folder.mkdir()
        self.out, self.log = folder / "out", folder / "said"
        self.token = f"{TOKEN}={token}".encode()
        self._known = {it.name for it in STATE.glob("*")}
        with self.log.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "experiments", *map(str, arguments)],
                cwd=folder,
                env={**ENVIRONMENT, "TMPDIR": str(temporary), TOKEN: token},
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def private(self, name: str) -> bool:
        """Ask whether there is such a file in a private folder that came since."""
        new = [it for it in STATE.glob("*") if it.name not in self._known]
        return any((it / name).exists() for it in new)

    def left(self, name: str) -> bool:
        """Ask whether there is such a file in its run folder."""
        return (self.out / name).exists()

    def event(self, kind: str) -> bool:
        return any(it["kind"] == kind for it in read_lines(self.out / "events.jsonl"))

    def step(self, number: int) -> bool:
        return any(it["step"] >= number for it in read_lines(self.out / "steps.jsonl"))

    def maps(self, library: str) -> bool:
        return library in Path(f"/proc/{self.process.pid}/maps").read_text()

    def await_point(self, point: str, later_s: float) -> None:
        """Wait until it is somewhere in its life, and then for some time."""

        def reached() -> bool:
            assert self.process.poll() is None, f"it ended before {point}: {self.log.read_text()}"
            return POINTS[point](self)

        eventually(reached, 60, point)
        time.sleep(later_s)

    def owns(self, pid: int) -> bool:
        """Ask whether a process is one of its own; containers know nothing but the run's mark."""
        manifest = self.out / "manifest.json"
        run = json.loads(manifest.read_text())["run"] if manifest.exists() else None
        return carries(pid, self.token) or (
            run is not None and carries(pid, f"{MARK}={run}".encode())
        )

    def unmarked(self) -> list[str]:
        """Return those of its processes that carry no run's mark, and do not a moment later."""
        begun = f"{MARK}=".encode()
        found = descendants(self.process.pid)
        for _ in range(3):
            found = {pid for pid in found if carries(pid, self.token) and not carries(pid, begun)}
            if not found:
                break
            time.sleep(0.02)  # between fork and exec they are still as their parent
        return [command_of(pid) for pid in found]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


POINTS: dict[str, Callable[[Victim], bool]] = {
    "begin": lambda it: True,
    "modules are read": lambda it: it.maps("_yaml"),
    "the machine is probed": lambda it: it.private("owner"),
    "the run folder is made": lambda it: it.out.exists(),
    "the manifest is written": lambda it: it.left("manifest.json"),
    "hosts have names": lambda it: it.private("hosts"),
    "the launcher starts": lambda it: any(it.out.glob("logs/launcher*.log")),
    "the graph is written": lambda it: it.private("graph.json"),
    "the controller starts": lambda it: it.left("logs/controller.log"),
    "the switches' database is made": lambda it: it.private("ovs/conf.db"),
    "the database answers": lambda it: it.private("ovs/db.sock"),
    "the switch daemon answers": lambda it: it.private("ovs/vswitchd.ctl"),
    "a bridge is made": lambda it: it.private("ovs/s1.mgmt"),
    "the lab is described": lambda it: it.private("lab.json"),
    "the network is up": lambda it: it.event("network up"),
    "clocks are compared": lambda it: it.event("clocks compared"),
    "ranks start": lambda it: it.left("logs/rank-0.log"),
    "training": lambda it: it.step(1),
    "the aged phase": lambda it: it.step(5),
    "an upgrade": lambda it: it.event("upgrade"),
    "the last step": lambda it: it.step(11),
    "the network goes": lambda it: it.event("measured"),
    "it is gone": lambda it: it.event("network gone"),
    "tables are written": lambda it: it.left("steps.parquet"),
    "the trace is written": lambda it: it.left("trace.json"),
    "the report is written": lambda it: it.left("report.html"),
}
"""Of a run's life, in their order; of other commands' lives some of them."""
CLEANED_BY = list(POINTS).index("the graph is written")
"""From here on, a runner has removed what the one before it left."""


class Ground:
    """Where commands are killed, beside what others have.

    Attributes:
        victims: those that were started.
    """

    def __init__(self, folder: Path, theirs: set[int]) -> None:
        self.folder, self.temporary = folder, folder / "temporary"
        self.theirs = theirs | descendants(os.getpid())
        self.before = Inventory.taken(self.temporary)
        self.victims: list[Victim] = []

    def start(self, *command: object, **scenario: Any) -> Victim:
        """Start a command on a scenario file of its own."""
        name = f"{len(self.victims):02}"
        file = write(self.folder, tiny(**{**SHORT, **scenario}), f"{name}.yaml")
        words = [file if it is FILE else it for it in command]
        token = f"{os.getpid()}-{name}"
        self.victims.append(Victim(self.folder / name, token, self.temporary, *words))
        return self.victims[-1]

    def leftovers(self, living: Victim | None = None) -> list[str]:
        """Return the processes that are neither others' nor a living command's."""
        found = bury(descendants(os.getpid(), without=self.theirs))
        left = [pid for pid in found if not living or not living.owns(pid)]
        return [f"{pid}: {command_of(pid)}" for pid in left]

    def check_gone(self, dead: Victim, living: Victim | None = None) -> None:
        """Check that nothing of the dead is left, and all that others have still is."""
        state = state_of(dead.out)
        if state == "complete":
            assert read_run(dead.out).result["status"] == "finished"
        elif dead.out.exists():
            with pytest.raises(FileError, match=r"holds no result\.json"):
                read_run(dead.out)
            for name in ("events", "steps", "spans", "machine"):
                lines = dead.out / f"{name}.jsonl"
                assert not lines.exists() or lines.read_bytes()[-1:] in (b"", b"\n")
        assert not list(dead.out.glob(".*"))
        try:
            eventually(lambda: not self.leftovers(living), GONE_S, "leftovers")
        except AssertionError:
            assert self.leftovers(living) == []
        if living is None:
            assert Inventory.taken(self.temporary).since(self.before) == []

    def clean(self, dead: Victim) -> None:
        """Clean as a user does, twice at once, and check that nothing of the dead is left."""
        beside = subprocess.Popen([sys.executable, "-m", "experiments", "clean"], env=ENVIRONMENT)
        done = spanlab("clean")
        assert (done.returncode, beside.wait(60)) == (0, 0), done.stderr
        self.check_gone(dead)


FILE = object()
"""In place of the scenario file among a command's words."""


def carries(pid: int, token: bytes) -> bool:
    """Ask whether a variable of a process begins so."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(it.startswith(token) for it in variables)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "foreign").mkdir()
    assert spanlab("clean").returncode == 0  # of what others were killed in
    with heir(), foreigners(tmp_path / "foreign", tmp_path / "temporary") as theirs:
        ground = Ground(tmp_path, theirs)
        try:
            yield ground
        finally:
            for victim in ground.victims:
                victim.kill()


def kill_at(
    ground: Ground, points: Sequence[str], command: Sequence[object], seed: int, **scenario: Any
) -> None:
    """Kill a runner at each point; let the next one's start clean up, or else ``clean``."""
    draw = random.Random(seed)
    dead: Victim | None = None
    for point in points:
        later_s = draw.uniform(0, LATER_S)
        print(f"to be killed {later_s:.3f} s after: {point}", flush=True)
        cleans = list(POINTS).index(point) >= CLEANED_BY
        if dead and not cleans:
            ground.clean(dead)
        victim = ground.start(*command, **scenario)
        if dead and cleans:
            victim.await_point("the graph is written", 0)
            ground.check_gone(dead, victim)
        victim.await_point(point, later_s)
        assert victim.unmarked() == []
        victim.kill()
        dead = victim
    assert dead
    ground.clean(dead)


RUN = ("run", FILE, "--out", "out", "--json")


def test_a_killed_runner_leaves_nothing(ground: Ground) -> None:
    kill_at(ground, ["the switch daemon answers", "training"], RUN, SEED)


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("seed", range(2))
def test_a_runner_may_be_killed_anywhere(ground: Ground, seed: int, part: int) -> None:
    """All points in a drawn order; in parts, so that one that fails does not keep others back."""
    points = list(POINTS)
    random.Random(seed).shuffle(points)
    kill_at(ground, points[part::4], RUN, SEED + seed)


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("command", "points"),
    [
        (("up", FILE), ["a bridge is made", "the lab is described"]),
        (("links", FILE), ["the switch daemon answers", "the lab is described"]),
        (("doctor", "--measure"), ["the graph is written", "the lab is described"]),
    ],
    ids=["up", "links", "doctor"],
)
def test_other_commands_may_be_killed(
    ground: Ground, command: Sequence[object], points: Sequence[str]
) -> None:
    kill_at(ground, [*points, *points], command, SEED)


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_a_killed_sweep_leaves_nothing_and_goes_on(ground: Ground) -> None:
    file = write_sweep(ground.folder, scenario=tiny(**SHORT, timeline=[]), vary={LOSS: [0, 0.001]})
    folder = ground.folder / "swept"
    kills = (RUNS + "/00000-0/steps.jsonl", LEDGER, RUNS + "/00001-0/steps.jsonl")
    for name in kills:
        victim = ground.start("sweep", file, "--out", folder)
        eventually((folder / name).exists, 90, name)
        victim.kill()
        ground.clean(victim)
    done = spanlab("sweep", file, "--out", folder, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["finished"] == 2
    assert not list(folder.rglob("*.part"))
    assert ground.leftovers() == []


@pytest.mark.thorough
@pytest.mark.needs_docker
@pytest.mark.timeout(1800)
def test_a_killed_runner_leaves_no_container(ground: Ground) -> None:
    points = [
        *("the launcher starts", "hosts have names", "the graph is written", "a bridge is made"),
        *("training", "the network goes"),
    ]
    contained = {"emulate__runtime": {"name": "docker"}}
    kill_at(ground, points, RUN, SEED, **contained)


@pytest.mark.thorough
def test_two_runs_at_once_both_work(ground: Ground) -> None:
    both = [ground.start(*RUN, timeline=[]) for _ in range(2)]
    for run in both:
        assert run.process.wait(120) == 0, run.log.read_text()
        assert read_run(run.out).result["status"] == "finished"
    ground.check_gone(both[0])
