"""The controller process: ``python -m controller --graph FILE --intent FILE``.

The intent is what it was asked for: the policy, the state of every span, demands, drained spans. It
keeps that file up to date, so that it can be started again with it, on the same ports, and goes on.
Prints one line, ``{"openflow_port": N, "channel_port": M}``, once both listen on loopback. Runs
until its standard input ends, so that it dies with its parent, or until SIGTERM.

Exit codes: 0 asked to end, 2 bad input, 3 a port or the OpenFlow framework cannot be had.
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

from controller.errors import ControllerError
from controller.intent import Intent, read_intent
from topologies.graph import Graph

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
    for framework in ("os_ken", "ryu"):
        logging.getLogger(framework).setLevel(logging.WARNING)
    try:
        graph = _read(options.graph, Graph.from_json)
        intent = _read(options.intent, lambda text: read_intent(text, graph))
    except ControllerError as error:
        print(f"controller: {error}", file=sys.stderr)
        return 2
    try:
        listener = _listen(options.openflow_port, "--openflow-port")
        channel = _listen(options.channel_port, "--channel-port")
        _serve(listener, channel, graph, intent, options.intent)
    except ControllerError as error:
        print(f"controller: {error}", file=sys.stderr)
        return 3
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m controller", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--graph", type=Path, required=True, help="the network, as JSON")
    parser.add_argument("--intent", type=Path, required=True, help="what is asked for, as JSON")
    for name in ("openflow", "channel"):
        parser.add_argument(
            f"--{name}-port", type=_port, default=0, metavar="N", help="default: a free one"
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


def _listen(port: int, option: str) -> socket.socket:
    """Return a socket that listens on loopback; raises ControllerError."""
    listener = socket.socket()
    # A port whose last connections linger in TIME_WAIT is free all the same.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        what = "is in use" if in_use else f"cannot be had: {error.strerror}"
        advice = f"choose another with {option}, or leave it out to get a free one"
        raise ControllerError(f"port {port} on {LOOPBACK} {what}; {advice}") from None
    listener.listen(128)
    return listener


def _serve(
    openflow: socket.socket, channel: socket.socket, graph: Graph, intent: Intent, file: Path
) -> None:
    # Loaded only now: they take most of the start-up time, and bad input is known by then.
    from controller.app import Application
    from controller.channel import serve as serve_channel
    from controller.ryu_api import serve as serve_openflow

    application = Application(graph, intent, file)
    serve_openflow(openflow, application)
    serve_channel(channel, application)
    ports = {
        "openflow_port": openflow.getsockname()[1],
        "channel_port": channel.getsockname()[1],
    }
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
    code = main()
    sys.stdout.flush()
    os._exit(code)  # what is left is memory, which takes a second to be gone through after a torus
