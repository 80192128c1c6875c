"""A graph turned into a running network by Mininet, and back."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from mininet.link import Intf, Link, OVSLink
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import Host as MininetHost
from mininet.node import OVSSwitch, RemoteController
from mininet.topo import Topo

from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.kernel import widen_packet_sockets
from topologies.graph import Graph, Host
from topologies.linkstate import ETHERNET_HEADER
from topologies.tcp import AS_IT_IS, HostTcp

HOST_INTERFACE = "net0"
ACCESS_QUEUE_FRAMES = 256
SWITCH_BUFFER_BYTES = 8 << 20
"""Receive buffer of a switch port in user space: tens of ms at the rates that one carries."""


@dataclass(frozen=True)
class Access:
    """How a host is attached: wire rate of its own traffic, and packet size."""

    rate_bps: int
    mtu: int


class Lab:
    """The running twin of a graph; a context manager that starts and stops it.

    Must be entered inside a private network namespace with its Open vSwitch running.
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
        setLogLevel("critical")
        # Mininet's own initialisation raises limits of the whole machine; ours needs none.
        Mininet.inited = True
        self._bridges = {switch.name: f"s{switch.dpid}" for switch in graph.switches}
        self._net = Mininet(
            topo=_MininetTopo(graph, self._bridges, Link if wired else OVSLink, places or {}),
            switch=_switch_kind(datapath),
            link=OVSLink,
            controller=None,
            build=False,
            waitConnected=False,
        )
        self._openflow_port, self._vswitchd_pid = openflow_port, vswitchd_pid

    def __enter__(self) -> Lab:
        try:
            self._net.build()
            self._net.addController(
                _SilentController("c0", ip="127.0.0.1", port=self._openflow_port())
            )
            self._plug_cables()
            self._widen_ports()
            self._net.start()
            self._leave_queues_alone()
            widen_packet_sockets(self._vswitchd_pid, SWITCH_BUFFER_BYTES)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(self._configure, self.graph.hosts))
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._net.stop()

    def _abandon(self) -> None:
        """Take down what was built; a shell may be in the middle of a command that was interrupted.

        Such a shell would refuse the commands of taking down, whose failure would hide the cause.
        """
        nodes = list(self._net.values())
        for node in nodes:
            node.waiting = False
        try:
            self._net.stop()
        except Exception:  # what is left goes with the run's network, and its shells
            for node in nodes:
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
        """Return the process whose network namespace is the host's."""
        return int(self._net[host].pid)

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
                Intf(device, node=self._net[self._bridges[switch]], port=port)

    def _leave_queues_alone(self) -> None:
        """Keep Open vSwitch from clearing the impairer's queues, as it does with a port's own."""
        devices = [device for ends in self._cables.values() for device in ends]
        ports = [["--", "set", "Port", device, "qos=@none"] for device in devices]
        create = ["--id=@none", "create", "QoS", "type=linux-noop"]
        if ports:
            _output(["ovs-vsctl", "--", *create, *(word for port in ports for word in port)])

    def _widen_ports(self) -> None:
        """Give the switches' side of every access link, and of wires, the hosts' packet size."""
        mtu = max(access.mtu for access in self._access.values())
        spans = {device for ends in self._cables.values() for device in ends}
        for device in self.devices.keys() - spans:
            _output(["ip", "link", "set", device, "mtu", str(mtu), "up"])

    def _configure(self, host: Host) -> None:
        """Give a host its address, packet size, access rate and TCP; check that each took."""
        access = self._access[host.name]
        frame = access.mtu + ETHERNET_HEADER
        # Two frames of burst: the shaper's clock is finer than a frame at every rate we reach.
        burst = max(2 * frame, access.rate_bps // 8 // 1000)
        queue = ACCESS_QUEUE_FRAMES * frame
        script = f"""set -e
ip link set lo up
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null || true
ethtool -K {HOST_INTERFACE} tx off sg off tso off gso off gro off >/dev/null
ip link set {HOST_INTERFACE} mtu {access.mtu} up
ip route replace 10.0.0.0/8 dev {HOST_INTERFACE}{self._tcp.route_options}
tc qdisc replace dev {HOST_INTERFACE} root tbf rate {access.rate_bps}bit \
burst {burst} limit {queue}
sysctl -qw net.ipv4.tcp_congestion_control={self._congestion_control}
cat /proc/sys/net/ipv4/tcp_congestion_control"""
        try:
            answer = self.run(host.name, ["sh", "-c", script], timeout_s=20)
        except EmulationError as error:
            if "tcp_congestion_control" not in str(error).partition(" failed: ")[2]:
                raise
            answer = ""
        if answer.split()[-1:] != [self._congestion_control]:
            allowed = f"reno {self._congestion_control}"
            raise MachineError(
                f"TCP {self._congestion_control} is not permitted in namespaces; permit it with: "
                f"sysctl -w net.ipv4.tcp_allowed_congestion_control='{allowed}'"
            )
        self._limit(host)

    def _limit(self, host: Host) -> None:
        """Let a host's buffers hold its window; check that its route has what TCP is told."""
        metrics, room = self._tcp.metrics, self._tcp.buffers
        if not metrics:
            return
        script = "set -e\n"
        for kind in ("rmem", "wmem") if room else ():
            path = f"/proc/sys/net/ipv4/tcp_{kind}"
            script += f"set -- $(cat {path})\n"
            script += f"[ $3 -ge {room} ] || echo $1 $2 {room} >{path}\n"
        script += "ip -j route show 10.0.0.0/8"
        (route,) = json.loads(self.run(host.name, ["sh", "-c", script], timeout_s=20))
        found = route.get("metrics", [{}])[0]
        if found != metrics:
            raise EmulationError(f"{host.name}: its route has {found} and should have {metrics}")


class _MininetTopo(Topo):
    """The hosts, switches, access and fabric links of a graph; spans are plugged in later."""

    def build(
        self, graph: Graph, bridges: Mapping[str, str], cable: Any, places: Mapping[str, int]
    ) -> None:
        for switch in graph.switches:
            self.addSwitch(bridges[switch.name], dpid=f"{switch.dpid:016x}")
        for host in graph.hosts:
            there = {"cls": _HostThere, "place": places[host.name]} if host.name in places else {}
            self.addHost(host.name, ip=f"{host.ip}/8", mac=host.mac, **there)
        for index, link in enumerate(graph.links):
            if link.kind == "access":
                self.addLink(
                    link.a,
                    bridges[link.b],
                    port1=0,
                    port2=link.b_port,
                    intfName1=HOST_INTERFACE,
                    intfName2=f"h{index}",
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
                    cls=cable,
                )


class _HostThere(MininetHost):
    """A host whose network is that of a process which runs already, ``place``.

    Mininet's shell for it joins that network; by the shell's process Mininet moves the host's end
    of its cable there, and `Lab` starts what it runs, with this machine's own programs.
    """

    def startShell(self, mnopts: str | None = None) -> None:
        self.inNamespace = False  # not a new one
        super().startShell(mnopts)
        self.inNamespace = True

    def _popen(self, cmd: list[str], **params: Any) -> Any:
        network = f"--net=/proc/{self.params['place']}/ns/net"
        return super()._popen(["nsenter", network, *cmd], **params)


class _SilentController(RemoteController):
    """A controller that runs elsewhere and is known to listen."""

    def checkListening(self) -> None:
        pass


def _switch_kind(datapath: str) -> Any:
    def switch(name: str, **options: Any) -> OVSSwitch:
        return OVSSwitch(name, datapath=datapath, protocols="OpenFlow13", batch=True, **options)

    return switch


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
