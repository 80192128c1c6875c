"""Networks of hosts in which nothing runs yet: one process keeps them all.

Mininet starts a shell for each host, which keeps the host's network namespace: a hundred shells
take seconds to start and to end. Here each namespace is kept by a thread that sleeps, and a thread
has its own folder in ``/proc`` like a process: its number does for whatever enters by one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from topologies.emulation.errors import EmulationError

_KEEPER = Path(__file__).with_name("keeper.py")
_END_TIMEOUT_S = 5.0


class EmptyHosts:
    """A process that keeps networks with no device but loopback; they go with it.

    It ends with its maker's process, and carries the mark of the maker's run in its environment.

    Attributes:
        pid: the process.
        threads: the number of the thread that keeps each network.
    """

    def __init__(self, count: int) -> None:
        """Make ``count`` networks. Raises EmulationError when the kernel does not."""
        command = [sys.executable, "-BISs", str(_KEEPER), str(count)]
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None, "opened as a pipe"
        self.pid = self._process.pid
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise EmulationError(
                "the process that keeps the hosts' networks ended before it had made them"
            )
        self.threads: tuple[int, ...] = tuple(json.loads(line))

    def close(self) -> None:
        """End it; networks that something else is in stay until that ends."""
        self._process.kill()
        self._process.wait(_END_TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None, "opened as a pipe"
            pipe.close()
