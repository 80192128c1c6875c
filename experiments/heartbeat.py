"""Whether a daemon of Open vSwitch still answers, asked without ever waiting for it."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

EVERY_S, SILENT_S = 1.0, 5.0
"""How often it is asked, and how long it may take to answer: a busy one takes milliseconds."""
_QUESTION = json.dumps({"id": 0, "method": "version", "params": []}).encode()


class Heartbeat:
    """Asks a control socket (ovs-appctl's, JSON-RPC) for its version, again and again."""

    def __init__(self, path: Path) -> None:
        """Take the socket's path; nothing is asked yet."""
        self._path = path
        self._asked: tuple[socket.socket, float] | None = None
        self._last = 0.0

    def silent_s(self, now: float) -> float | None:
        """Go on asking; return for how long no answer has come, where that is too long."""
        if self._asked is None:
            if now - self._last >= EVERY_S:
                self._ask(now)
            return None
        connection, since = self._asked
        try:
            connection.recv(1 << 16)
        except BlockingIOError:
            return now - since if now - since >= SILENT_S else None
        except OSError:
            pass  # it has ended, which its process tells
        connection.close()
        self._asked, self._last = None, now
        return None

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._asked is not None:
            self._asked[0].close()
            self._asked = None

    def _ask(self, now: float) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._last = now
        with contextlib.suppress(OSError):  # nobody listens: its process is looked at as well
            connection.connect(str(self._path))
            connection.send(_QUESTION)
            self._asked = connection, now
            return
        connection.close()
