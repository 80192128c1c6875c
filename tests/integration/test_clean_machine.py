"""What the Vagrantfile's provisioner does, done for real on a clean Debian machine."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.integration.clean.machine import Ended, on_a_clean_machine, provisioners
from tests.test_architecture import tracked_files

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.thorough,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        shutil.which("debootstrap") is None, reason="no debootstrap: apt-get install debootstrap"
    ),
]

AGAIN = "cd spanlab && ./spanlab doctor --json"
RESULT = "cat spanlab/runs/*/result.json"
NOT_OWN = "find /home/vagrant -not -user vagrant"
SITE = "cd spanlab && ./spanlab docs && test -s build/docs/index.html"
NETWORK_S = 1500.0


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """By command, what became of the provisioner and of what is asked after it."""
    if not tracked_files():
        pytest.skip("not in a git checkout")
    commands = [*provisioners(), AGAIN, RESULT, NOT_OWN, SITE]
    found = on_a_clean_machine(tmp_path_factory.mktemp("clean"), commands, NETWORK_S)
    for it in found:
        print(f"{it.command}: {it.seconds} s")
    last = found[-1]
    assert len(found) == len(commands), f"{last.command} ended with {last.code}:\n{last.said}"
    return {it.command: it for it in found}


def test_doctor_installs_everything_and_finds_the_machine_ready(ended: dict[str, Ended]) -> None:
    doctor, _ = provisioners()
    said = ended[doctor].said
    assert "installing what is missing here" in said
    assert "ready: ./spanlab demo" in said
    assert "missing" not in said.partition("installing what is missing here")[2]


def test_the_demo_runs(ended: dict[str, Ended]) -> None:
    _, demo = provisioners()
    assert re.search(r"^south-east upgraded .* coherent *$", ended[demo].said, re.MULTILINE)
    result = json.loads(ended[RESULT].said)
    assert result["status"] == "finished"
    assert result["fidelity"]["verdict"] in ("faithful", "degraded"), "this machine has other work"
    coherence = [phase["coherence"] for phase in result["phases"]]
    assert coherence[0] < 0.5 < 0.9 < coherence[-1]


def test_nothing_is_installed_twice(ended: dict[str, Ended]) -> None:
    assert "installing" not in ended[AGAIN].said
    assert json.loads(ended[AGAIN].said)["ok"] is True


def test_all_that_is_left_belongs_to_the_user(ended: dict[str, Ended]) -> None:
    assert ended[NOT_OWN].said == ""


def test_the_documentation_can_be_made_there(ended: dict[str, Ended]) -> None:
    assert "open in a browser: build/docs/index.html" in ended[SITE].said


def test_nothing_of_it_is_left(ended: dict[str, Ended]) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    assert not re.search(r"^clean /", mounts, re.MULTILINE), "its root was a mount of its own"
