"""The dashboard over a run of twelve ranks that is written again at its own speed.

``python -m benchmarks.dashboard [--seconds 30] [--pages 1]`` prints the server's share of a
processor, how often pages hear of something new, how late, and when a browser first paints. Needs
chromium and playwright for the last.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.processes import processor_ns
from benchmarks.retelling import RECORDED, lines_of, unpacked
from experiments.dashboard.commands import listen

BEGIN_S = 14.0
"""When training begins in the recorded run."""
LOADS = 5
"""Of the page, whose median is told."""


@dataclass
class Page:
    """A reader of the server's messages, as a page is; notes when news came, and of what age."""

    url: str
    came: list[float] = field(default_factory=list)
    newest_s: list[float] = field(default_factory=list)
    ranks: set[int] = field(default_factory=set)

    def read(self) -> None:
        """Read until the server ends."""
        with urllib.request.urlopen(f"{self.url}events", timeout=60) as stream:
            for line in stream:
                if not line.startswith(b"data: {"):
                    continue
                items = json.loads(line[6:]).get("items", ())
                if items:
                    self.came.append(time.monotonic())
                    self.newest_s.append(max(item[1] for item in items))
                self.ranks |= {item[2] for item in items if item[0] == "rank"}


@dataclass(frozen=True)
class Figures:
    """What was measured while a run was followed.

    Attributes:
        share: of one processor that the server took.
        per_s: batches of news a second.
        gap_s: the longest time without any.
        age_s: from when a line was written until its news arrived, the median and the 99th
            percentile.
        ranks: of which something was heard.
    """

    share: float
    per_s: float
    gap_s: float
    age_s: tuple[float, float]
    ranks: int


def follow(folder: Path, seconds: float, pages: int) -> Figures:
    """Retell a run beside a dashboard with some pages."""
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        retelling = _python("benchmarks.retelling", folder, run, "--begin", BEGIN_S)
        while not (run / "steps.jsonl").exists():
            time.sleep(0.005)
        seen = time.monotonic()
        first = next(told for told in lines_of(folder) if told.file == "steps.jsonl")
        origin = seen - first.at_s
        server, url = _serve(run)
        try:
            readers = [Page(url) for _ in range(pages)]
            threads = [threading.Thread(target=page.read) for page in readers]
            for thread in threads:
                thread.start()
            time.sleep(3)  # what was there already has been read
            begin, before_ns = time.monotonic(), processor_ns(server.pid)
            time.sleep(seconds)
            end, after_ns = time.monotonic(), processor_ns(server.pid)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
            retelling.kill()
            retelling.wait()
        for thread in threads:
            thread.join()
    page = readers[0]
    within = [
        (at, newest)
        for at, newest in zip(page.came, page.newest_s, strict=True)
        if begin <= at <= end
    ]
    came = [at for at, _ in within]
    ages = sorted(at - origin - newest for at, newest in within)
    return Figures(
        share=(after_ns - before_ns) / 1e9 / (end - begin),
        per_s=len(came) / (end - begin),
        gap_s=max(later - earlier for earlier, later in pairwise(came)),
        age_s=(statistics.median(ages), ages[int(0.99 * len(ages))]),
        ranks=len(page.ranks),
    )


def paint(folder: Path) -> dict[str, float]:
    """Return when a browser first paints a finished run, and when all of it is drawn, in ms."""
    from playwright.sync_api import sync_playwright

    server, url = _serve(folder)
    first, drawn = [], []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox"]
            )
            for _ in range(LOADS):
                context = browser.new_context(viewport={"width": 1280, "height": 800})
                page = context.new_page()
                page.goto(url)
                page.wait_for_selector("#ranks li")
                drawn.append(page.evaluate("performance.now()"))
                entries: list[dict[str, Any]] = page.evaluate(
                    "performance.getEntriesByType('paint').map((it) => it.toJSON())"
                )
                first.append(max(it["startTime"] for it in entries))
                context.close()
            browser.close()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()
    return {"first": statistics.median(first), "drawn": statistics.median(drawn)}


def _serve(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a dashboard; return it and its address once it answers."""
    listener = listen("127.0.0.1", None)
    port = listener.getsockname()[1]
    listener.close()
    server = _python("experiments", "dashboard", folder, "--port", port)
    url = f"http://127.0.0.1:{port}/"
    while True:
        try:
            urllib.request.urlopen(url, timeout=10).close()
            return server, url
        except OSError:
            if server.poll() is not None:
                sys.exit("the dashboard does not start")
            time.sleep(0.05)


def _python(module: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)], stdout=subprocess.DEVNULL
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--pages", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = unpacked(RECORDED, Path(scratch))
        found = follow(folder, options.seconds, options.pages)
        painted = paint(folder)
    print("| | found | wanted |\n|---|---|---|")
    print(f"| ranks heard of | {found.ranks} | 12 |")
    print(f"| server, of one processor, pages: {options.pages} | {found.share:.1%} | under 5 % |")
    print(f"| news a second | {found.per_s:.1f} | 5 or more |")
    print(f"| longest time without | {1000 * found.gap_s:.0f} ms | |")
    middle, late = (1000 * age for age in found.age_s)
    print(f"| from a line to its news, median and p99 | {middle:.0f}, {late:.0f} ms | |")
    print(f"| first paint, median of {LOADS} | {painted['first']:.0f} ms | under 1000 ms |")
    print(f"| run drawn | {painted['drawn']:.0f} ms | |")


if __name__ == "__main__":
    main()
