"""Messages to any number of pages, each from where it stopped, as server-sent events.

The format is that of the HTML standard, section 9.2: a browser that comes back names the last id
that it has seen (``Last-Event-ID``).
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Mapping
from typing import Any

BEAT_S = 1.0
"""A page hears something at least this often, so that it can tell silence from nothing new."""
MOST_AT_ONCE = 1 << 18
"""Bytes that are handed over in one go to a page that catches up."""


class Stream:
    """All messages of one run, from the first on; they are kept, so that any page catches up."""

    def __init__(self) -> None:
        """Begin a stream, whose ids are no other stream's."""
        self.epoch = secrets.token_hex(4)
        self._frames: list[bytes] = []
        self._news = asyncio.Event()
        self._closed = False

    def send(self, message: Mapping[str, Any]) -> None:
        """Add a message for all pages."""
        text = json.dumps(message, separators=(",", ":"))
        self._frames.append(f"id: {self.epoch}-{len(self._frames)}\ndata: {text}\n\n".encode())
        self._wake()

    def close(self) -> None:
        """End what pages are reading: another stream follows, or none."""
        self._closed = True
        self._wake()

    def after(self, last_id: str) -> int:
        """Return the number of the first message that a page lacks which has seen ``last_id``.

        An id of another stream, or none, stands for a page that has seen nothing.
        """
        epoch, _, number = last_id.partition("-")
        if epoch != self.epoch or not number.isdecimal() or len(number) > 12:
            return 0
        return min(int(number) + 1, len(self._frames))

    async def read(self, last_id: str) -> AsyncGenerator[bytes, None]:
        """Yield frames from the one after ``last_id`` on, and beats in between, until closed."""
        index = self.after(last_id)
        while True:
            news = self._news
            while index < len(self._frames):
                chunk = b""
                while index < len(self._frames) and len(chunk) < MOST_AT_ONCE:
                    chunk += self._frames[index]
                    index += 1
                yield chunk
            if self._closed:
                return
            try:
                await asyncio.wait_for(news.wait(), BEAT_S)
            except asyncio.TimeoutError:
                yield b"event: beat\ndata: \n\n"

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
