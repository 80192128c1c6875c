"""Lab 1 from its first command to its last, as a student goes through it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runs import spanlab

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.slow,
    pytest.mark.thorough,
    pytest.mark.timeout(900),
]

PREDICTED = {
    "base_step_ms": 100 + 512 + 16 * 60,
    "faster_step_ms": 100 + 128 + 16 * 60,
    "shorter_step_ms": 100 + 512 + 16 * 4,
    "both_step_ms": 100 + 128 + 16 * 4,
}
"""By the formula of the lab's page."""
EDITS = {
    "base": {},
    "faster": {"rate: 1 Gbit/s": "rate: 4 Gbit/s"},
    "shorter": {"delay: 30 ms": "delay: 2 ms"},
    "both": {"rate: 1 Gbit/s": "rate: 4 Gbit/s", "delay: 30 ms": "delay: 2 ms"},
}


def checked(folder: Path, code: int, *options: str) -> dict[str, Any]:
    done = spanlab("lab", "check", 1, "--json", *options, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_student_goes_through_the_first_lab(tmp_path: Path) -> None:
    started = spanlab("lab", "start", 1, cwd=tmp_path)
    assert started.returncode == 0, started.stderr
    base = (tmp_path / "lab-1" / "base.yaml").read_text()
    said = "".join(f"{key}: {number}\n" for key, number in PREDICTED.items())
    (tmp_path / "lab-1" / "answers.yaml").write_text(said)
    assert checked(tmp_path, 1)["score"] == 0
    verdicts = []
    for name, edits in EDITS.items():
        text = base
        for old, new in edits.items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "lab-1" / f"{name}.yaml").write_text(text)
        run = spanlab("run", f"lab-1/{name}.yaml", "--json", cwd=tmp_path)
        assert run.returncode == 0, run.stdout + run.stderr
        verdicts.append(json.loads(run.stdout)["fidelity"]["verdict"])
    assert "invalid" not in verdicts
    found = checked(tmp_path, 0, "--unfaithful")
    assert found["score"] == found["of"] == 10
    assert set(found["runs"]) == set(EDITS)
    # Where the machine was somebody else's, too, a student is sent back to run that file again.
    strict = checked(tmp_path, 0 if set(verdicts) == {"faithful"} else 1)
    assert len(strict["runs"]) == verdicts.count("faithful")
