"""Ryu's environment is made once, and never left half-made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.controller import ryu_environment
from tests.controller.ryu_environment import CannotInstall, ryu_python


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would be run to make it, below a folder of the test's own."""
    ran: list[str] = []

    def run(*command: str) -> str:
        ran.append(" ".join(command))
        if "venv" in command:
            Path(command[-1], "site").mkdir(parents=True)
            return ""
        return f"{Path(command[0]).parents[1] / 'site'}\n" if "sysconfig" in ran[-1] else ""

    monkeypatch.setattr(ryu_environment, "ROOT", tmp_path)
    monkeypatch.setattr(ryu_environment, "_run", run)
    return ran


def test_it_is_made_once_and_sees_the_main_one_last(commands: list[str]) -> None:
    folder = ryu_python().parents[1]
    assert (folder / "site" / "main.pth").read_text().endswith("site-packages\n")
    assert "--no-build-isolation" in commands[-1]
    made = len(commands)
    assert ryu_python().parents[1] == folder
    assert len(commands) == made


def test_what_was_left_half_made_is_made_anew(
    commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = ryu_environment._run

    def fails(*command: str) -> str:
        works(*command)
        if "--requirement" in command:
            raise CannotInstall("no network")
        return works(*command[:1], "sysconfig")

    monkeypatch.setattr(ryu_environment, "_run", fails)
    with pytest.raises(CannotInstall, match="no network"):
        ryu_python()
    monkeypatch.setattr(ryu_environment, "_run", works)
    folder = ryu_python().parents[1]
    assert (folder / "complete").exists()
