"""The emulated network leads nowhere, nobody listens but on loopback, and faults are found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = "tests.integration.open_lab"


@pytest.mark.needs_root
@pytest.mark.needs_ovs
def test_what_is_opened_is_found(tmp_path: Path) -> None:
    command = [sys.executable, "-m", SCRIPT, str(tmp_path)]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["nothing"] == []
    assert told["nothing any more"] == []
    assert set(told["listeners of the run"]) == {"127.0.0.1"}  # the controller's two
    assert told["listeners of the machine"] == told["listeners of a host"] == []
    assert "west-w1 has the device leak0" in told["a device"]
    answered = told["a route that is answered"]
    assert "west-w1: a route to 192.0.2.0/24 by leak0" in answered
    assert "west-w1 reaches this machine at 192.0.2.1" in answered
    assert "the switch port leak2 is of no cable of the run" in told["a port"]
    assert "the switches have the device leak2, whose other end is elsewhere" in told["a port"]
    opened = told["a route of the switches"]
    assert "the switches: a route to 198.51.100.0/24 by lo" in opened
