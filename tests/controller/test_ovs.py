"""The controller and real Open vSwitch: what it reports is what packets meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.needs_root
@pytest.mark.needs_ovs
def test_packets_follow_the_reported_routes_and_the_pins() -> None:
    # A short path of its own: the name of a Unix socket holds 107 bytes.
    with tempfile.TemporaryDirectory(prefix="spanlab-ovs-") as folder:
        done = subprocess.run(
            [
                "unshare",
                "--net",
                sys.executable,
                str(Path(__file__).with_name("ovs_lab.py")),
                folder,
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["errors"] == []
    assert "priority=0 actions=drop" in found["flows"]
    assert "priority=300,arp,arp_op=1 actions=CONTROLLER:65535" in found["flows"]
    assert "3 received, 0% packet loss" in found["ping"]
    for when, transit in (("direct", False), ("detour", True)):
        assert found[when]["reported"][1:-1] == found[when]["traced"]
        assert ("east-border" in found[when]["traced"]) == transit
    assert "3 received, 0% packet loss" in found["ping after"]
    assert found["pinned"] == ["north-border", "south-border"]
    assert "100% packet loss" in found["cut off"]
    assert found["exit"] == 0
