"""What a packet train says of a span."""

from __future__ import annotations

import subprocess
import sys

import pytest

from topologies.emulation.prober import summarise

FRAME = 1514
GAP_NS = 121_120  # 100 Mbit/s


def test_the_spacing_of_the_frames_is_the_rate() -> None:
    arrivals = [(n, 10**9 + n * GAP_NS) for n in range(100)]
    found = summarise(arrivals, FRAME, 100)
    assert found["rate_bps"] == pytest.approx(100e6)
    assert (found["frame_bytes"], found["sent"], found["received"]) == (FRAME, 100, 100)


def test_lost_frames_took_their_time_and_do_not_slow_the_span_down() -> None:
    arrivals = [(n, n * GAP_NS) for n in range(100) if n % 4]
    found = summarise(arrivals, FRAME, 100)
    assert found["rate_bps"] == pytest.approx(100e6)
    assert found["received"] == 75


def test_the_burst_at_the_head_is_left_out() -> None:
    arrivals = [(n, 0) for n in range(8)] + [(n, n * GAP_NS) for n in range(8, 100)]
    assert summarise(arrivals, FRAME, 100)["rate_bps"] == pytest.approx(100e6)


@pytest.mark.parametrize("arrivals", [[], [(0, 5)], [(9, 5)], [(9, 5), (10, 5)]])
def test_too_few_frames_say_nothing_of_the_rate(arrivals: list[tuple[int, int]]) -> None:
    found = summarise(arrivals, FRAME, 40)
    assert found["rate_bps"] == 0.0
    assert found["received"] == len(arrivals)


KILLED = """
import os, signal, sys
from topologies.emulation import prober
setattr(prober, sys.argv[1], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
end = os.getpid(), "127.0.0.1"
train = {"source": end, "sink": end, "frames": 40, "payload_bytes": 100, "gap_ns": 1000}
prober.run([{**train, "deadline_s": 30}])
"""


@pytest.mark.needs_root
@pytest.mark.parametrize("end", ["send", "receive"])
def test_a_train_an_end_of_which_died_is_no_measurement(end: str) -> None:
    command = [sys.executable, "-c", KILLED, end]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=25)
    assert done.returncode == 1
    assert done.stderr == "an end of a train died\n"
