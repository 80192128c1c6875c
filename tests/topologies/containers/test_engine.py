"""Which engine is used, and what is said where there is none."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from topologies.emulation.containers import engine, slots
from topologies.emulation.containers.engine import Engine, open_engine, running_engine
from topologies.emulation.containers.image import digest, rank_image
from topologies.emulation.errors import EmulationError, MachineError


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make this a machine without any program, engine or cache; return its folder of programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "DEFAULT_SOCKET", tmp_path / "docker.sock")
    monkeypatch.setattr(slots, "CACHE", tmp_path / "cache")
    return programs


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_without_docker_the_command_that_installs_it_is_named(bare: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(MachineError, match="no docker: apt-get install docker"),
        open_engine(tmp_path, tmp_path / "log"),
    ):
        pass
    assert not engine.can_start()
    assert not (tmp_path / "cache").exists()


def test_a_client_alone_is_not_an_engine(bare: Path, tmp_path: Path) -> None:
    program(bare, "docker", "exit 1")
    with (
        pytest.raises(MachineError, match="no dockerd: apt-get install docker"),
        open_engine(tmp_path, tmp_path / "log"),
    ):
        pass


def test_an_engine_on_another_machine_is_refused(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://far:2375")
    with pytest.raises(MachineError, match="must run on this machine"):
        running_engine()


def test_a_stated_engine_must_answer(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare, "docker", "echo 'cannot connect' >&2; exit 1")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with pytest.raises(MachineError, match="DOCKER_HOST=unix:///nowhere"):
        running_engine()


def test_a_socket_that_nobody_serves_is_no_engine(bare: Path, tmp_path: Path) -> None:
    program(bare, "docker", "exit 1")
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "docker.sock"))
    assert running_engine() is None


@pytest.mark.needs_root
def test_an_engine_that_dies_at_once_is_quoted(bare: Path, tmp_path: Path) -> None:
    for name in ("setpriv", "unshare"):
        bare.joinpath(name).symlink_to(f"/usr/bin/{name}")
    for name in ("sh", "mount"):
        bare.joinpath(name).symlink_to(f"/bin/{name}")
    for name in ("docker", "containerd", "runc"):
        program(bare, name, "exit 1")
    program(bare, "dockerd", "echo no room for images >&2; exit 1")
    folder = tmp_path / "run"
    folder.mkdir()
    with (
        pytest.raises(MachineError, match="no room for images"),
        open_engine(folder, tmp_path / "log"),
    ):
        pass


def test_engines_at_once_keep_their_images_apart(bare: Path) -> None:
    with slots.data_root() as first, slots.data_root() as second:
        assert first != second
    with slots.data_root() as again:
        assert again == first


def test_what_the_client_says_is_in_the_error(bare: Path) -> None:
    program(bare, "docker", 'echo "$3 $4" >&2; exit 1')
    with pytest.raises(EmulationError, match="docker inspect failed: inspect box"):
        Engine("unix:///x").ask("inspect", "box")


def test_no_registry_and_no_debootstrap_is_said_with_both_reasons(
    bare: Path, tmp_path: Path
) -> None:
    program(
        bare,
        "docker",
        'case $3 in images) exit 0 ;; *) echo "no route to host" >&2; exit 1 ;; esac',
    )
    bare.joinpath("setpriv").symlink_to("/usr/bin/setpriv")
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("ARG BASE\nFROM ${BASE}\n")
    with pytest.raises(MachineError) as caught:
        rank_image(Engine("unix:///x"), dockerfile, lambda stage: None)
    assert "no route to host" in str(caught.value)
    assert "apt-get install debootstrap" in str(caught.value)


def test_another_file_or_another_base_is_another_image() -> None:
    assert digest("FROM a", "b") == digest("FROM a", "b")
    assert len({digest("FROM a", "b"), digest("FROM b", "b"), digest("FROM a", "c")}) == 3
