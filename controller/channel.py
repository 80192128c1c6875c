"""The control channel: JSON over HTTP on loopback, described by ``/openapi.json``.

An error is answered by ``{"error": text, "field": path}``: 400 for what was asked wrongly, with the
path of the field that is to blame; 404 for what does not exist; 409 for what cannot be done now.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from controller.app import Application
from controller.errors import ControllerError, IntentError
from controller.messages import (
    Changed,
    Clock,
    Crossed,
    Fault,
    Health,
    LinkChange,
    PolicyChange,
    Probing,
    SpanReport,
    Traffic,
    Way,
    place,
)
from controller.reports import Reports

LOG = logging.getLogger("controller.channel")
LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 256 << 10
CONFIRM_TIMEOUT_S = 5.0
DRAIN_TIMEOUT_S = 60.0
_WRONG: dict[int | str, dict[str, Any]] = {400: {"model": Fault}}
_FAULTS = _WRONG | {409: {"model": Fault}}


def serve(listener: socket.socket, application: Application) -> Callable[[], None]:
    """Serve the channel on a listening socket, on a daemon thread; returns what ends it."""
    config = uvicorn.Config(
        api(application), log_config=None, access_log=False, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    run = threading.Thread(target=server.run, args=([listener],), name="channel", daemon=True)
    run.start()

    def end() -> None:
        server.should_exit = True
        run.join()

    return end


def api(application: Application) -> FastAPI:
    """Return the channel of an application."""
    app = _Api(title="spanlab controller", docs_url=None, redoc_url=None)
    app.middleware("http")(_admitted)
    app.add_exception_handler(IntentError, _wrong)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ControllerError, _failed)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _broken)
    reports = Reports(application.state)

    def changed(entries: int) -> Changed:
        return Changed(version=application.state.version, entries=entries)

    @app.get("/health")
    def health() -> Health:
        """Whether every switch has its rules, the policy, and what is wrong."""
        return reports.health()

    @app.get("/clock")
    async def clock() -> Clock:
        """What time it is here; answered at once, so that little time passes meanwhile."""
        return Clock(now_ns=time.monotonic_ns())

    @app.get("/routes")
    def routes() -> dict[str, dict[str, tuple[str, ...] | None]]:
        """Worker -> worker -> nodes on the way that most flows take; null: none arrives."""
        return reports.routes()

    @app.get("/crossings")
    def crossings() -> dict[str, dict[str, Crossed]]:
        """Worker -> worker -> span -> share of the flows that cross it: forward, backward."""
        return reports.crossings()

    @app.get("/path/{source}/{target}", responses=_WRONG)
    def path(source: str, target: str) -> tuple[Way, ...]:
        """Every way that packets from one worker to another may take, with its share."""
        return reports.ways(source, target)

    @app.get("/spans")
    def spans() -> dict[str, SpanReport]:
        """Every span as told, as policies see it, and as probes measure it."""
        return reports.spans()

    @app.get("/traffic")
    def traffic() -> Traffic:
        """Rates of ports and of campus to worker, counted once a second."""
        return reports.traffic()

    @app.put("/links", responses=_FAULTS)
    def set_links(changes: dict[str, LinkChange]) -> Changed:
        """Tell changed states of spans; answers once the new rules are in force."""
        return changed(application.set_links(changes, CONFIRM_TIMEOUT_S))

    @app.put("/policy", responses=_FAULTS)
    def set_policy(change: PolicyChange) -> Changed:
        """Route by another policy; answers once its rules are in force."""
        return changed(application.set_policy(change.policy, change.demands, CONFIRM_TIMEOUT_S))

    @app.put("/probing", responses=_WRONG)
    def set_probing(wanted: Probing) -> Probing:
        """Stop sending discovery frames and reading counters, or go on."""
        application.set_probing(wanted.on, CONFIRM_TIMEOUT_S)
        return wanted

    @app.put("/drained/{span}", responses=_FAULTS)
    def drain(span: str) -> Changed:
        """Lead all traffic around a span; answers once none can be on it any more."""
        return changed(application.drain(span, DRAIN_TIMEOUT_S))

    @app.delete("/drained/{span}", responses=_FAULTS)
    def undrain(span: str) -> Changed:
        """Let traffic use a span again; answers once the new rules are in force."""
        return changed(application.undrain(span, CONFIRM_TIMEOUT_S))

    return app


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the document without what is never answered: what does not fit is a 400 here."""
        document = super().openapi()
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        return document


async def _admitted(
    request: Request, proceed: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Refuse bodies that are too large, or whose length is not stated, and other names for us.

    A page in a browser could reach loopback under a name of its own.
    """
    if request.headers.get("host", "").partition(":")[0] not in (LOOPBACK, "localhost"):
        return _answer(400, f"the request is for another host than {LOOPBACK}")
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers:
        return _answer(411, "the request must state its Content-Length")
    if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        return _answer(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    return await proceed(request)


def _answer(status: int, error: str, field: str | None = None) -> JSONResponse:
    return JSONResponse(Fault(error=error, field=field).model_dump(exclude_none=True), status)


def _wrong(_request: Request, error: Exception) -> Response:
    assert isinstance(error, IntentError)
    return _answer(400, str(error), error.field)


def _invalid(_request: Request, error: Exception) -> Response:
    """Answer what does not fit a model by the first of its faults."""
    assert isinstance(error, RequestValidationError)
    fault = error.errors()[0]
    _where, *location = fault["loc"]  # in the body, the path or the query
    field = "" if fault["type"] == "json_invalid" else place(location)
    return _answer(400, f"{field}: {fault['msg']}" if field else fault["msg"], field)


def _failed(_request: Request, error: Exception) -> Response:
    return _answer(409, str(error))


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        what = f"there is no {request.method} {request.url.path[:100]}; see GET /openapi.json"
        return _answer(404, what)
    answer = _answer(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})  # of a 405, what is allowed
    return answer


def _broken(request: Request, error: Exception) -> Response:
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(500, "internal error; the controller's log has it")
