"""What a run owns: nothing unmarked is ever touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from topologies.emulation import ownership
from topologies.emulation.ownership import MARK, marked_processes, owned_folder, reap


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let runs keep their folders here, and not where real ones do."""
    monkeypatch.setattr(ownership, "STATE", tmp_path / "state")
    monkeypatch.delenv(MARK, raising=False)
    return tmp_path / "state"


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


def test_what_a_run_starts_carries_its_mark_and_goes_by_it(state: Path) -> None:
    run = f"test-{os.getpid()}-a"
    with owned_folder(run) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        child = subprocess.Popen(["sleep", "60"])
        assert marked_processes(run) == [child.pid]
        child.kill()
        child.wait()
    assert not folder.exists()
    assert MARK not in os.environ


def test_the_dead_are_reaped_and_the_living_left_alone(state: Path) -> None:
    dead, alive = f"test-{os.getpid()}-dead", f"test-{os.getpid()}-alive"
    (state / dead).mkdir(parents=True)
    (state / dead / "owner").write_text("1 12345")  # process 1 lives, but began at another time
    orphan, bystander = sleeper(dead), sleeper("somebody-else")
    try:
        with owned_folder(alive) as folder:
            child = sleeper(alive)
            reaped = reap()
            assert folder.exists()
            assert child.poll() is None
            child.kill()
            child.wait()
        assert reaped.runs == [dead]
        assert reaped.processes == 1
        assert orphan.wait(5) == -9
        assert bystander.poll() is None
        assert not (state / dead).exists()
    finally:
        for process in (orphan, bystander):
            process.kill()
            process.wait()


def test_nothing_to_reap(state: Path) -> None:
    assert reap().runs == []


def test_a_file_is_nobodys_run(state: Path) -> None:
    state.mkdir()
    (state / ".lock").touch()
    assert reap().runs == []
    assert (state / ".lock").exists()


def test_a_folder_without_an_owner_is_spared_while_it_is_new(state: Path) -> None:
    starting = state / "starting"
    starting.mkdir(parents=True)
    assert reap().runs == []
    os.utime(starting, (1, 1))
    assert reap().runs == ["starting"]


def test_a_half_written_owner_does_not_stop_the_rest(state: Path) -> None:
    for name, owner in (("empty", ""), ("garbage", "x y")):
        (state / name).mkdir(parents=True)
        (state / name / "owner").write_text(owner)
        os.utime(state / name, (1, 1))
    assert reap().runs == ["empty", "garbage"]
