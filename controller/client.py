"""The typed client of the control channel."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.errors import ControllerError
from controller.links import dump_links
from topologies.linkstate import LinkState

_POLL_S = 0.02


@dataclass(frozen=True)
class Health:
    """What the controller says of itself.

    Attributes:
        ready: whether every switch of the graph has confirmed all its rules.
        expected: number of switches of the graph.
        missing: names of the switches that are not ready.
        policy: name of the policy.
        error: what went wrong last and still holds, if anything.
    """

    ready: bool
    expected: int
    missing: tuple[str, ...]
    policy: str
    error: str | None


class ControllerClient:
    """Talks to a controller on this machine; every method raises ControllerError on failure."""

    def __init__(self, port: int, timeout_s: float = 10.0) -> None:
        """Take the channel's port and how long one answer may take."""
        self._url, self._timeout_s = f"http://127.0.0.1:{port}", timeout_s
        # Never through a proxy that the environment names.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def health(self) -> Health:
        """Return how the controller is."""
        answer = self._request("GET", "/health")
        switches = answer["switches"]
        return Health(
            ready=answer["ready"],
            expected=switches["expected"],
            missing=tuple(switches["missing"]),
            policy=answer["policy"],
            error=answer["error"],
        )

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until every switch has its rules; the error says what is missing."""
        deadline = time.monotonic() + timeout_s
        while not (health := self.health()).ready:
            if health.error:
                raise ControllerError(health.error)
            if time.monotonic() > deadline:
                missing = ", ".join(health.missing) or "its policy's rules"
                raise ControllerError(f"after {timeout_s:g} s the controller lacks: {missing}")
            time.sleep(_POLL_S)

    def routes(self) -> dict[str, dict[str, list[str] | None]]:
        """Return worker -> worker -> nodes on the way; None where packets would not arrive."""
        routes: dict[str, dict[str, list[str] | None]] = self._request("GET", "/routes")
        return routes

    def set_links(self, links: Mapping[str, LinkState]) -> int:
        """Tell new states of some spans; return how many rules changed once switches confirm."""
        return int(self._request("PUT", "/links", dump_links(links))["changed_rules"])

    def _request(self, method: str, path: str, data: object = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self._url + path, body, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                message = _message(error.read())
            raise ControllerError(f"{method} {path}: {message}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ControllerError(
                f"no answer from the controller at {self._url}: {reason}"
            ) from None


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
