"""What root makes for a user of sudo is that user's, and what was there before is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.users import hand_to_user, make_folder

NOBODY = 65534


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
