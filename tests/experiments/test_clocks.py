"""Clocks that are set, machines that are suspended or stand still."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from experiments.clocks import Clocks, Pulse, read_clocks

BEFORE = Clocks(monotonic_ns=100, realtime_ns=1_000, boottime_ns=500, width_ns=1)


def test_clocks_that_go_on_together_do_not_jump() -> None:
    after = Clocks(150, 1_050, 550, 1)
    assert after.jumps_from(BEFORE) == {"CLOCK_REALTIME": 0, "CLOCK_BOOTTIME": 0}


def test_a_clock_that_is_set_and_a_machine_that_slept_are_told_apart() -> None:
    set_back = Clocks(150, 1_050 - 10**9, 550, 1)
    assert set_back.jumps_from(BEFORE) == {"CLOCK_REALTIME": -(10**9), "CLOCK_BOOTTIME": 0}
    slept = replace(set_back, realtime_ns=1_050 + 10**9, boottime_ns=550 + 10**9)
    assert slept.jumps_from(BEFORE) == {"CLOCK_REALTIME": 10**9, "CLOCK_BOOTTIME": 10**9}


def test_this_machines_clocks_are_read_at_once() -> None:
    first, second = read_clocks(), read_clocks()
    assert second.monotonic_ns > first.monotonic_ns
    for jump_ns in second.jumps_from(first).values():
        assert abs(jump_ns) <= first.width_ns + second.width_ns


def test_a_pulse_notices_when_it_was_kept_from_waking() -> None:
    beats, slept = threading.Semaphore(0), threading.Semaphore(0)
    over = False

    def sleep(seconds: float) -> bool:
        beats.acquire()
        time.sleep(0.3)  # as if the machine had stood still
        slept.release()
        return over

    pulse = Pulse(sleep)
    beats.release(2)
    slept.acquire()
    slept.acquire()
    assert pulse.latest_ns() >= 0.25e9
    over = True
    beats.release()
    pulse.close()
    assert pulse.latest_ns() == 0, "it was asked already, and what ends it does not count"
