"""Run the controller against real Open vSwitch in a network namespace of its own; print findings.

Not a test by itself: `test_ovs.py` runs it as ``unshare --net python ovs_lab.py FOLDER``, so that
neither bridges nor ports can meet anybody else's. Patch ports stand for the cables; two hosts are
real: TAP ports of the switches, moved to namespaces of their own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from controller.client import ControllerClient
from controller.intent import Intent
from controller.wiring import Wiring
from topologies.emulation.ovs import open_vswitch
from topologies.graph import Graph, build_graph
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


def run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, check=check, stdout=subprocess.PIPE, text=True, timeout=30)
    return done.stdout


def bridges(graph: Graph, openflow_port: int) -> list[str]:
    """Return the ovs-vsctl arguments that build every switch and cable."""
    command: list[str] = []
    for switch in graph.switches:
        bridge = f"s{switch.dpid}"
        command += ["--", "add-br", bridge]
        command += ["--", "set", "bridge", bridge, "datapath_type=netdev", "fail_mode=secure"]
        command += ["protocols=OpenFlow13", f"other-config:datapath-id={switch.dpid:016x}"]
        command += ["--", "set-controller", bridge, f"tcp:127.0.0.1:{openflow_port}"]
    names = {switch.name: f"s{switch.dpid}" for switch in graph.switches}
    hosts = {host.name: f"h{index}" for index, host in enumerate(graph.hosts)}
    for link in graph.links:
        if link.kind == "access":
            command += ["--", "add-port", names[link.b], hosts[link.a]]
            command += ["--", "set", "interface", hosts[link.a], "type=internal"]
            command += [f"ofport_request={link.b_port}"]
            continue
        ends = [(names[link.a], link.a_port), (names[link.b], link.b_port)]
        for (bridge, port), (peer, peer_port) in (ends, ends[::-1]):
            name = f"{bridge}-{port}"
            command += ["--", "add-port", bridge, name]
            command += ["--", "set", "interface", name, "type=patch", f"ofport_request={port}"]
            command += [f"options:peer={peer}-{peer_port}"]
    return command


def hosts(graph: Graph, *names: str) -> list[subprocess.Popen[bytes]]:
    """Give hosts namespaces of their own, which are there while the returned processes are."""
    processes = []
    for index, host in enumerate(graph.hosts):
        if host.name not in names:
            continue
        prefix = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net"]
        command = [*prefix, "sh", "-c", "echo; exec sleep 60"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.read(1)
        processes.append(process)
        run("ip", "link", "set", f"h{index}", "netns", str(process.pid))
        inside = ["nsenter", f"--net=/proc/{process.pid}/ns/net", "ip"]
        run(*inside, "link", "set", f"h{index}", "address", host.mac)
        run(*inside, "address", "add", f"{host.ip}/8", "dev", f"h{index}")
        run(*inside, "link", "set", f"h{index}", "up")
    return processes


def traced(control: Path, graph: Graph, source: str, target: str) -> list[str]:
    """Return the switches that Open vSwitch itself says a packet visits."""
    wiring = Wiring(graph)
    switch, port = wiring.access[source]
    host = wiring.hosts[wiring.addresses[target]]
    flow = f"in_port={port},ip,dl_dst={host.mac},nw_src={wiring.addresses[source]},nw_dst={host.ip}"
    text = run(
        "ovs-appctl", f"--target={control}", "ofproto/trace", f"s{wiring.dpids[switch]}", flow
    )
    return [wiring.names[int(dpid)] for dpid in re.findall(r'bridge\("s(\d+)"\)', text)]


def main(folder: Path) -> dict[str, Any]:
    run("ip", "link", "set", "lo", "up")
    graph = build_graph(NetworkSpec.model_validate(NETWORK))
    links = {span: LinkState(10**9, 10**6) for span in graph.spans}
    (folder / "graph.json").write_text(graph.to_json())
    Intent("shortest-delay", links).write(folder / "intent.json")
    command = [sys.executable, "-m", "controller", "--graph", str(folder / "graph.json")]
    command += ["--intent", str(folder / "intent.json")]
    control = folder / "ovs" / "vswitchd.ctl"
    found: dict[str, Any] = {}
    with (
        open_vswitch(folder / "ovs"),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdin
        assert process.stdout
        ports = json.loads(process.stdout.readline())
        client = ControllerClient(ports["channel_port"])
        run("ovs-vsctl", *bridges(graph, ports["openflow_port"])[1:])
        client.wait_ready(15)
        found["errors"] = run("ovs-vsctl", "--bare", "--columns=error", "list", "interface").split()
        border = Wiring(graph).dpids["north-border"]
        dump = run("ovs-ofctl", "-O", "OpenFlow13", "dump-flows", f"s{border}")
        found["flows"] = re.findall(r"priority=.*", dump)
        pair = "north-w1", "south-w1"
        namespaces = hosts(graph, *pair)
        target = Wiring(graph).addresses[pair[1]]
        inside = f"--net=/proc/{namespaces[0].pid}/ns/net"
        ping = ["nsenter", inside, "ping", "-c", "3", "-i", "0.1"]
        found["ping"] = run(*ping, "-W", "2", target, check=False)
        for when, delay_ns in (("direct", 10**6), ("detour", 10**8)):
            links["north-south"] = LinkState(10**9, delay_ns)
            client.set_links(links)
            reported = client.routes()[pair[0]][pair[1]]
            found[when] = {"reported": reported, "traced": traced(control, graph, *pair)}
        found["ping after"] = run(*ping, "-W", "2", target, check=False)
        links = {span: LinkState(10**9, 10**6, up=False) for span in links}
        client.set_links(links)
        found["pinned"] = traced(control, graph, "north-south-p1", "north-south-p2")
        found["cut off"] = run(*ping, "-W", "1", target, check=False)
        for namespace in namespaces:
            namespace.kill()
            namespace.communicate()
        process.stdin.close()
        found["exit"] = process.wait(5)
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
