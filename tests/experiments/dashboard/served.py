"""Dashboards as a browser or a script meets them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from experiments.dashboard.commands import listen
from experiments.dashboard.guard import Guard
from experiments.dashboard.server import api
from experiments.dashboard.showing import Showing

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200"}


@contextlib.contextmanager
def serving(showing: Showing, token: str | None = None) -> Iterator[int]:
    """Serve in this process, on a free port, which is yielded."""
    with contextlib.closing(listen("127.0.0.1", None)) as listener:
        port = listener.getsockname()[1]
        guard = Guard(frozenset({"localhost"}), token)
        config = uvicorn.Config(api(showing, guard), log_config=None, access_log=False, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield port
        finally:
            showing.stream.close()
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server ends although pages are open"


def ask(
    port: int, method: str, path: str, content: Any = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    """Send one request; return status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = None
    if content is not None:
        body = content if isinstance(content, str) else json.dumps(content)
        named = {"content-type": "application/json", **named}
    try:
        connection.request(method, path, body, named)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, response.read().decode()
    finally:
        connection.close()


@contextlib.contextmanager
def events(port: int, last_id: str = "") -> Iterator[Iterator[tuple[str, Any]]]:
    """Open the stream of messages; yields them with their ids."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/events", headers={"last-event-id": last_id} if last_id else {})
    response = connection.getresponse()

    def read() -> Iterator[tuple[str, Any]]:
        event_id = ""
        while line := response.readline().decode():
            if line.startswith("id: "):
                event_id = line[4:].strip()
            elif line.startswith("data: {"):
                yield event_id, json.loads(line[6:])

    try:
        yield read()
    finally:
        connection.close()


class Command:
    """``spanlab dashboard ...`` as a process."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "experiments", "dashboard", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        assert self.process.stdout
        self.said = self.process.stdout.readline()
        found = re.search(r"http://\S+", self.said)
        assert found, self.said + self.process.stdout.read()
        self.url = found[0]
        self.port = int(self.url.split(":")[2].partition("/")[0])
        deadline = time.monotonic() + 60
        while True:  # it listens from the first; it answers when it has read its modules
            with contextlib.suppress(OSError, http.client.HTTPException):
                ask(self.port, "GET", "/")
                return
            assert time.monotonic() < deadline, "does not answer"
            time.sleep(0.05)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Send it a signal; return its exit code and what else it printed."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=120)
        return self.process.returncode, said


@contextlib.contextmanager
def commanded(*arguments: object) -> Iterator[Command]:
    """Start a dashboard; it ends with the test."""
    command = Command(*arguments)
    try:
        yield command
    finally:
        command.end()


@contextlib.contextmanager
def retelling(
    recorded: Path, out: Path, speed: float, begin_s: float
) -> Iterator[subprocess.Popen[bytes]]:
    """Write the recorded run again, beside the test; yields the process once it has begun."""
    options = [recorded, out, "--speed", speed, "--begin", begin_s]
    command = [sys.executable, "-m", "benchmarks.retelling", *map(str, options)]
    with subprocess.Popen(command, env=ENVIRONMENT) as run:
        try:
            while not (out / "steps.jsonl").exists():
                assert run.poll() is None
                time.sleep(0.01)
            yield run
        finally:
            run.kill()
