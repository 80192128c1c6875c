"""The command that opens the dashboard."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from topologies.files import FileError

console = Console()
errors = Console(stderr=True)

LOOPBACK, PORT, PORTS = "127.0.0.1", 8080, 20
"""The first port that is tried, and how many, where nobody asks for one."""


def dashboard(
    what: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE|RUN]", help="a scenario to start, or the folder of a run"),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="to listen on; any but loopback needs a token")
    ] = LOOPBACK,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="8080 without it, or the next that is free")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="becomes the folder of the run it starts")
    ] = None,
) -> None:
    """Open the page on which a run is watched, steered and replayed, until Ctrl-C."""
    from experiments.dashboard.guard import Guard
    from experiments.dashboard.offers import bundled, only
    from experiments.dashboard.server import serve
    from experiments.dashboard.showing import Showing

    folder = what if what and what.is_dir() else None
    if folder and out:
        raise FileError("--out is for a run that the dashboard starts, and RUN has its folder")
    if folder and not (folder / "manifest.json").exists():
        raise FileError(f"{folder}: holds no manifest.json: name the folder of a run, or a FILE")
    offers = [] if folder else only(what) if what else bundled()
    showing = Showing(offers, folder, out)
    listener = listen(host, port)
    address, port = listener.getsockname()[:2]
    token = None if is_loopback(address) else secrets.token_urlsafe(24)
    names = frozenset({"localhost", host.lower(), socket.gethostname().lower()})
    console.print(f"dashboard: {url(address, port, token)}", highlight=False, soft_wrap=True)
    if token:
        console.print(
            "whoever has this address can steer the run; any address of this machine, or a port "
            "forwarded to it, will do in place of the one shown",
            style="dim",
        )
    console.print("Ctrl-C ends it" + (", and a run that it started" if offers else ""), style="dim")
    serve(showing, Guard(names, token, f"spanlab-{port}"), listener)
    if showing.runs_here:
        console.print("ending the run: it writes its result and takes its network down ...")
    if not showing.end():
        errors.print(Text(f"the run does not end; what is left: {showing.folder}"), style="red")
        raise typer.Exit(1)
    if offers and showing.folder and showing.folder.exists():
        console.print(f"run folder: {showing.folder}", highlight=False, soft_wrap=True)


def listen(host: str, port: int | None) -> socket.socket:
    """Return a listening socket, on the next free port if none is asked for.

    Raises FileError, which says what to type, where there is none.
    """
    wanted = [port] if port else range(PORT, PORT + PORTS)
    try:
        family, *_, place = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise FileError(f"--host {host}: {error.strerror or error}") from None
    why = ""
    for number in wanted:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((place[0], number))
            listener.listen(128)
        except OSError as error:
            listener.close()
            why = error.strerror or str(error)
            continue
        return listener
    asked = f"--port {port}" if port else f"ports {PORT} to {PORT + PORTS - 1}"
    raise FileError(f"{asked} on {host}: {why}; choose another with --port")


def is_loopback(address: str) -> bool:
    """Say whether only this machine reaches an address."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def url(address: str, port: int, token: str | None) -> str:
    """Return what to open; a wildcard address stands for this machine's name."""
    wildcard = ipaddress.ip_address(address.partition("%")[0]).is_unspecified
    name = socket.gethostname() if wildcard else f"[{address}]" if ":" in address else address
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")
