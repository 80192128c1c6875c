"""Mininet's own command, ``mn --topo torus,N,N --test build``, timed where it can do no harm."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from topologies.emulation.kernel import private_network
from topologies.emulation.ovs import open_vswitch

_NOTHING_TO_SET = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"


def stock_seconds(size: int, datapath: str = "user") -> tuple[float, float]:
    """Have ``mn`` build a torus; return how long until it is built, and gone.

    Its switches meet no controller, and so have no rules. It raises limits of the whole machine,
    and should it fail, it kills processes by name and deletes every bridge that it finds: hence it
    may set nothing, and sees no processes but its own, and an Open vSwitch of its own. Raises
    CalledProcessError when it fails.
    """
    command = ["mn", "--topo", f"torus,{size},{size}", "--test", "build", "--controller", "none"]
    command += ["--switch", f"ovs,datapath={datapath}"]
    command += ["--twait", "0"]  # or it waits for ever for switches to meet the controller
    alone = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--pid",
        "--mount",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]
    alone += ["sh", "-c", f'{_NOTHING_TO_SET}; exec "$@"', "sh"]
    with (
        TemporaryDirectory(prefix="spanlab-stock-") as folder,
        private_network(),
        open_vswitch(Path(folder) / "ovs"),
    ):
        begin, built = time.monotonic(), 0.0
        with subprocess.Popen(
            [*alone, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None, "opened as a pipe"
            said = []
            for line in process.stderr:
                said.append(line)
                if re.search("Stopping [0-9]+ controllers", line):
                    built = time.monotonic()
        if process.returncode or not built:
            raise subprocess.CalledProcessError(process.returncode, command, "".join(said))
        return built - begin, time.monotonic() - built
