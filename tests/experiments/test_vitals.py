"""Components that die or stand still are seen, named, and interrupt whoever waits for them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from experiments import heartbeat, vitals
from experiments.components import KINDS, Component
from experiments.errors import RunFailed
from experiments.heartbeat import Heartbeat
from experiments.processstate import end_of, look_at, process_of
from experiments.vitals import ComponentLost, Vitals, watched

Start = Callable[[], "subprocess.Popen[bytes]"]
WAIT_S = 20.0
"""For what is to be interrupted long before."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes that do nothing."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "60"]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "STANDSTILL_S", 0.5)


def test_how_a_process_is_and_ended(start: Start) -> None:
    process = start()
    seen = look_at(process.pid)
    assert seen is not None
    assert (seen.stands, seen.ended) == (False, False)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert end_of(look_at(process.pid)) == "was killed by signal 9 (SIGKILL)"
    process.wait()
    assert end_of(look_at(process.pid)) == "is gone"
    process = subprocess.Popen([sys.executable, "-c", "exit(3)"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert end_of(look_at(process.pid)) == "ended with exit code 3"
    process.wait()


def test_a_process_may_call_itself_what_is_no_text() -> None:
    code = "open('/proc/self/comm', 'wb').write(b'\\xffno'); print(flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        seen = look_at(process.pid)
        assert seen and seen.name == "\ufffdno"
        process.communicate(b"\n")


def test_a_thread_is_its_process() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(process_of(threading.get_native_id())))
    thread.start()
    thread.join()
    assert found == [os.getpid()] == [process_of(os.getpid())]


@pytest.mark.parametrize("kind", [kind for kind, it in KINDS.items() if it.dead == "fail"])
def test_a_death_interrupts_whoever_waits(start: Start, kind: str) -> None:
    process = start()
    with (
        pytest.raises(ComponentLost, match=rf"^it .*{KINDS[kind].without}; unless"),
        watched() as seen,
    ):
        seen.watch(Component(kind, "it"), process.pid)
        process.kill()
        time.sleep(WAIT_S)


def test_what_is_known_to_have_ended_it_is_said_in_place_of_advice(start: Start) -> None:
    process = start()
    with pytest.raises(ComponentLost, match=r"out of memory$"), watched() as seen:
        seen.watch(Component("container", "it", lambda: "out of memory"), process.pid)
        process.kill()
        time.sleep(WAIT_S)


@pytest.mark.parametrize("kind", [kind for kind, it in KINDS.items() if it.still == "fail"])
def test_a_standstill_interrupts_whoever_waits_and_is_ended(start: Start, kind: str) -> None:
    process = start()
    with pytest.raises(ComponentLost, match="it was stopped by a signal and"), watched() as seen:
        seen.watch(Component(kind, "it"), process.pid)
        process.send_signal(signal.SIGSTOP)
        time.sleep(WAIT_S)
    assert process.wait(WAIT_S) == -signal.SIGKILL


@pytest.mark.parametrize("kind", [kind for kind, it in KINDS.items() if it.still == "end it"])
def test_what_others_see_to_is_ended_where_it_stands(start: Start, kind: str) -> None:
    process = start()
    with watched() as seen:
        seen.watch(Component(kind, "it"), process.pid)
        process.send_signal(signal.SIGSTOP)
        assert process.wait(WAIT_S) == -signal.SIGKILL
        assert "it was stopped by a signal and stood still" in seen.ended[0]
        assert [(it.subject, it.ok) for it in seen.checks()] == [("it", False)]


def test_who_stands_by_turns_is_noted_and_nothing_else(start: Start) -> None:
    process, other = start(), start()
    with watched() as seen:
        seen.watch(Component("relay", "it"), process.pid)
        seen.watch(Component("relay", "the other"), other.pid)
        for _ in range(30):
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.06)
            process.send_signal(signal.SIGCONT)
            time.sleep(0.02)
        (check,) = seen.checks()
        assert (check.subject, check.ok, check.fatal) == ("it", False, False)
        assert 0 < check.measured < 3
        seen.arm()
        (check,) = seen.checks()
        assert (check.subject, check.ok) == ("all components", True)


def test_an_error_is_told_with_the_component_that_caused_it(start: Start) -> None:
    process, words = start(), r"^it (is gone|was killed).*: its span .*what followed: no answer$"
    with pytest.raises(ComponentLost, match=words), watched() as seen:
        seen.watch(Component("relay", "it"), process.pid)
        signal.signal(vitals.SIGNAL, signal.SIG_IGN)  # who waits hears of it by an error first
        process.kill()
        process.wait()
        raise RunFailed("no answer")
    with pytest.raises(RunFailed, match=r"^no answer$"), watched() as seen:
        seen.watch(Component("relay", "it"), start().pid)
        raise RunFailed("no answer")


def test_what_is_taken_down_on_purpose_is_no_loss(start: Start) -> None:
    process = start()
    with watched() as seen:
        seen.watch(Component("relay", "it"), process.pid)
        time.sleep(0.3)
        seen.rest()
        process.kill()
        process.wait()
        time.sleep(0.3)
    assert signal.getsignal(vitals.SIGNAL) == signal.SIG_DFL


def test_only_the_main_thread_is_interrupted(start: Start) -> None:
    def work() -> None:
        with watched() as seen:
            assert seen.checks()[0].ok

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_who_answers_no_more_is_heard_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.05)
    monkeypatch.setattr(heartbeat, "SILENT_S", 0.5)
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(ComponentLost, match="ovs-vswitchd has not answered"), watched() as seen:
            seen.listen(Component("ovs-vswitchd", "ovs-vswitchd"), Heartbeat(path))
            for _ in range(5):
                connection, _ = server.accept()
                with connection:
                    assert b"version" in connection.recv(100)
                    connection.send(b"{}")
            time.sleep(WAIT_S)


def test_a_daemon_that_is_gone_is_its_process_to_tell(tmp_path: Path) -> None:
    beat = Heartbeat(tmp_path / "nowhere")
    assert [beat.silent_s(now) for now in (10.0, 20.0, 30.0)] == [None] * 3


def test_nothing_is_interrupted_before_it_is_armed(start: Start) -> None:
    process = start()
    seen = Vitals()
    seen.watch(Component("relay", "it"), process.pid)
    process.kill()
    process.wait()
    time.sleep(0.2)
    assert seen.why() is None
