"""Boots a user-mode Linux guest, which has netem and the kernel's Open vSwitch on any machine.

Run as a script, ``boot.py SHELL_SCRIPT``: the script runs in the present folder, inside, and finds
the Python to use as ``$python``. Ends as the script does, and prints what it said if it failed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

INIT = Path(__file__).with_name("init.sh")


def in_guest(script: str) -> tuple[str, ...]:
    """Return the command that runs a shell script in a guest."""
    return sys.executable, __file__, script


def main(script: str) -> int:
    folder = Path.cwd()
    (folder / "job").write_text(script)
    guest = [
        *("linux.uml", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", "mem=2560M"),
        *("con=null", "con0=fd:0,fd:1", "con1=null", "quiet", f"init={INIT}"),
        *(f"spanlab_python={sys.executable}", f"spanlab_folder={folder}"),
    ]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(
        guest, stdin=nothing, stdout=nothing, start_new_session=True
    ) as processes:
        # A guest is many processes, which end together or not at all.
        signal.signal(signal.SIGTERM, lambda *_: os.killpg(processes.pid, signal.SIGKILL))
    log, code = folder / "log", folder / "code"
    if code.exists() and code.read_text().strip() == "0":
        return 0
    print(log.read_text() if log.exists() else "the guest wrote no log")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
