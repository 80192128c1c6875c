"""A rank's place: its network namespace, its names, its tie to the launcher."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from functools import cache
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


@cache
def use_names(hosts_file: str) -> None:
    """Let this process and its children see ``hosts_file`` as /etc/hosts, and no name server.

    Once is enough. gloo looks up the name of every peer, and waits 9 s for a name server that no
    emulated network has. The process gets mounts of its own: nobody else sees this.
    """
    _check(_libc.unshare(_CLONE_NEWNS))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", hosts_file, "/etc/hosts"], check=True)
    if Path("/etc/resolv.conf").exists():
        # Empty, it stands for a server on loopback, where a question is refused at once.
        subprocess.run(["mount", "--bind", "/dev/null", "/etc/resolv.conf"], check=True)


def enter_network(path: str) -> None:
    """Move this process into the network namespace at ``path``."""
    namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(namespace, _CLONE_NEWNET))
    finally:
        os.close(namespace)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
