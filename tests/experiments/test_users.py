"""What root makes for a user of sudo is that user's, and what was there before is left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.users import hand_to_user, make_folder

NOBODY = 65534
ROOT = Path(__file__).parents[2]


@pytest.fixture
def by_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    monkeypatch.setenv("SUDO_GID", str(NOBODY))


@pytest.mark.needs_root
@pytest.mark.usefixtures("by_sudo")
def test_new_folders_are_the_users_on_the_whole_way(tmp_path: Path) -> None:
    make_folder(tmp_path / "runs" / "one")
    assert tmp_path.stat().st_uid == 0
    assert (tmp_path / "runs").stat().st_uid == NOBODY
    assert (tmp_path / "runs" / "one").stat().st_uid == NOBODY


@pytest.mark.needs_root
@pytest.mark.usefixtures("by_sudo")
def test_files_are_handed_over_with_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    make_folder(folder / "logs")
    (folder / "logs" / "rank-0.log").touch()
    hand_to_user(folder)
    assert (folder / "logs" / "rank-0.log").stat().st_uid == NOBODY


def test_a_folder_that_is_there_may_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    make_folder(tmp_path / "runs")
    make_folder(tmp_path / "runs")
    assert (tmp_path / "runs").is_dir()


@pytest.mark.needs_root
@pytest.mark.usefixtures("by_sudo")
def test_what_a_link_leads_to_is_not_handed_over(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.touch()
    folder = tmp_path / "run"
    make_folder(folder)
    (folder / "planted").symlink_to(ours)
    hand_to_user(folder)
    assert ours.stat().st_uid == 0
    assert (folder / "planted").lstat().st_uid == NOBODY


def test_others_may_write_nothing_that_the_command_line_makes(tmp_path: Path) -> None:
    """Whatever the user's umask lets through."""
    span = ["experiments/scenarios/three-campuses.yaml", "north-south"]
    page = tmp_path / "pages" / "span.html"
    command = [sys.executable, "-m", "experiments", "explain", *span, "--out", str(page)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, umask=0)
    for made in (page, page.parent):
        assert not made.stat().st_mode & 0o022, made
