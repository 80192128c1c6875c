"""The dashboard's server: the page, its messages and what it asks for. Thin."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from experiments.dashboard.guard import Guard, Guarded
from experiments.dashboard.sessionfile import session_of
from experiments.dashboard.showing import Refused, Showing
from experiments.live import SESSION
from topologies.files import FileError

POLL_S = 0.05
"""How often a run folder is read."""
PAGE = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
FIRST = "index.html"


def api(showing: Showing, guard: Guard) -> ASGIApp:
    """Return the application for what is shown."""
    assets = {  # all there is: no path that a browser names is looked up on the disk
        file.name: (file.read_bytes(), f"{TYPES[file.suffix]}; charset=utf-8")
        for file in PAGE.iterdir()
        if file.suffix in TYPES
    }

    @contextlib.asynccontextmanager
    async def attended(app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_attend(showing))
        yield
        task.cancel()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=attended)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return JSONResponse({"error": str(error)}, 409)

    @app.exception_handler(FileError)
    async def wrong(request: Request, error: FileError) -> Response:
        return JSONResponse({"error": str(error)}, 422)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"error": "not JSON of the right form"}, 422)

    @app.get("/")
    async def page() -> Response:
        content, kind = assets[FIRST]
        return Response(content, media_type=kind)

    @app.get("/assets/{name}")
    async def asset(name: str) -> Response:
        if name not in assets:
            raise HTTPException(404)
        content, kind = assets[name]
        return Response(content, media_type=kind)

    @app.get("/events")
    async def events(request: Request, last: str = "") -> Response:
        last_id = request.headers.get("last-event-id", last)
        return StreamingResponse(_frames(showing, last_id), media_type="text/event-stream")

    @app.post("/wishes", status_code=202)
    async def wish(event: dict[str, Any]) -> dict[str, str]:
        return {"id": showing.wish(event)}

    @app.post("/start", status_code=202)
    async def start(asked: dict[str, Any]) -> dict[str, str]:
        showing.start(asked.get("scenario"))
        return {}

    @app.post("/choose", status_code=202)
    async def choose() -> dict[str, str]:
        showing.choose()
        return {}

    @app.get("/session.yaml")
    async def session() -> Response:
        name, text = await asyncio.to_thread(_session, showing)
        keep = {"content-disposition": f'attachment; filename="{name}-session.yaml"'}
        return Response(text, media_type="application/yaml", headers=keep)

    return Guarded(app, guard)


def serve(showing: Showing, guard: Guard, listener: socket.socket) -> None:
    """Serve on a listening socket until SIGINT, SIGTERM or SIGHUP: a terminal that was closed."""
    config = uvicorn.Config(
        api(showing, guard),
        log_config=None,
        access_log=False,
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
        limit_concurrency=256,
    )
    server = _Server(config, showing)
    signal.signal(signal.SIGHUP, server.handle_exit)
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends what pages are reading before it waits for them to go."""

    def __init__(self, config: uvicorn.Config, showing: Showing) -> None:
        super().__init__(config)
        self._showing = showing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End; the signal is not raised again, as the command goes on to end the run."""
        self._showing.stream.send({"kind": "bye"})
        self._showing.stream.close()
        self.force_exit, self.should_exit = self.should_exit, True


async def _attend(showing: Showing) -> None:
    """Read the run folder again and again, on another thread, and tell what is new."""
    while True:
        of = showing.stream
        messages = await asyncio.to_thread(showing.poll)
        if showing.stream is of:
            showing.tell(messages)
        await asyncio.sleep(POLL_S)


async def _frames(showing: Showing, last_id: str) -> AsyncIterator[bytes]:
    """Yield what a page is to be told, and go on with the next run when one ends."""
    yield b"retry: 1000\n\n"
    while True:
        stream = showing.stream
        async for chunk in stream.read(last_id):
            yield chunk
        if showing.stream is stream:
            return
        last_id = ""


def _session(showing: Showing) -> tuple[str, str]:
    """Return a file name and the session as a scenario, so far where it is not over.

    Raises Refused where there is none, FileError where it is too short for one.
    """
    if not showing.folder or not showing.scenario:
        raise Refused("no run has begun yet")
    scenario, saved = showing.scenario, showing.folder / SESSION
    text = saved.read_text() if saved.is_file() else session_of(scenario, showing.folder)
    return scenario.name, text
