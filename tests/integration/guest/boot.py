"""Boots a user-mode Linux guest, which has netem and the kernel's Open vSwitch on any machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

INIT = Path(__file__).with_name("init.sh")
GUEST_LACKING = None if shutil.which("linux.uml") else "needs user-mode Linux"


def in_guest(folder: Path, job: str, timeout_s: float) -> None:
    """Run a shell script in a guest, in ``folder``; it finds the Python to use as ``$python``."""
    (folder / "job").write_text(job)
    guest = [
        # A guest that waits for its turn among busy processes measures that, and not the spans.
        *("nice", "-n", "-15"),
        *("linux.uml", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", "mem=2560M"),
        *("con=null", "con0=fd:0,fd:1", "con1=null", "quiet", f"init={INIT}"),
        *(f"spanlab_python={sys.executable}", f"spanlab_folder={folder}"),
    ]
    subprocess.run(
        guest, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=timeout_s, check=False
    )
    log = folder / "log"
    said = log.read_text() if log.exists() else "the guest wrote no log"
    code = folder / "code"
    assert code.exists() and code.read_text().strip() == "0", said
