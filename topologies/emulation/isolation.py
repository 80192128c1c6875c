"""Whether the emulated network leads anywhere: looked for in what the kernel says, and tried.

A run's network namespaces hold its own devices and nothing else, so that no packet leaves them.
That is looked at device by device and route by route; then an emulated host tries to reach a
listener of this machine's, at each of its addresses, which must not hear it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from topologies.emulation.kernel import enter_network
from topologies.emulation.lab import HOST_INTERFACE, Lab

PROBE_S = 0.3
"""How long an emulated host tries; a connection on the same machine takes a thousandth of it."""
MOST_ADDRESSES, MOST_HOSTS = 8, 4
"""That are tried; the devices and routes of all hosts are looked at."""
OWN_KINDS = ("veth", "tun", "ifb", "openvswitch", "dummy")
"""Kinds of devices, as ip names them, that runs make; a real interface has none."""
FALLBACK = frozenset(
    ("tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0")
)
"""Devices that some kernels put into every namespace; without a peer, they lead nowhere."""
OWN_ROUTE = ipaddress.ip_network("10.0.0.0/8")
_LINK_ONLY = [ipaddress.ip_network(it) for it in ("fe80::/64", "ff00::/8")]

T = TypeVar("T")


def ways_out(lab: Lab, outside: int) -> list[str]:
    """Say how packets could leave a running lab; nothing where they cannot.

    Must be called inside its network; ``outside`` is an open descriptor of the machine's.
    """
    here = Path("/proc/thread-self/net")
    found = [*_same_namespaces(lab, outside)]
    found += devices_out(_json("ip", "-j", "-d", "link"), lab.devices)
    found += routes_out("the switches", routes(here), {})
    ports = _json("ovs-vsctl", "--format=json", "--columns=name,type", "list", "Interface")
    found += ports_out(dict(ports["data"]), {*lab.devices, *lab.bridges})
    for host in lab.graph.hosts:
        there = Path(f"/proc/{lab.pid(host.name)}/net")
        strange = devices(there) - FALLBACK - {"lo", HOST_INTERFACE}
        found += [f"{host.name} has the device {name}" for name in sorted(strange)]
        found += routes_out(host.name, routes(there), {HOST_INTERFACE: OWN_ROUTE})
    first = {host.campus: host.name for host in reversed(lab.graph.hosts)}
    for name in list(first.values())[:MOST_HOSTS]:
        found += reached(name, lab.pid(name), outside)
    return found


def devices_out(links: Iterable[Mapping[str, Any]], own: Collection[str]) -> Iterator[str]:
    """Say which of the devices (as ``ip -j -d link`` has them) a run has not made."""
    for link in links:
        name, kind = link["ifname"], link.get("linkinfo", {}).get("info_kind")
        if name == "lo" or name in FALLBACK:
            continue
        if kind not in OWN_KINDS:
            yield f"the switches have the device {name}, which no run makes"
        elif kind == "veth" and "link_netnsid" in link and name not in own:
            yield f"the switches have the device {name}, whose other end is elsewhere"


def ports_out(ports: Mapping[str, str], own: Collection[str]) -> Iterator[str]:
    """Say which ports of the switches, by name with their types, a run has not made."""
    for name, kind in ports.items():
        if kind not in ("", "system", "internal", "patch", "tap"):
            yield f"the switch port {name} is a {kind} to elsewhere"
        elif kind != "patch" and name not in own:
            yield f"the switch port {name} is of no cable of the run"


def routes_out(
    place: str, there: Iterable[tuple[str, str, bool]], own: Mapping[str, Any]
) -> Iterator[str]:
    """Say which routes (device, network, whether by a gateway) lead further than the run's own."""
    for device, network, by_gateway in there:
        wanted = ipaddress.ip_network(network)
        if device in own and not by_gateway and wanted in (own[device], *_LINK_ONLY):
            continue
        yield f"{place}: a route to {network} by {device}"


def routes(net: Path) -> list[tuple[str, str, bool]]:
    """Return the routes beyond loopback in a namespace, by its ``/proc/PID/net``."""
    found = []
    for line in (net / "route").read_text().splitlines()[1:]:
        device, target, gateway, *_, mask, _mtu, _window, _rtt = line.split()
        address, bits = (socket.inet_ntoa(bytes.fromhex(it)[::-1]) for it in (target, mask))
        network = str(ipaddress.ip_network(f"{address}/{bits}"))
        found.append((device, network, int(gateway, 16) != 0))
    if (net / "ipv6_route").exists():
        for line in (net / "ipv6_route").read_text().splitlines():
            target, length, _, _, gateway, *_, flags, device = line.split()
            if device == "lo" or int(flags, 16) & _LOCAL:
                continue
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(target))
            network = f"{address}/{int(length, 16)}"
            found.append((device, network, int(gateway, 16) != 0))
    return found


_LOCAL = 0x80000000
"""RTF_LOCAL: an address of the namespace's own."""


def devices(net: Path) -> set[str]:
    """Return the devices in a namespace, by its ``/proc/PID/net``."""
    lines = (net / "dev").read_text().splitlines()[2:]
    return {line.partition(":")[0].strip() for line in lines}


def reached(name: str, pid: int, outside: int) -> Iterator[str]:
    """Let an emulated host try this machine's addresses; say which of them answer."""
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for address in _within(outside, _addresses):
            listener = _within(outside, lambda it=address: _listener(it))  # type: ignore[misc]
            if listener is None:
                continue
            with listener:
                place = listener.getsockname()[:2]
                _within(there, lambda it=place: _try(it))  # type: ignore[misc]
                if _heard(listener):
                    yield f"{name} reaches this machine at {address}"
    finally:
        os.close(there)


def _same_namespaces(lab: Lab, outside: int) -> Iterator[str]:
    """Say which of the lab's namespaces are the machine's own."""
    machine = os.fstat(outside).st_ino
    places = {"the switches": "thread-self"}
    places |= {host.name: str(lab.pid(host.name)) for host in lab.graph.hosts}
    for name, process in places.items():
        if os.stat(f"/proc/{process}/ns/net").st_ino == machine:  # noqa: PTH116 - a link of proc's
            yield f"{name}: in the machine's own network"


def _within(namespace: int, do: Callable[[], T]) -> T:
    """Return what is done in a namespace, on a thread that ends with it."""
    with ThreadPoolExecutor(1, initializer=enter_network, initargs=(namespace,)) as pool:
        return pool.submit(do).result()


def _addresses() -> list[str]:
    """Return loopback and what addresses the machine has."""
    given = [
        it["local"]
        for link in _json("ip", "-j", "addr")
        for it in link.get("addr_info", ())
        if it.get("scope") == "global" and "local" in it
    ]
    return ["127.0.0.1", *given][:MOST_ADDRESSES]


def _listener(address: str) -> socket.socket | None:
    """Return a socket that listens there, or None where none can."""
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        listener.bind((address, 0))
        listener.listen(8)
    except OSError:
        listener.close()
        return None
    return listener


def _try(place: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    with socket.socket(family) as tried:
        tried.settimeout(PROBE_S)
        try:
            tried.connect(place)
        except OSError:
            return


def _heard(listener: socket.socket) -> bool:
    """Say whether anybody connected; who it was does not matter, as nobody knows of the port."""
    listener.settimeout(0)
    try:
        connection, _ = listener.accept()
    except OSError:
        return False
    connection.close()
    return True


def _json(*command: str) -> Any:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout or "[]")
