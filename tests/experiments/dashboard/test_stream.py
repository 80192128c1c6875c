"""Pages catch up: what they are told is whole and in order, wherever they stopped."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from experiments.dashboard import stream as module
from experiments.dashboard.stream import Stream


def parsed(frames: bytes) -> list[tuple[str, Any]]:
    """Return id and data of the events in a piece of a stream, without beats."""
    found = []
    for block in frames.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "id" in fields:
            found.append((fields["id"], json.loads(fields["data"])))
    return found


async def read(stream: Stream, last_id: str, count: int) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    async with aclosing(stream.read(last_id)) as frames:
        async for chunk in frames:
            found += parsed(chunk)
            if len(found) >= count:
                break
    return found


def test_a_page_gets_all_and_one_that_comes_back_only_what_it_lacks() -> None:
    async def scene() -> None:
        stream = Stream()
        for number in range(5):
            stream.send({"number": number})
        everything = await read(stream, "", 5)
        assert [data["number"] for _, data in everything] == [0, 1, 2, 3, 4]
        rest = await read(stream, everything[2][0], 2)
        assert [data["number"] for _, data in rest] == [3, 4]

    asyncio.run(scene())


def test_several_pages_read_at_their_own_pace_and_none_loses_anything() -> None:
    async def scene() -> None:
        stream = Stream()
        pages = [asyncio.create_task(read(stream, "", 30)) for _ in range(3)]
        for number in range(30):
            stream.send({"number": number})
            if number % 7 == 0:
                await asyncio.sleep(0)
        for page in pages:
            assert [data["number"] for _, data in await page] == list(range(30))

    asyncio.run(scene())


@pytest.mark.parametrize("last_id", ["", "other-3", "garbage", "-", "{epoch}-", "{epoch}-x"])
def test_an_id_that_is_not_ours_stands_for_a_page_that_has_seen_nothing(last_id: str) -> None:
    async def scene() -> None:
        stream = Stream()
        stream.send({"number": 0})
        assert stream.after(last_id.format(epoch=stream.epoch)) == 0

    asyncio.run(scene())


def test_an_id_that_is_not_yet_given_is_no_way_to_miss_what_comes() -> None:
    async def scene() -> None:
        stream = Stream()
        stream.send({"number": 0})
        assert stream.after(f"{stream.epoch}-{10**11}") == 1

    asyncio.run(scene())


def test_silence_is_told_from_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.01)

    async def scene() -> None:
        stream = Stream()
        stream.send({"number": 0})
        frames = stream.read("")
        assert parsed(await anext(frames))
        assert (await anext(frames)).startswith(b"event: beat\n")
        stream.close()
        left = [chunk async for chunk in frames]
        assert all(not parsed(chunk) for chunk in left)

    asyncio.run(scene())


def test_much_to_catch_up_with_comes_in_pieces() -> None:
    async def scene() -> None:
        stream = Stream()
        for number in range(40):
            stream.send({"number": number, "text": "x" * 50_000})
        sizes = []
        found = 0
        async with aclosing(stream.read("")) as frames:
            async for chunk in frames:
                sizes.append(len(chunk))
                found += len(parsed(chunk))
                if found == 40:
                    break
        assert max(sizes) < 2 * module.MOST_AT_ONCE

    asyncio.run(scene())
