"""Mininet's nodes and cables, without a process for each of them and for each setting.

Mininet starts a shell for every node, and has it run `ip` and `ifconfig`. Here the shell of a node
starts with the first command that somebody gives it, by `Node.cmd` or `Node.sendCmd`; what builds
the network asks the kernel itself.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mininet.link import Intf, Link
from mininet.node import Host as MininetHost
from mininet.node import Node, OVSSwitch, RemoteController
from mininet.util import errRun

from topologies.emulation import rtnetlink
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.hostsetup import PREFIX, Settings, inside, set_up


class _Shellless(Node):
    """A node without a shell until one is needed.

    Attributes:
        place: the process or thread whose network the node is in.
    """

    def __init__(self, name: str, **params: Any) -> None:
        self._built = False
        self.place: int = params.pop("place", threading.get_native_id())
        super().__init__(name, **params)
        self._built = True

    def startShell(self, mnopts: str | None = None) -> None:
        if self._built:
            super().startShell(mnopts)
        self.pid = self.place

    def sendCmd(self, *args: Any, **options: Any) -> None:
        self._ensure_shell()
        super().sendCmd(*args, **options)

    def cmd(self, *args: Any, **options: Any) -> Any:
        if not self._built:
            return ""  # the answer to what Mininet asks as it makes a node: `ifconfig lo up`
        self._ensure_shell()
        return super().cmd(*args, **options)

    def _ensure_shell(self) -> None:
        if self.shell is None:
            self.startShell()


class Host(_Shellless, MininetHost):
    """A host whose network is kept by a process or thread that is there already, its ``place``.

    That is one of `EmptyHosts`, or a container. What Mininet starts on the host joins that network,
    with this machine's own programs.
    """

    def startShell(self, mnopts: str | None = None) -> None:
        self.inNamespace = False  # not a new one
        super().startShell(mnopts)
        self.inNamespace = True

    def _popen(self, cmd: list[str], **params: Any) -> Any:
        return super()._popen(["nsenter", f"--net=/proc/{self.place}/ns/net", *cmd], **params)

    def config(self, **params: Any) -> dict[str, Any]:
        """Set up the host by its ``settings``; see `set_up`."""
        settings: Settings = params["settings"]
        port = self.defaultIntf()
        port.ip, port.prefixLen = settings.ip, PREFIX
        try:
            inside(self.place, lambda: set_up(settings))
        except MachineError:
            raise
        except EmulationError as error:
            raise EmulationError(f"{self.name}: {error}") from None
        return {}


class Switch(_Shellless, OVSSwitch):
    """A switch that starts together with all others."""

    def __init__(self, name: str, **params: Any) -> None:
        super().__init__(name, protocols="OpenFlow13", **{**params, "batch": True})

    def start(self, controllers: Sequence[Any]) -> None:
        """Say what it is to be; it would clear the impairers' queues, as it does with its own."""
        super().start(controllers)
        spans = [port.name for port in self.intfList() if isinstance(port, SpanEnd)]
        if spans:
            none = f"@none-{self.name}"
            ports = (f" -- set Port {name} qos={none}" for name in spans)
            self.vsctl(f"-- --id={none} create QoS type=linux-noop" + "".join(ports))

    @classmethod
    def isOldOVS(cls) -> bool:
        """Older than 1.10, of 2013: none is that can be installed beside this Python."""
        return False

    @classmethod
    def batchStartup(cls, switches: Sequence[Any], run: Callable[..., Any] = errRun) -> Any:
        """Start switches; raises EmulationError with what Open vSwitch says against one."""

        def checked(*command: str, **options: Any) -> Any:
            out, err, code = found = run(*command, **options)
            if code:
                raise EmulationError(f"the switches did not start: {(err or out).strip()[-400:]}")
            return found

        return super().batchStartup(switches, run=checked)


class Controller(_Shellless, RemoteController):
    """A controller that runs elsewhere and is known to listen."""

    def checkListening(self) -> None:
        pass


class Port(Intf):
    """A device that is as it should be when Mininet hears of it."""

    def config(self, **params: Any) -> dict[str, Any]:
        return {}


class SpanEnd(Port):
    """The end of a span's cable in a border switch."""


class Cable(Link):
    """A pair of devices between a host, or a switch, and a switch."""

    def __init__(self, near: Node, far: Node, *, mtu: int, **options: Any) -> None:
        """Make it, of frames with packets of ``mtu`` bytes at the most."""
        self._mtu = mtu
        super().__init__(near, far, **{**options, "cls1": Port, "cls2": Port})

    def makeIntfPair(
        self,
        near: str,
        far: str,
        near_mac: str,
        far_mac: str,
        near_node: Node,
        far_node: Node,
        deleteIntfs: bool = False,
    ) -> None:
        """Make the pair: the near device in its host's network, if it is a host's."""
        with rtnetlink.Rtnetlink() as kernel:
            if isinstance(near_node, Host):
                with Path(f"/proc/{near_node.place}/ns/net").open() as network:
                    there = network.fileno()
                    kernel.ask([rtnetlink.veth(far, near, there, near_mac, self._mtu)])
            else:
                kernel.ask([rtnetlink.veth(far, near, None, near_mac, self._mtu)])
                kernel.ask([rtnetlink.up(socket.if_nametoindex(near))])
