"""The controller process: ``python -m controller --graph FILE --policy NAME --links FILE``.

Prints one line, ``{"openflow_port": N, "channel_port": M}``, once both listen on loopback. Runs
until its standard input ends, so that it dies with its parent, or until SIGTERM.

Exit codes: 0 asked to end, 2 bad input, 3 the OpenFlow port cannot be had.
"""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from select import select
from typing import NoReturn, TypeVar

from controller import policies
from controller.errors import ControllerError, LinkStateError
from controller.links import parse_links
from topologies.graph import Graph
from topologies.linkstate import LinkState

LOOPBACK = "127.0.0.1"

T = TypeVar("T")


def main(arguments: list[str] | None = None) -> int:
    """Run the controller and return its exit code."""
    options = _options(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("os_ken").setLevel(logging.WARNING)
    try:
        policies.check(options.policy)
        graph = _read(options.graph, Graph.from_json)
        links = _read(options.links, lambda text: _all_links(graph, text))
    except ControllerError as error:
        print(f"controller: {error}", file=sys.stderr)
        return 2
    try:
        listener = _listen(options.openflow_port)
    except OSError as error:
        where = f"port {options.openflow_port} on {LOOPBACK}"
        what = (
            "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        )
        advice = "choose another with --openflow-port, or leave it out to get a free one"
        print(f"controller: {where} {what}; {advice}", file=sys.stderr)
        return 3
    _serve(listener, graph, options.policy, links)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m controller", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--graph", type=Path, required=True, help="the network, as JSON")
    parser.add_argument("--policy", required=True, help=f"one of {', '.join(policies.names())}")
    parser.add_argument("--links", type=Path, required=True, help="state of every span, as JSON")
    parser.add_argument(
        "--openflow-port", type=_port, default=0, metavar="N", help="default: a free one"
    )
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


_port.__name__ = "port number"  # what argparse calls it in its message


def _read(path: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(path.read_text())
    except OSError as error:
        raise ControllerError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, ControllerError) as error:
        raise ControllerError(f"{path}: {error}") from None


def _all_links(graph: Graph, text: str) -> dict[str, LinkState]:
    links = parse_links(json.loads(text), graph.spans, {})
    for span in graph.spans:
        if span not in links:
            raise LinkStateError(span, "has no state")
    return links


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    # A port whose last connections linger in TIME_WAIT is free all the same.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    listener.listen(128)
    return listener


def _serve(listener: socket.socket, graph: Graph, policy: str, links: dict[str, LinkState]) -> None:
    # Loaded only now: they take most of the start-up time, and bad input is known by then.
    from controller.app import Application
    from controller.channel import Channel
    from controller.ryu_api import serve

    application = Application(graph, policy, links)
    channel = Channel(application)
    serve(listener, application)
    ports = {"openflow_port": listener.getsockname()[1], "channel_port": channel.port}
    print(json.dumps(ports), flush=True)
    _wait_for_end_of_input()


def _wait_for_end_of_input() -> None:
    """Return when standard input ends; a signal is never missed, not even just before waiting."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)  # written to at once; the handler itself runs once Python does
    while True:
        ready, _, _ = select([0, woken], [], [])
        if 0 in ready and not os.read(0, 4096):
            return


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
