"""What a run owns: nothing unmarked is ever touched, and nothing of a run that lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from topologies.emulation import claims, priority
from topologies.emulation.containers import engine, remains
from topologies.emulation.containers.engine import RECORD
from topologies.emulation.ownership import MARK, half_written, marked_processes, owned_folder
from topologies.emulation.reaping import reap

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let runs keep their folders here, and not where real ones do."""
    monkeypatch.setattr(claims, "STATE", tmp_path / "state")
    monkeypatch.delenv(MARK, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # so that it is set back, whatever a test does
    return tmp_path / "state"


@pytest.fixture
def other(state: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start processes that go by the same folder; what they print first is awaited."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(text: str) -> subprocess.Popen[bytes]:
        head = f"""
            import os, sys, time
            from pathlib import Path
            from topologies.emulation import claims, ownership, reaping
            claims.STATE = Path({str(state)!r})
        """
        program = textwrap.dedent(head) + textwrap.dedent(text)
        begun.append(
            subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
        )
        said = begun[-1].stdout
        assert said is not None
        assert said.readline() == b"ready\n"
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


HOLD = """
with ownership.owned_folder("held"):
    print("ready", flush=True)
    time.sleep(60)
"""


def sleeper(run: str) -> subprocess.Popen[bytes]:
    """Start a process that carries a run's mark, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"],
        env={**os.environ, MARK: run},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process


def test_what_a_run_starts_carries_its_mark_and_ends_with_it(state: Path) -> None:
    run = f"test-{os.getpid()}-a"
    with owned_folder(run) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert state.stat().st_mode & 0o777 == 0o700
        child = subprocess.Popen(["sleep", "60"])
        assert marked_processes(run) == [child.pid]
    assert child.wait(5) == -signal.SIGKILL
    assert not state.exists()
    assert MARK not in os.environ


def test_a_claim_within_another_gives_the_mark_back(state: Path) -> None:
    with owned_folder("outer"):
        with owned_folder("inner"):
            assert os.environ[MARK] == "inner"
        assert os.environ[MARK] == "outer"


def test_the_dead_are_reaped_and_the_living_left_alone(
    state: Path, other: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    dead, alive = f"test-{os.getpid()}-dead", f"test-{os.getpid()}-alive"
    owner = other(HOLD.replace("held", dead))
    owner.kill()  # and not waited for: it stays as a zombie, which is dead
    orphan, bystander = sleeper(dead), sleeper("somebody-else")
    try:
        with owned_folder(alive) as folder:
            child = sleeper(alive)
            while Path(f"/proc/{owner.pid}/stat").read_text().split()[2] != "Z":
                time.sleep(0.01)
            assert [place for place, _ in claims.living()] == [folder]
            reaped = reap()
            assert folder.exists()
            assert child.poll() is None
            child.kill()
            child.wait()
        assert reaped.runs == [dead]
        assert reaped.processes == 1
        assert orphan.wait(5) == -9
        assert bystander.poll() is None
        assert not state.exists()
    finally:
        for process in (orphan, bystander):
            process.kill()
            process.wait()


def test_nothing_to_reap(state: Path) -> None:
    assert reap().runs == []
    assert not state.exists()


def test_a_file_or_a_link_is_nobodys_run(state: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "precious").mkdir(parents=True)
    state.mkdir()
    (state / ".lock").touch()
    (state / "link").symlink_to(tmp_path / "elsewhere")
    assert reap().runs == []
    assert sorted(it.name for it in state.iterdir()) == [".lock", "link"]
    assert (tmp_path / "elsewhere" / "precious").is_dir()


@pytest.mark.parametrize("owner", [None, "", "x y", "1 12345"])
def test_a_folder_that_nobody_holds_is_dead_at_once(state: Path, owner: str | None) -> None:
    (state / "left").mkdir(parents=True)
    if owner is not None:
        (state / "left" / "owner").write_text(owner)
    assert claims.living() == []
    assert reap().runs == ["left"]


def test_a_run_that_has_only_its_folder_yet_is_not_dead(
    state: Path, other: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    other("""
        with claims.gate():
            (claims.STATE / "starting").mkdir()
            print("ready", flush=True)
            time.sleep(0.3)
            lock = claims._locked(claims.STATE / "starting")
        time.sleep(60)
    """)
    begin = time.monotonic()
    assert reap().runs == []
    assert time.monotonic() - begin > 0.1, "it waited its turn"
    assert (state / "starting").exists()


def test_many_start_and_clean_at_once_and_none_hurts_another(
    state: Path, other: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    """Four processes claim and reap, and others are killed; every living claim stays whole."""
    busy = """
        import random, signal
        print("ready", flush=True)
        number = 0
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            number += 1
            name = f"{os.getpid()}-{number}"
            if os.fork() == 0:  # a run that is killed
                context = ownership.owned_folder(f"{name}-killed")
                (context.__enter__() / "something").touch()
                os.kill(os.getpid(), 9)
            if os.fork() == 0:  # a clean that is killed
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-4, 3e-3))
                while True:
                    reaping.reap()
            with ownership.owned_folder(name) as folder:
                (folder / "mine").write_text("mine")
                reaping.reap()
                assert (folder / "mine").read_text() == "mine"
            assert not folder.exists()
            os.wait()
            os.wait()
    """
    processes = [other(busy) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    reap()
    assert not state.exists()


def test_an_engine_that_does_not_answer_is_asked_again(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state / "contained").mkdir(parents=True)
    (state / "contained" / RECORD).write_text("unix:///nowhere.sock")
    asked: list[str] = []

    def silent(address: engine.Engine, run: str) -> bool:
        asked.append(run)
        return len(asked) > 1

    monkeypatch.setattr(remains, "remove", silent)
    first = reap()
    assert first.runs == []
    assert "until the Docker engine at unix:///nowhere.sock answers" in first.waiting["contained"]
    assert reap().runs == ["contained"]
    assert asked == ["contained"] * 2


def test_urgent_soft_interrupts_stay_so_until_the_last_run_ends(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = subprocess.Popen(["sleep", "60"])  # stands for ksoftirqd, which is everybody's
    monkeypatch.setattr(priority, "_soft_interrupt_threads", lambda: [thread.pid])
    try:
        with ExitStack() as second:
            with ExitStack() as first:
                first.enter_context(
                    priority.urgent_soft_interrupts(first.enter_context(owned_folder("first")))
                )
                if os.sched_getscheduler(thread.pid) != os.SCHED_FIFO:
                    pytest.skip("real-time priority is not permitted here")
                folder = second.enter_context(owned_folder("second"))
                second.enter_context(priority.urgent_soft_interrupts(folder))
            assert os.sched_getscheduler(thread.pid) == os.SCHED_FIFO
        assert os.sched_getscheduler(thread.pid) == os.SCHED_OTHER
    finally:
        thread.kill()
        thread.wait()


def test_what_a_killed_run_has_half_written_is_removed_and_nothing_else(
    state: Path, tmp_path: Path
) -> None:
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    for place in (folder, elsewhere):
        place.mkdir()
        for name in (".result.json.part", ".kept", "steps.part"):
            (place / name).touch()
    if os.fork() == 0:
        context = half_written(folder, "mine")
        context.__enter__()
        os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
    record = next(state.iterdir()) / "-record"
    text = record.read_text()
    record.write_text(text.replace(str(folder), str(elsewhere)))  # another folder took its place
    assert reap().runs == ["mine"]
    assert len(list(elsewhere.iterdir())) == 3
    (state / "mine-record").mkdir(parents=True)
    (state / "mine-record" / "-record").write_text(text)
    (state / "mine").mkdir()
    assert reap().runs == ["mine"]
    assert sorted(it.name for it in folder.iterdir()) == [".kept", "steps.part"]


def test_what_a_run_starts_keeps_its_temporary_files_in_its_folder(state: Path) -> None:
    ours = tempfile.gettempdir()
    with owned_folder("mine") as folder:
        done = subprocess.run(["mktemp"], check=True, capture_output=True, text=True)
        assert Path(done.stdout.strip()).is_relative_to(folder)
        assert tempfile.gettempdir() == ours
