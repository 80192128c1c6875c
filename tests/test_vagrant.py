"""The Vagrantfile as Vagrant itself reads it; no provider is needed, nothing is started."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    shutil.which("vagrant") is None, reason="no vagrant here: apt-get install vagrant"
)

SETTINGS = """
require "vagrant"
require "json"
read = Vagrant::Environment.new(cwd: ARGV[0]).vagrantfile
config = read.machine_config(:default, :virtualbox, nil, nil, false)[:config]
puts JSON.generate({
  box: config.vm.box,
  ports: config.vm.networks.select { |kind, _| kind == :forwarded_port }.map { |_, it| it },
  folders: config.vm.synced_folders.values,
  provisioners: config.vm.provisioners.map { |it| it.config.instance_variables.to_h {
    |name| [name.to_s.delete("@"), it.config.instance_variable_get(name)] } },
  virtualbox: config.vm.get_provider_config(:virtualbox).customizations.map { |_, words| words },
})
"""
"""What Vagrant makes of the file for VirtualBox, in its own words."""


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment in which Vagrant writes nothing but into a folder."""
    own = {"VAGRANT_HOME": str(home / "home"), "VAGRANT_DOTFILE_PATH": str(home / "dot")}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SPANLAB_")}
    return {**kept, **own, "VAGRANT_CHECKPOINT_DISABLE": "1", **more}


def settings(home: Path, **more: str) -> Any:
    done = subprocess.run(
        ["ruby", "-e", SETTINGS, str(ROOT)],
        env=environment(home, **more),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What Vagrant makes of the file where nothing is asked for."""
    return settings(tmp_path_factory.mktemp("vagrant"))


def processors(found: Any) -> str:
    return next(str(words[-1]) for words in found["virtualbox"] if "--cpus" in words)


def validate(folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["vagrant", "validate", "--ignore-provider"],
        env=environment(home),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_vagrant_accepts_it(tmp_path: Path) -> None:
    done = validate(ROOT, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "validated successfully" in done.stdout


def test_vagrant_would_refuse_a_wrong_one(tmp_path: Path) -> None:
    text = (ROOT / "Vagrantfile").read_text()
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "Vagrantfile").write_text(text.replace("config.vm.hostname", "config.vm.hostnaem"))
    assert validate(wrong, tmp_path).returncode != 0


def test_virtualbox_has_one_processor_unless_asked(found: Any, tmp_path: Path) -> None:
    assert processors(found) == "1"
    assert processors(settings(tmp_path, SPANLAB_CPUS="3")) == "3"


def test_only_this_computer_reaches_the_guest(found: Any) -> None:
    ports = found["ports"]
    assert 8080 in {port["guest"] for port in ports}
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_it_is_provisioned_by_the_launcher_as_an_ordinary_user(found: Any) -> None:
    first, second = found["provisioners"]
    assert first["inline"] == "cd spanlab && ./spanlab doctor"
    assert second["inline"] == "cd spanlab && ./spanlab demo"
    assert first["privileged"] is second["privileged"] is False


def test_what_the_guest_makes_is_not_copied_over(found: Any) -> None:
    (copied,) = (it for it in found["folders"] if not it.get("disabled"))
    assert copied["guestpath"] == "/home/vagrant/spanlab"
    assert {".venv/", ".spanlab/", "runs/"} <= set(copied["rsync__exclude"])
