"""A graph turned into a running network by Mininet, and back."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any

from mininet.link import OVSLink
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.topo import Topo

from topologies.emulation.emptyhosts import EmptyHosts
from topologies.emulation.errors import EmulationError
from topologies.emulation.hostsetup import HOST_INTERFACE, Access, Settings
from topologies.emulation.kernel import widen_packet_sockets
from topologies.emulation.nodes import Cable, Controller, SpanEnd, Switch
from topologies.emulation.nodes import Host as MininetHost
from topologies.graph import Graph, Host
from topologies.tcp import AS_IT_IS, HostTcp

__all__ = ["HOST_INTERFACE", "Access", "Lab"]

SWITCH_BUFFER_BYTES = 8 << 20
"""Receive buffer of a switch port in user space: tens of ms at the rates that one carries."""

RECONNECT_MS = 1000
"""The longest that a switch waits until it tries to reach its controller again."""


class Lab:
    """The running twin of a graph; a context manager that starts and stops it.

    Must be entered inside a private network namespace with its Open vSwitch running.

    Attributes:
        graph: what it is the twin of.
        net: Mininet's view of it, once it runs: ``lab.net.get("north-w1").cmd("ip address")``.
    """

    def __init__(
        self,
        graph: Graph,
        cables: Mapping[str, tuple[str, str]],
        access: Mapping[str, Access],
        *,
        datapath: str,
        vswitchd_pid: int,
        openflow_port: Callable[[], int],
        congestion_control: str,
        tcp: HostTcp = AS_IT_IS,
        wired: bool = False,
        places: Mapping[str, int] | None = None,
    ) -> None:
        """Take the graph, the span cables to plug in, and each host's access link by name.

        ``openflow_port`` may wait until the controller listens.

        Hosts in ``places`` are there already, such as containers: each by a process whose network,
        without devices yet, becomes the host's. A fabric's cables are patches between bridges,
        which cost next to nothing; if ``wired``, they are pairs of devices, on which packets can
        be captured.
        """
        self.graph, self._cables, self._access = graph, cables, access
        self._congestion_control, self._tcp, self._wired = congestion_control, tcp, wired
        self._datapath, self._there = datapath, dict(places or {})
        self._openflow_port, self._vswitchd_pid = openflow_port, vswitchd_pid
        self._bridges = {switch.name: f"s{switch.dpid}" for switch in graph.switches}
        self._stack = ExitStack()
        self.net: Mininet
        self._keeper: EmptyHosts
        self._places: dict[str, int] = {}

    def __enter__(self) -> Lab:
        with ExitStack() as stack:
            self._keep_networks(stack)
            self.net = self._mininet()
            stack.callback(self._end_shells)
            self.net.build()
            self._plug_cables()
            self.net.start()
            self._introduce_controller()
            widen_packet_sockets(self._vswitchd_pid, SWITCH_BUFFER_BYTES)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what runs on hosts' behalf; devices and switches go with the networks they are in."""
        self._stack.close()

    def _keep_networks(self, stack: ExitStack) -> None:
        """Make a network for every host that has no place yet."""
        empty = [host.name for host in self.graph.hosts if host.name not in self._there]
        self._keeper = EmptyHosts(len(empty))
        stack.callback(self._keeper.close)
        self._places = self._there | dict(zip(empty, self._keeper.threads, strict=True))

    def _mininet(self) -> Mininet:
        """Return the network as Mininet sees it, of which there is nothing yet."""
        setLogLevel("critical")
        # Mininet's own initialisation raises limits of the whole machine; ours needs none.
        Mininet.inited = True
        settings = {host.name: self._settings(host) for host in self.graph.hosts}
        return Mininet(
            topo=_MininetTopo(self.graph, self._bridges, self._places, settings, self._wired),
            host=MininetHost,
            switch=partial(Switch, datapath=self._datapath),
            controller=None,
            build=False,
            waitConnected=False,
        )

    def _end_shells(self) -> None:
        """End the shells that somebody started, whatever they do."""
        for node in self.net.values():
            node.terminate()

    @property
    def devices(self) -> dict[str, tuple[str, int]]:
        """The switch and the port of each of its network devices; patches have none."""
        found: dict[str, tuple[str, int]] = {}
        for index, link in enumerate(self.graph.links):
            ends = ((link.a, link.a_port), (link.b, link.b_port))
            if link.kind == "access":
                found[f"h{index}"] = ends[1]
            elif link.span:
                found |= dict(zip(self._cables[link.span], ends, strict=True))
            elif self._wired:
                found |= {f"{self._bridges[name]}-{port}": (name, port) for name, port in ends}
        return found

    @property
    def bridges(self) -> list[str]:
        """The names of the switches' bridges."""
        return list(self._bridges.values())

    def pid(self, host: str) -> int:
        """Return the process, or the thread of one, whose network namespace is the host's."""
        return self._places[host]

    def popen(self, host: str, command: list[str], **options: Any) -> subprocess.Popen[str]:
        """Start a command on a host; it dies with this process."""
        prefix = ["setpriv", "--pdeathsig", "KILL", "mnexec", "-a", str(self.pid(host))]
        return subprocess.Popen([*prefix, *command], text=True, start_new_session=True, **options)

    def run(self, host: str, command: list[str], timeout_s: float) -> str:
        """Run a command on a host and return what it prints; raises EmulationError if it fails."""
        with self.popen(host, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                output, _ = process.communicate(timeout=timeout_s)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise EmulationError(f"{host}: {shlex.join(command)} failed: {output.strip()[-400:]}")
        return output

    def forget(self) -> None:
        """Let hosts forget what their TCP learnt of the ways to each other."""
        for host in self.graph.hosts:
            self.run(host.name, ["ip", "tcp_metrics", "flush"], timeout_s=5)

    def unmodelled_drops(self) -> dict[str, int]:
        """Return the frames dropped so far where nothing should be, by place, zeros left out.

        Counted at every network device (veth, TAP), every Open vSwitch port and every packet
        socket of the switches; the spans' own queues are not among them.
        """
        drops: dict[str, int] = {}
        for device in json.loads(_output(["ip", "-j", "-s", "link"])):
            for direction in ("rx", "tx"):
                counts = device["stats64"][direction]
                drops[f"{device['ifname']} {direction}"] = counts["dropped"] + counts["errors"]
        columns = ["ovs-vsctl", "--format=json", "--columns=name,statistics", "list", "Interface"]
        for name, (_, statistics) in json.loads(_output(columns))["data"]:
            counters = dict(statistics)
            for kind in ("rx_dropped", "tx_dropped", "rx_errors", "tx_errors"):
                drops[f"switch port {name} {kind}"] = counters.get(kind, 0)
        for line in _output(["ss", "-0", "-m", "-H"]).splitlines():
            if dropped := re.search(r"skmem:\(.*,d([0-9]+)\)", line):
                place = f"packet socket {line.split()[3]}"
                drops[place] = drops.get(place, 0) + int(dropped[1])
        return {place: count for place, count in drops.items() if count}

    def _plug_cables(self) -> None:
        """Make the ends of every span's cable ports of its two border switches."""
        for span, link in self.graph.spans.items():
            for device, switch, port in zip(
                self._cables[span], (link.a, link.b), (link.a_port, link.b_port), strict=True
            ):
                SpanEnd(device, node=self.net[self._bridges[switch]], port=port)

    def _introduce_controller(self) -> None:
        """Let all switches meet the controller, which may have started only while they did."""
        controller = Controller("c0", ip="127.0.0.1", port=self._openflow_port())
        self.net.addController(controller)
        target = f"tcp:{controller.ip}:{controller.port}"
        words: list[str] = []
        for bridge in self._bridges.values():
            words += ["--", "set-controller", bridge, target]
            words += ["--", "set", "Controller", bridge, f"max_backoff={RECONNECT_MS}"]
        _output(["ovs-vsctl", "--no-wait", *words])

    def _settings(self, host: Host) -> Settings:
        """Return what a host is to be; it knows all whom it will talk to.

        Were it to ask for them, that would be ten thousand questions among a hundred hosts, and as
        many answers to be kept: Linux keeps 1,024 at a time for all namespaces of a machine
        (net.ipv4.neigh.default.gc_thresh3), besides those that are there for good.
        """
        peers = self.graph.probers(host.probes) if host.probes else self.graph.workers
        return Settings(
            host.ip,
            self._access[host.name],
            self._congestion_control,
            {peer.ip: peer.mac for peer in peers if peer is not host},
            self._tcp,
        )


class _MininetTopo(Topo):
    """The hosts, switches, access and fabric links of a graph; spans are plugged in later."""

    def build(
        self,
        graph: Graph,
        bridges: Mapping[str, str],
        places: Mapping[str, int],
        settings: Mapping[str, Settings],
        wired: bool,
    ) -> None:
        mtu = max(it.access.mtu for it in settings.values())
        for switch in graph.switches:
            self.addSwitch(bridges[switch.name], dpid=f"{switch.dpid:016x}")
        for host in graph.hosts:
            self.addHost(host.name, place=places[host.name], settings=settings[host.name])
        macs = {host.name: host.mac for host in graph.hosts}
        for index, link in enumerate(graph.links):
            if link.kind == "access":
                self.addLink(
                    link.a,
                    bridges[link.b],
                    port1=0,
                    port2=link.b_port,
                    intfName1=HOST_INTERFACE,
                    intfName2=f"h{index}",
                    addr1=macs[link.a],
                    cls=Cable,
                    mtu=settings[link.a].access.mtu,
                )
            elif link.kind == "fabric":
                a, b = bridges[link.a], bridges[link.b]
                self.addLink(
                    a,
                    b,
                    port1=link.a_port,
                    port2=link.b_port,
                    intfName1=f"{a}-{link.a_port}",
                    intfName2=f"{b}-{link.b_port}",
                    **({"cls": Cable, "mtu": mtu} if wired else {"cls": OVSLink}),
                )


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
