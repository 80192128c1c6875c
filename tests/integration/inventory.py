"""Everything of a machine that a run could leave something in, and what stands there for others."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.integration.runs import children_of, command_of, eventually
from topologies.emulation.claims import claims, gate, is_dead
from topologies.emulation.containers import cgroup
from topologies.emulation.containers.engine import running_engine
from topologies.emulation.containers.slots import CACHE
from topologies.emulation.ovs import SCHEMA
from topologies.emulation.ownership import MARK, owned_folder

_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def heir() -> Iterator[None]:
    """Become the parent of all orphans among this process's descendants: none is lost sight of."""
    assert _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1) == 0
    try:
        yield
    finally:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 0)


def descendants(pid: int, without: Collection[int] = ()) -> set[int]:
    """Return what a process, and what it started, has started, ``without`` some and theirs."""
    found, left = set[int](), [pid]
    while left:
        inner = set(children_of(left.pop())) - set(without)
        left += inner
        found |= inner
    return found


def bury(pids: set[int]) -> set[int]:
    """Wait for those of our children that have ended; return the others."""
    left = set[int]()
    for pid in pids:
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                continue
        if Path(f"/proc/{pid}").exists():
            left.add(pid)
    return left


@dataclass(frozen=True)
class Inventory:
    """What there is beside processes, each as lines of text."""

    lines: frozenset[str]

    @staticmethod
    def taken(temporary: Path) -> Inventory:
        """Look at this machine; ``temporary`` is where processes keep their temporary files.

        What belongs to runs that live is left out.
        """
        with gate():
            dead = [it for it in claims() if is_dead(it)]
            urgent = any((it / "ksoftirqd").exists() for it in claims() if it not in dead)
        found = {f"device {it.name}" for it in Path("/sys/class/net").iterdir()}
        found |= {f"mount {it.split()[4]}" for it in _lines(Path("/proc/self/mountinfo"))}
        found |= {str(it) for it in dead}
        for folder in (Path("/run/netns"), Path("/dev/shm"), temporary):
            found |= {str(it) for it in folder.rglob("*")} if folder.exists() else set()
        found |= {str(it) for it in CACHE.glob("half-made-*")}
        groups = [*cgroup.ROOT.glob("spanlab-*"), *cgroup.ROOT.glob("*/spanlab-*")]
        found |= {str(it) for it in groups}
        for setting in ("net/ipv4/ip_forward", "net/ipv4/tcp_congestion_control"):
            found.add(f"{setting} {Path('/proc/sys', setting).read_text().strip()}")
        for pid in children_of(2):
            if _is_soft(pid) and not urgent:
                found.add(f"kernel thread {pid} scheduled {os.sched_getscheduler(pid)}")
        if engine := running_engine():
            found |= {f"container {it}" for it in engine.ask("ps", "-aq", "--no-trunc").split()}
        return Inventory(frozenset(found))

    def since(self, before: Inventory) -> list[str]:
        """Return what has come and what has gone."""
        came, gone = self.lines - before.lines, before.lines - self.lines
        return sorted([f"left: {it}" for it in came] + [f"gone: {it}" for it in gone])


@contextmanager
def foreigners(folder: Path, temporary: Path) -> Iterator[set[int]]:
    """Plant what is not ours and looks as if; yield its processes. All of it must stay."""
    with ExitStack() as stack:
        processes: list[subprocess.Popen[bytes]] = []

        def start(*command: object, **variables: str) -> None:
            environment = {**os.environ, **variables}
            if MARK not in variables:
                environment.pop(MARK, None)
            process = subprocess.Popen(list(map(str, command)), env=environment)
            processes.append(process)
            stack.callback(_end, process)

        alive = stack.enter_context(owned_folder("foreign-alive"))
        (alive / "kept").write_text("")
        namespace = f"foreign-{os.getpid()}"
        _run("ip", "netns", "add", namespace)
        stack.callback(_run, "ip", "netns", "delete", namespace)
        inside = ("ip", "netns", "exec", namespace)
        _run(*inside, "ip", "link", "add", "s1", "type", "bridge")
        _run(*inside, "ip", "tuntap", "add", "mode", "tap", "name", "h0")
        _run(*inside, "ip", "link", "add", "net0", "type", "veth", "peer", "name", "h1")
        start(*inside, "sleep", "600")
        for name in ("ovs-vswitchd", "mininet:h1"):
            start("bash", "-c", f"exec -a {name} sleep 600")
        start("sleep", "600", **{MARK: "foreign-alive"})
        start("sleep", "600", **{MARK: "nobody-ever"})
        start("sleep", "600", NOT_OUR_MARK=f"{MARK}=x")
        start(sys.executable, "-c", "import time; time.sleep(600)", "-m", "workloads")
        database, socket = folder / "conf.db", folder / "db.sock"
        _run("ovsdb-tool", "create", database, SCHEMA)
        quiet = ("--unixctl=none", "-vconsole:off")
        start("ovsdb-server", database, f"--remote=punix:{socket}", *quiet)
        eventually(socket.exists, 10, "the foreign database")
        _run("ovs-vsctl", f"--db=unix:{socket}", "--no-wait", "init")
        _run("ovs-vsctl", f"--db=unix:{socket}", "--no-wait", "add-br", "s1")
        for place in (temporary, Path("/dev/shm")):
            (place / f"spanlab-{namespace}").write_text("foreign")
            stack.callback((place / f"spanlab-{namespace}").unlink)
        yield {process.pid for process in processes}
        assert (alive / "kept").exists()
        found = _run("ovs-vsctl", f"--db=unix:{socket}", "--no-wait", "list-br")
        assert found.split() == ["s1"]
        devices = _run(*inside, "ip", "-brief", "link")
        assert {line.split()[0].partition("@")[0] for line in devices.splitlines()} >= {
            *("s1", "h0", "h1", "net0", "lo")
        }
        assert [command_of(it.pid) for it in processes if it.poll() is not None] == []


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def _run(*command: object) -> str:
    return subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True
    ).stdout


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _is_soft(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith("ksoftirqd/")
    return False
