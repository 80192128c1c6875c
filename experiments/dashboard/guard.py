"""Who may talk to the dashboard: decided from a request's headers alone. Pure, but for the shim.

Every request is checked for the name that it was sent to (a page elsewhere can point a name of its
own at this machine: DNS rebinding), for the page that sends it (cross-site requests), and, where
others than this machine can reach us, for a token.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BODY_BYTES = 16 << 10
"""Of what a page sends: a wish is a few words."""
MAX_URL_BYTES = 2048

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # the first address holds the token
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered, as HTTP says it."""

    status: int
    why: str


@dataclass(frozen=True)
class Request:
    """What is judged: header names in small letters."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Guard:
    """Attributes:
    names: by which we may be called, beside addresses where ``token`` is set.
    token: that a stranger must know, or None where only this machine can reach us.
    cookie: the name under which a browser keeps it.
    """

    names: frozenset[str]
    token: str | None = None
    cookie: str = "spanlab"

    def judge(self, request: Request) -> Refusal | None:
        """Return why a request is refused, or None."""
        if len(request.path) + len(request.query) > MAX_URL_BYTES:
            return Refusal(414, "the address is too long")
        host = request.headers.get("host", "")
        if not self._is_us(host):
            return Refusal(421, "this name is not the dashboard's; use the address it printed")
        if refusal := _foreign(request, host):
            return refusal
        if self.token and not self._knows_token(request):
            return Refusal(401, "open the address that spanlab dashboard printed, with its token")
        return None

    def brings_token(self, request: Request) -> bool:
        """Say whether a request's address holds the token, for its browser to keep."""
        given = parse_qs(request.query).get("token", [""])[0]
        return self.token is not None and _same(given, self.token)

    def set_cookie(self) -> str:
        """Return the header by which a browser keeps the token."""
        return f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"

    def _is_us(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.token is not None  # an address cannot be rebound

    def _knows_token(self, request: Request) -> bool:
        if self.brings_token(request):
            return True
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(request.headers.get("cookie", ""))
        except CookieError:
            return False
        kept = cookies.get(self.cookie)
        return kept is not None and self.token is not None and _same(kept.value, self.token)


def _foreign(request: Request, host: str) -> Refusal | None:
    """Refuse what another page sends; only being opened from elsewhere is allowed."""
    headers = request.headers
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return Refusal(403, "sent by a page of another origin")
    site = headers.get("sec-fetch-site", "none")
    opened = headers.get("sec-fetch-mode") == "navigate" and request.method == "GET"
    if site not in ("none", "same-origin") and not opened:
        return Refusal(403, "sent by a page of another site")
    if request.method not in ("GET", "HEAD"):
        kind = headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/json":
            return Refusal(415, "send application/json")
        length = headers.get("content-length", "")
        if not length.isdecimal() or "transfer-encoding" in headers:
            return Refusal(411, "say how long the content is")
        if int(length) > MAX_BODY_BYTES:
            return Refusal(413, f"at most {MAX_BODY_BYTES} bytes")
    return None


def _same(given: str, token: str) -> bool:
    """Compare in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode(), token.encode())


class Guarded:
    """An application behind a guard; the server below keeps bodies to their stated length."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        """Put ``guard`` before ``app``."""
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it; every answer carries `HEADERS`."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        assert scope["type"] == "http", "no other is served"
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        request = Request(
            scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers
        )
        refusal = self._guard.judge(request)
        more = dict(HEADERS)
        if not refusal and self._guard.brings_token(request):
            more["set-cookie"] = self._guard.set_cookie()

        async def told(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in more.items()]
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        if not refusal:
            await self._app(scope, receive, told)
            return
        body = f"{refusal.why}\n".encode()
        start = {
            "type": "http.response.start",
            "status": refusal.status,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ],
        }
        await told(start)
        await send({"type": "http.response.body", "body": body})
