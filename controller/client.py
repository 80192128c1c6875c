"""The typed client of the control channel."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from controller.errors import ControllerError
from controller.messages import (
    Changed,
    Clock,
    Crossed,
    Health,
    LinkChange,
    Probing,
    SpanReport,
    Traffic,
    Way,
)
from controller.routes import Demand
from topologies.linkstate import LinkState

_POLL_S = 0.02
Answer = TypeVar("Answer")
Paths = dict[str, dict[str, "list[str] | None"]]
Crossings = dict[str, dict[str, Crossed]]
_PATHS, _CROSSINGS = TypeAdapter(Paths), TypeAdapter(Crossings)
_WAYS = TypeAdapter(list[Way])
_SPANS = TypeAdapter(dict[str, SpanReport])
_CHANGED, _HEALTH, _TRAFFIC = TypeAdapter(Changed), TypeAdapter(Health), TypeAdapter(Traffic)
_CLOCK, _PROBING = TypeAdapter(Clock), TypeAdapter(Probing)


class ControllerClient:
    """Talks to a controller on this machine; every method raises ControllerError on failure."""

    def __init__(self, port: int, timeout_s: float = 10.0) -> None:
        """Take the channel's port and how long one answer may take."""
        self.port = port
        self._url, self._timeout_s = f"http://127.0.0.1:{port}", timeout_s
        # Never through a proxy that the environment names.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def health(self) -> Health:
        """Return how the controller is."""
        return self._request(_HEALTH, "GET", "/health")

    def now_ns(self) -> int:
        """Return what time it is for the controller, by its CLOCK_MONOTONIC."""
        return self._request(_CLOCK, "GET", "/clock").now_ns

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until every switch has its rules; the error says what is missing."""
        deadline = time.monotonic() + timeout_s
        while not (health := self.health()).ready:
            if health.error:
                raise ControllerError(health.error)
            if time.monotonic() > deadline:
                missing = ", ".join(health.switches.missing) or "its policy's rules"
                raise ControllerError(f"after {timeout_s:g} s the controller lacks: {missing}")
            time.sleep(_POLL_S)

    def routes(self) -> Paths:
        """Return worker -> worker -> nodes on the way; None where packets would not arrive."""
        return self._request(_PATHS, "GET", "/routes")

    def crossings(self) -> Crossings:
        """Return worker -> worker -> span -> share of the flows that cross it, both ways."""
        return self._request(_CROSSINGS, "GET", "/crossings")

    def ways(self, source: str, target: str) -> list[Way]:
        """Return every way that packets from one worker to another may take."""
        return self._request(_WAYS, "GET", f"/path/{_part(source)}/{_part(target)}")

    def spans(self) -> dict[str, SpanReport]:
        """Return every span as told, as policies see it, and as probes measure it."""
        return self._request(_SPANS, "GET", "/spans")

    def traffic(self) -> Traffic:
        """Return the rates of ports, and of traffic from campus to worker."""
        return self._request(_TRAFFIC, "GET", "/traffic")

    def set_links(self, links: Mapping[str, LinkState]) -> Changed:
        """Tell new states of some spans; return what changed once switches confirm."""
        told = {span: LinkChange.of(state).model_dump() for span, state in links.items()}
        return self._request(_CHANGED, "PUT", "/links", told)

    def set_policy(self, name: str, demands: tuple[Demand, ...] | None = None) -> Changed:
        """Route by another policy; return what changed once switches confirm."""
        change = {"policy": name, "demands": demands}
        return self._request(_CHANGED, "PUT", "/policy", TypeAdapter(Any).dump_python(change))

    def set_probing(self, on: bool) -> None:
        """Stop sending discovery frames and probes, for who counts every frame, or go on."""
        self._request(_PROBING, "PUT", "/probing", {"on": on})

    def drain(self, span: str) -> Changed:
        """Lead all traffic around a span; return once none can be on it any more."""
        return self._request(_CHANGED, "PUT", f"/drained/{_part(span)}", timeout_s=90)

    def undrain(self, span: str) -> Changed:
        """Let traffic use a span again; return what changed once switches confirm."""
        return self._request(_CHANGED, "DELETE", f"/drained/{_part(span)}")

    def _request(
        self,
        kind: TypeAdapter[Answer],
        method: str,
        path: str,
        data: object = None,
        timeout_s: float | None = None,
    ) -> Answer:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self._url + path, body, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=timeout_s or self._timeout_s) as response:
                return kind.validate_json(response.read())
        except urllib.error.HTTPError as error:
            with error:
                message = _message(error.read())
            raise ControllerError(f"{method} {path}: {message}") from None
        except (OSError, http.client.HTTPException, ValidationError) as error:
            reason = getattr(error, "reason", error)
            raise ControllerError(
                f"no answer from the controller at {self._url}: {reason}"
            ) from None


def _part(name: str) -> str:
    """Return a name as one part of a path."""
    return quote(name, safe="")


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
