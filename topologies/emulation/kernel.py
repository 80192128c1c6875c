"""Namespaces and process ties, by the system calls that Python 3.10 does not name."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import run

_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_SO_RCVBUFFORCE = 33
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def enter_network(namespace: int) -> None:
    """Move the calling thread into a network namespace given by an open descriptor."""
    _check(_libc.setns(namespace, _CLONE_NEWNET))


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))


@contextmanager
def private_network() -> Iterator[int]:
    """Run the calling thread, and what it starts, in a network namespace of its own.

    It holds nothing but loopback: whatever is built inside can reach no real interface, and goes
    with the last process inside it. Yields a descriptor of the network that was left.
    """
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(_CLONE_NEWNET))
        run(["ip", "link", "set", "lo", "up"], check=True)
        for scope in ("all", "default"):
            # Devices would announce themselves over IPv6 through every span.
            setting = Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
            if setting.exists():
                setting.write_text("1")
        yield outside
    finally:
        enter_network(outside)
        os.close(outside)


_PIDFD_OPEN, _PIDFD_GETFD = 434, 438


def widen_packet_sockets(pid: int, size: int) -> int:
    """Give every packet socket of another process a receive buffer of ``size`` bytes.

    A switch in user space reads its ports through packet sockets, whose default buffer holds a
    dozen jumbo frames: less than it may be away for. Returns how many sockets were widened.
    """
    process = _libc.syscall(_PIDFD_OPEN, pid, 0)
    if process < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    widened = 0
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            descriptor = _libc.syscall(_PIDFD_GETFD, process, int(entry.name), 0)
            if descriptor < 0:
                continue  # closed meanwhile
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                continue
            with socket.socket(fileno=descriptor) as theirs:
                if theirs.family == socket.AF_PACKET:
                    theirs.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
                    widened += 1
    finally:
        os.close(process)
    return widened
