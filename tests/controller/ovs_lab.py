"""Run the controller against real Open vSwitch in a network namespace of its own; print findings.

Not a test by itself: `test_ovs.py` runs it as ``unshare --net python ovs_lab.py FOLDER PYTHON``, so
that neither bridges nor ports can meet anybody else's; PYTHON is what runs the controller. Patch
ports stand for the cables, and a pair of virtual Ethernet devices for the span that is to be cut;
two hosts are real: TAP ports of the switches, moved to namespaces of their own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from controller import policies
from controller.client import ControllerClient
from controller.errors import ControllerError
from controller.intent import Intent
from controller.wiring import Wiring
from topologies.emulation.ovs import open_vswitch
from topologies.graph import build_graph
from topologies.linkstate import LinkState
from topologies.spec import NetworkSpec

SPAN = {"rate": "1 Gbit/s", "delay": "1 ms"}
NETWORK = {
    "campuses": {
        "north": {"workers": 2},
        "south": {"workers": 1, "fabric": {"kind": "ring", "leaves": 3}},
        "east": {"workers": 1, "fabric": {"kind": "star"}},
    },
    "spans": {"north-south": SPAN, "south-east": SPAN, "north-east": SPAN},
}
CUT = "south-east"
PAIR = "north-w1", "south-w1"
UDP_FLOW = str(Path(__file__).with_name("udp_flow.py"))


def run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, check=check, stdout=subprocess.PIPE, text=True, timeout=30)
    return done.stdout


def soon(condition: Callable[[], Any], timeout_s: float = 15.0) -> None:
    """Poll a condition to a deadline."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not so after {timeout_s:g} s")
        time.sleep(0.02)


def _spoken_to(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Lab:
    """Switches, two hosts, and a controller that comes and goes."""

    def __init__(self, folder: Path, python: str) -> None:
        self.graph = build_graph(NetworkSpec.model_validate(NETWORK))
        self.wiring = Wiring(self.graph)
        self.links = {span: LinkState(10**9, 10**6) for span in self.graph.spans}
        self.control = folder / "ovs" / "vswitchd.ctl"
        (folder / "graph.json").write_text(self.graph.to_json())
        Intent("shortest-delay", self.links).write(folder / "intent.json")
        command = [python, "-m", "controller", "--graph", str(folder / "graph.json")]
        self._command = [*command, "--intent", str(folder / "intent.json")]
        self._ports: dict[str, int] = {}
        self.namespaces: list[str] = []

    def start(self) -> None:
        """Start a controller, with the ports that an earlier one had."""
        for name, port in self._ports.items():
            self._command += [f"--{name.replace('_', '-')}", str(port)]
        self.controller = _spoken_to(self._command)
        assert self.controller.stdout
        self._ports = self._ports or json.loads(self.controller.stdout.readline())
        self.client = ControllerClient(self._ports["channel_port"])

    def wait_ready(self) -> None:
        """Wait for the switches, also for a controller that does not listen yet."""
        soon(self._answers)
        self.client.wait_ready(15)

    def _answers(self) -> bool:
        try:
            return bool(self.client.health())
        except ControllerError:
            return False

    def kill(self) -> None:
        """Give the controller no chance to do anything more."""
        self.controller.kill()
        self.controller.communicate()

    def build(self) -> None:
        """Make every switch and cable."""
        command: list[str] = []
        for switch in self.graph.switches:
            bridge = f"s{switch.dpid}"
            command += ["--", "add-br", bridge]
            command += ["--", "set", "bridge", bridge, "datapath_type=netdev", "fail_mode=secure"]
            command += ["protocols=OpenFlow13", f"other-config:datapath-id={switch.dpid:016x}"]
            target = f"tcp:127.0.0.1:{self._ports['openflow_port']}"
            command += ["--", "set-controller", bridge, target]
            command += ["--", "set", "controller", bridge, "max_backoff=1000"]
        hosts = {host.name: f"h{index}" for index, host in enumerate(self.graph.hosts)}
        for link in self.graph.links:
            if link.kind == "access":
                bridge = f"s{self.wiring.dpids[link.b]}"
                command += ["--", "add-port", bridge, hosts[link.a]]
                command += ["--", "set", "interface", hosts[link.a], "type=internal"]
                command += [f"ofport_request={link.b_port}"]
                continue
            ends = [(link.a, link.a_port), (link.b, link.b_port)]
            if link.span == CUT:
                run(
                    "ip",
                    "link",
                    "add",
                    self.port(*ends[0]),
                    "type",
                    "veth",
                    "peer",
                    self.port(*ends[1]),
                )
            for end, peer in (ends, ends[::-1]):
                name = self.port(*end)
                command += ["--", "add-port", name.partition("-")[0], name]
                command += ["--", "set", "interface", name, f"ofport_request={end[1]}"]
                if link.span != CUT:
                    command += ["type=patch", f"options:peer={self.port(*peer)}"]
        run("ovs-vsctl", *command[1:])
        self.turn(live=True)

    def port(self, switch: str, port: int) -> str:
        return f"s{self.wiring.dpids[switch]}-{port}"

    @contextmanager
    def hosts(self, *names: str) -> Iterator[None]:
        """Give hosts namespaces of their own."""
        with ExitStack() as stack:
            for index, host in enumerate(self.graph.hosts):
                if host.name not in names:
                    continue
                prefix = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net"]
                command = [*prefix, "sh", "-c", "echo; exec sleep 300"]
                process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
                stack.callback(process.kill)
                assert process.stdout
                process.stdout.read(1)
                run("ip", "link", "set", f"h{index}", "netns", str(process.pid))
                self.namespaces.append(f"--net=/proc/{process.pid}/ns/net")
                inside = ["nsenter", self.namespaces[-1], "ip"]
                run(*inside, "link", "set", f"h{index}", "address", host.mac)
                run(*inside, "address", "add", f"{host.ip}/8", "dev", f"h{index}")
                run(*inside, "link", "set", f"h{index}", "up")
            yield

    def ping(self, count: int = 3, wait_s: int = 2) -> str:
        """Ping from the first host to the second; return what ping says."""
        target = self.wiring.addresses[PAIR[1]]
        options = ["-c", str(count), "-i", "0.1", "-W", str(wait_s), target]
        return run("nsenter", self.namespaces[0], "ping", *options, check=False)

    @contextmanager
    def flow(self) -> Iterator[dict[str, Any]]:
        """Send a thousand numbered datagrams a second; put down how many, and which were lost."""
        found: dict[str, Any] = {}
        tool = [sys.executable, UDP_FLOW]
        sender_in, receiver_in = (["nsenter", namespace, *tool] for namespace in self.namespaces)
        with _spoken_to([*receiver_in, "receive"]) as receiver:
            assert receiver.stdout
            receiver.stdout.readline()
            target = self.wiring.addresses[PAIR[1]]
            with _spoken_to([*sender_in, "send", target]) as sender:
                time.sleep(0.3)
                yield found
                time.sleep(0.3)
                sent = int(sender.communicate()[0])
            time.sleep(0.2)  # what is under way
            came = json.loads(receiver.communicate()[0])
        found |= {"sent": sent, "lost": sorted({*range(sent)} - {*came})}
        found["twice"] = len(came) - len({*came})

    def traced(self, source: str, target: str) -> list[str]:
        """Return the switches that Open vSwitch says a packet visits before it crosses `CUT`."""
        wiring = self.wiring
        switch, port = wiring.access[source]
        host = wiring.hosts[wiring.addresses[target]]
        flow = f"in_port={port},ip,dl_dst={host.mac},"
        flow += f"nw_src={wiring.addresses[source]},nw_dst={host.ip}"
        bridge = f"s{wiring.dpids[switch]}"
        text = run("ovs-appctl", f"--target={self.control}", "ofproto/trace", bridge, flow)
        return [wiring.names[int(dpid)] for dpid in re.findall(r'bridge\("s(\d+)"\)', text)]

    def entries(self) -> dict[str, list[str]]:
        """Return all that the switches hold, without what they count."""
        held = {}
        for dpid, name in self.wiring.names.items():
            for what in ("flows", "groups", "meters"):
                dump = run("ovs-ofctl", "-O", "OpenFlow13", f"dump-{what}", f"s{dpid}")
                lines = [
                    re.sub(r"(duration|n_packets|n_bytes)=[^,]*, ", "", x) for x in dump.split("\n")
                ]
                held[f"{what} of {name}"] = sorted(line for line in lines if "(xid=" not in line)
        return held

    def turn(self, live: bool) -> None:
        """Let both ports of the span that can be cut be live or dead."""
        for end in self.wiring.ends(CUT):
            run("ip", "link", "set", self.port(*end), "up" if live else "down")

    def plug(self, end: tuple[str, int], peer: tuple[str, int]) -> None:
        for near, far in ((end, peer), (peer, end)):
            run(
                "ovs-vsctl", "set", "interface", self.port(*near), f"options:peer={self.port(*far)}"
            )


def routes_and_pins(lab: Lab, found: dict[str, Any]) -> None:
    found["errors"] = run("ovs-vsctl", "--bare", "--columns=error", "list", "interface").split()
    lab.client.set_links(lab.links)  # answered once their ports are live, and fail over
    found["entries"] = lab.entries()
    found["ping"] = lab.ping()
    lab.client.set_probing(False)  # it would not believe that a span takes 100 ms
    for when, delay_ns in (("direct", 10**6), ("detour", 10**8)):
        lab.links["north-south"] = LinkState(10**9, delay_ns)
        lab.client.set_links(lab.links)
        reported = lab.client.routes()[PAIR[0]][PAIR[1]]
        found[when] = {"reported": reported, "traced": lab.traced(*PAIR)}
    found["ping after"] = lab.ping()
    lab.client.set_links({span: LinkState(10**9, 10**6, up=False) for span in lab.links})
    found["pinned"] = lab.traced("north-south-p1", "north-south-p2")
    found["cut off"] = lab.ping(wait_s=1)
    lab.client.set_links({span: LinkState(10**9, 10**6) for span in lab.links})


def changes_under_traffic(lab: Lab, found: dict[str, Any]) -> None:
    with lab.flow() as found["policies"]:
        for name in policies.names():
            lab.client.set_policy(name)
            time.sleep(0.2)
    lab.client.set_policy("shortest-delay")
    with lab.flow() as found["drain"]:
        lab.client.drain("north-south")
        found["drained"] = lab.traced(*PAIR)
        lab.client.undrain("north-south")
        time.sleep(0.2)
    found["undrained"] = lab.traced(*PAIR)


def restart_under_traffic(lab: Lab, found: dict[str, Any]) -> None:
    time.sleep(1.5)  # until what the last change replaced is gone
    before, version = lab.entries(), lab.client.health().version
    with lab.flow() as found["restart"]:
        lab.kill()
        time.sleep(0.5)
        lab.start()
        lab.wait_ready()
    after = lab.entries()
    found["changed by restart"] = [name for name in before if before[name] != after[name]]
    found["versions"] = version, lab.client.health().version


def failure_without_a_controller(lab: Lab, found: dict[str, Any]) -> None:
    # North to south by way of east, whose border must send packets back where they came from.
    lab.client.set_probing(False)
    lab.client.set_links({"north-south": LinkState(10**9, 10**8)})
    found["by way of"] = lab.traced(*PAIR)
    lab.kill()
    with lab.flow() as found["cut"]:
        lab.turn(live=False)
    found["ping around"] = lab.ping()
    found["around"] = lab.traced(*PAIR)
    lab.start()
    lab.wait_ready()
    lab.client.set_probing(False)
    found["live"] = lab.client.spans()[CUT].live
    found["then"] = lab.traced(*PAIR)
    with lab.flow() as found["repair"]:
        lab.turn(live=True)
        time.sleep(1.5)
    found["again"] = lab.traced(*PAIR)


def wrong_cables(lab: Lab, found: dict[str, Any]) -> None:
    lab.client.set_links({"north-south": LinkState(10**9, 10**6)})
    lab.client.set_probing(True)
    soon(lambda: lab.client.spans()["north-south"].forward.delay_ns is not None)
    found["right"] = lab.client.health().model_dump()
    one, two = (lab.wiring.ends(span) for span in ("north-south", "north-east"))
    lab.plug(one[0], two[1])
    lab.plug(two[0], one[1])
    soon(lambda: len(lab.client.health().miswired) == 4)
    found["wrong"] = lab.client.health().model_dump()
    lab.plug(*one)
    lab.plug(*two)
    soon(lambda: lab.client.health().ready)


def main(folder: Path, python: str) -> dict[str, Any]:
    run("ip", "link", "set", "lo", "up")
    lab = Lab(folder, python)
    found: dict[str, Any] = {}
    with open_vswitch(folder / "ovs"), ExitStack() as stack:
        lab.start()
        stack.callback(lab.kill)
        lab.build()
        lab.wait_ready()
        with lab.hosts(*PAIR):
            lab.ping()
            for namespace, far in zip(lab.namespaces, PAIR[::-1], strict=True):
                # While there is no controller, nobody answers ARP.
                shown = run("nsenter", namespace, "ip", "-o", "neigh", "show")
                device = shown.split(" dev ")[1].split()[0]
                host = lab.wiring.hosts[lab.wiring.addresses[far]]
                permanent = ["lladdr", host.mac, "dev", device, "nud", "permanent"]
                run("nsenter", namespace, "ip", "neigh", "replace", host.ip, *permanent)
            for scenario in (
                routes_and_pins,
                changes_under_traffic,
                restart_under_traffic,
                failure_without_a_controller,
                wrong_cables,
            ):
                begin_s = time.monotonic()
                scenario(lab, found)
                print(f"{scenario.__name__}: {time.monotonic() - begin_s:.1f} s", file=sys.stderr)
        lab.controller.communicate()
        found["exit"] = lab.controller.returncode
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
