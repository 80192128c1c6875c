"""Who took the processors, by files like those of /proc and by the machine's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from experiments.processors import TICK_NS, Processors
from topologies.emulation.containers import cgroup
from topologies.emulation.ownership import MARK

ME = os.getpid()


class Machine:
    """A folder like /proc, of processes whose times are set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processors(0)
        self.process(ME, "", 0)

    def processors(self, user: int, nice: int = 0, system: int = 0, stolen: int = 0) -> None:
        text = f"cpu  {user} {nice} {system} 900 5 0 70 {stolen} 0 0\ncpu0 1 2 3\n"
        (self.folder / "stat").write_text(text)

    def process(self, pid: int, run: str, ticks: int, children: int = 0) -> None:
        folder = self.folder / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "environ").write_bytes(b"A=1\0" + f"{MARK}={run}".encode() + b"\0B=2\0")
        times = f"{ticks} 0 {children} 0"
        (folder / "stat").write_text(f"{pid} (a) name) S 1 {'0 ' * 9}{times} 20 0\n")

    def end(self, pid: int) -> None:
        for file in (self.folder / str(pid)).iterdir():
            file.unlink()
        (self.folder / str(pid)).rmdir()


def test_time_is_this_runs_whoever_it_was_that_waited_for_a_process(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.process(7, "abc", 100)
    machine.process(8, "other", 50)
    processors = Processors("abc", tmp_path)
    assert processors.read().ours_ns == 0
    machine.process(7, "abc", 110)
    machine.process(8, "other", 90)
    machine.process(9, "abc", 5)
    machine.processors(200, 10, 30, stolen=4)
    taken = processors.read()
    assert taken.ours_ns == 15 * TICK_NS, "ten more, and five of one that is new"
    assert (taken.busy_ns, taken.stolen_ns) == (240 * TICK_NS, 4 * TICK_NS)
    machine.end(9)
    machine.process(7, "abc", 110, children=8)
    assert processors.read().ours_ns == 18 * TICK_NS, "of eight, five had been counted"
    assert processors.others() == {(8, "a) name"): 90 * TICK_NS}


def test_this_machine_tells_its_own_from_others() -> None:
    processors = Processors("nobody's")
    first = processors.read()
    code = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    second = processors.read()
    assert second.at_ns > first.at_ns
    assert second.ours_ns - first.ours_ns >= 0.25e9, "it was waited for by this process"
    assert second.busy_ns - first.busy_ns > 0


def test_groups_that_keep_processes_from_running(tmp_path: Path) -> None:
    group = tmp_path / "sys" / "cpu" / "a" / "b"
    group.mkdir(parents=True)
    (group / "cpu.stat").write_text("nr_periods 9\nnr_throttled 3\nthrottled_time 700\n")
    (group.parent / "cpu.stat").write_text("nr_throttled 1\nthrottled_usec 2\n")
    process = tmp_path / "proc" / "7"
    process.mkdir(parents=True)
    (process / "cgroup").write_text("8:cpu,cpuacct:/a/b\n0::/elsewhere\n")
    groups = cgroup.limiting(7, tmp_path / "sys", tmp_path / "proc")
    assert groups == [group, group.parent]
    assert [cgroup.throttled_ns(it) for it in groups] == [700, 2000]
    assert cgroup.limiting(8, tmp_path / "sys", tmp_path / "proc") == []
    assert cgroup.throttled_ns(tmp_path) == 0
