"""A container sees what this Python runs from, and nothing else of the machine."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from topologies.emulation.containers.mounts import Mount, python_mounts


def mounted(root: Path, base_prefix: str, *path: Path) -> set[str]:
    """Return the places that a virtual environment in a project's folder needs."""
    mounts = python_mounts(
        executable=Path(base_prefix, "bin/python3.11"),
        base_prefix=Path(base_prefix),
        prefix=root / ".venv",
        stdlib=Path(base_prefix, "lib/python3.11"),
        path=path,
        root=root,
        packages=["workloads"],
    )
    assert all(mount.source == mount.target and not mount.writable for mount in mounts)
    return {str(mount.source) for mount in mounts}


def test_an_interpreter_of_the_distribution_brings_its_files_alone(tmp_path: Path) -> None:
    site = tmp_path / ".venv/lib/python3.11/site-packages"
    site.mkdir(parents=True)
    found = mounted(tmp_path, "/usr", site, tmp_path, Path("/usr/lib/python311.zip"))
    assert found == {
        "/usr/bin/python3.11",
        "/usr/lib/python3.11",
        f"{tmp_path}/.venv",
        f"{tmp_path}/workloads",
    }


def test_any_other_comes_whole_and_with_what_its_path_reaches(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    project = tmp_path / "project"
    found = mounted(project, "/opt/python", project, elsewhere, tmp_path / "absent")
    assert found == {
        "/opt/python",
        f"{project}/.venv",
        f"{project}/workloads",
        str(elsewhere),
    }


@pytest.mark.parametrize("place", ["/plain", "/with,comma", '/with"quote', "/with space"])
def test_a_mount_is_one_line_of_values(place: str) -> None:
    import csv

    (fields,) = csv.reader([str(Mount(Path(place), Path("/there")))])
    assert fields == ["type=bind", f"source={place}", "target=/there", "readonly"]
    (fields,) = csv.reader([str(Mount(Path(place), Path("/there"), writable=True))])
    assert fields[-1] == "target=/there"


def test_this_python_imports_torch_from_these_places() -> None:
    root = Path(__file__).parents[3]
    mounts = python_mounts(
        executable=Path(sys.executable).resolve(),
        base_prefix=Path(sys.base_prefix),
        prefix=Path(sys.prefix),
        stdlib=Path(sysconfig.get_path("stdlib")),
        path=[Path(entry) for entry in sys.path if entry],
        root=root,
        packages=["workloads"],
    )
    find = "import importlib.util as u; print(*(u.find_spec(n).origin for n in ('torch', 'json')))"
    done = subprocess.run([sys.executable, "-Ic", find], capture_output=True, text=True, check=True)
    for origin in done.stdout.split():
        assert any(Path(origin).is_relative_to(mount.source) for mount in mounts), origin
