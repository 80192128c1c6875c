"""An environment of Ryu's own: it needs a setuptools that is older than the main one's.

Made once and kept below ``.spanlab``; whatever its requirements were made into before stays there.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements-ryu.txt")
BUILD = ["setuptools==67.6.1", "wheel==0.45.1", "pbr==7.1.3"]
"""Ryu's setup.py calls what later releases of setuptools have given up."""


class CannotInstall(RuntimeError):
    """The environment cannot be made, perhaps for want of a network."""


def ryu_python() -> Path:
    """Return the interpreter of the environment, which is made first where it is not there."""
    site = sysconfig.get_path("purelib")
    made_from = f"{REQUIREMENTS.read_text()}\n{BUILD}\n{sys.version}\n{site}"
    digest = hashlib.sha256(made_from.encode()).hexdigest()[:12]
    folder = ROOT / ".spanlab" / f"ryu-{digest}"
    complete = folder / "complete"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            _make(folder, site)
            complete.touch()
    return folder / "bin" / "python"


def _make(folder: Path, site: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # what was begun and not ended
    _run(sys.executable, "-Im", "venv", str(folder))
    python = folder / "bin" / "python"
    own = _run(str(python), "-Ic", "import sysconfig; print(sysconfig.get_path('purelib'))")
    pip = [str(python), "-Im", "pip", "install", "--quiet"]
    _run(*pip, *BUILD)
    Path(own.strip(), "main.pth").write_text(f"{site}\n")  # looked into last
    _run(*pip, "--no-build-isolation", "--no-deps", "--requirement", str(REQUIREMENTS))


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=250)
    if done.returncode:
        raise CannotInstall(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    return done.stdout
