"""The control channel: JSON over HTTP on loopback.

    GET /health   whether every switch has its rules, the policy, and what went wrong
    GET /routes   worker -> worker -> nodes on the way, as the rules have it; null: does not arrive
    PUT /links    changed link states; answers once the switches have confirmed the new rules

An error is answered by ``{"error": text}``, with ``"field"`` beside it where one is to blame.
"""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

from controller.errors import ControllerError, LinkStateError

LOG = logging.getLogger("controller.channel")
LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 256 << 10
CONFIRM_TIMEOUT_S = 5.0
_IDLE_TIMEOUT_S = 10.0
_RESOURCES = "GET /health, GET /routes, PUT /links"


class Control(Protocol):
    """What the channel controls."""

    def health(self) -> dict[str, Any]:
        """Return the answer to ``GET /health``."""

    def routes(self) -> dict[str, Any]:
        """Return the answer to ``GET /routes``."""

    def set_links(self, data: object, timeout_s: float) -> int:
        """Apply changed link states and return the number of changed rules."""


class Channel(socketserver.ThreadingTCPServer):
    """Serves the channel on an ephemeral port of loopback from construction on.

    Not `http.server.HTTPServer`: that looks its own address up in the DNS, which takes seconds
    where there is none.
    """

    daemon_threads = True

    def __init__(self, control: Control) -> None:
        """Bind and start serving on a daemon thread."""
        self.control = control
        super().__init__((LOOPBACK, 0), _Handler)
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, name="channel", daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a request that broke, such as by a client that went away."""
        LOG.debug("request from %s broke", client_address, exc_info=True)


class _RequestError(Exception):
    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.field = status, field


class _Handler(BaseHTTPRequestHandler):
    server: Channel
    server_version = "spanlab-controller"
    timeout = _IDLE_TIMEOUT_S

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server itself refuses as JSON too."""
        self._reply(code, {"error": message or "bad request"})

    def log_message(self, format: str, *args: Any) -> None:
        """Keep requests out of the log unless asked for."""
        LOG.debug(format, *args)

    def _answer(self) -> None:
        try:
            status, answer = 200, self._dispatch()
        except _RequestError as error:
            status, answer = error.status, {"error": str(error)}
            if error.field is not None:
                answer["field"] = error.field
        except ControllerError as error:
            status, answer = 503, {"error": str(error)}
        except Exception:
            LOG.exception("%s %s failed", self.command, self.path)
            status, answer = 500, {"error": "internal error; the controller's log has it"}
        self._reply(status, answer)

    def _dispatch(self) -> dict[str, Any]:
        # A page in a browser could reach loopback under a name of its own.
        if self.headers.get("Host", "").partition(":")[0] not in (LOOPBACK, "localhost"):
            raise _RequestError(403, f"the host must be {LOOPBACK}")
        request = f"{self.command} {self.path}"
        if request == "GET /health":
            return self.server.control.health()
        if request == "GET /routes":
            return self.server.control.routes()
        if request == "PUT /links":
            data = self._body()
            try:
                return {"changed_rules": self.server.control.set_links(data, CONFIRM_TIMEOUT_S)}
            except LinkStateError as error:
                raise _RequestError(400, str(error), error.field) from None
        raise _RequestError(404, f"there is no {request[:100]}; there are {_RESOURCES}")

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise _RequestError(411, "the request must state its Content-Length")
        if len(length) > 9 or int(length) > MAX_BODY_BYTES:
            raise _RequestError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
        try:
            return json.loads(self.rfile.read(int(length)), object_pairs_hook=_without_repeats)
        except (ValueError, RecursionError) as error:
            raise _RequestError(400, f"the body is not JSON: {error}", "") from None

    def _reply(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return data
