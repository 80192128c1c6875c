"""Privileged tests are skipped where the machine cannot run them, but never all of them in CI.

Tests are put in an order, so that jobs that mostly wait are done beside others.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache

import hypothesis
import pytest

from tests.background import Background
from tests.experiments.dashboard import browser
from topologies.emulation import capabilities

# No unit test is about how long something takes, least of all beside other work.
hypothesis.settings.register_profile("spanlab", deadline=None)
hypothesis.settings.load_profile("spanlab")


@cache
def machine() -> capabilities.Capabilities:
    """Probe this machine once, and only when a test asks."""
    return capabilities.probe()


NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "needs_root": (
        lambda: machine().root and machine().namespaces,
        "root that may make namespaces",
    ),
    "needs_ovs": (lambda: not machine().missing, "Open vSwitch and the programs a run needs"),
    "needs_netem": (lambda: machine().netem, "the kernel's netem"),
    "needs_datapath": (lambda: machine().kernel_datapath, "the kernel's Open vSwitch"),
    "needs_guest": (lambda: shutil.which("linux.uml") is not None, "user-mode Linux"),
    "needs_browser": (browser.present, "chromium, and playwright to drive it"),
    "needs_docker": (lambda: machine().docker is not None, "a Docker engine, or what starts one"),
}
"""By marker, the probe and what is missing where it fails."""


class Privileged:
    """Counts the privileged tests: how many there were, how many ran."""

    def __init__(self) -> None:
        self.selected: set[str] = set()
        self.ran: set[str] = set()

    @property
    def fault(self) -> str | None:
        """Say that a CI run proved nothing about the emulation."""
        if os.environ.get("CI") != "true" or not self.selected or self.ran:
            return None
        return (
            f"CI=true, and every privileged test was skipped ({len(self.selected)}): "
            "nothing of the emulation was tested. Run as root, with what `spanlab doctor` asks for."
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and not report.skipped and report.nodeid in self.selected:
            self.ran.add(report.nodeid)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        marked = (item for item in session.items if item.get_closest_marker("needs_root"))
        self.selected = {item.nodeid for item in marked}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.fault and not session.config.option.collectonly:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.fault and not terminalreporter.config.option.collectonly:
            terminalreporter.section("privileged tests", sep="=", red=True)
            terminalreporter.line(self.fault, red=True)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Privileged(), "privileged")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run what CI has no time for, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("thorough") and not config.getoption("thorough"):
            item.add_marker(pytest.mark.skip(reason="CI has no time for it: --thorough runs it"))
        for name, (present, what) in NEEDS.items():
            if item.get_closest_marker(name) and not present():
                item.add_marker(pytest.mark.skip(reason=f"{name}: this machine lacks {what}"))
    items.sort(key=turn)


def turn(item: pytest.Item) -> int:
    """Return when a test has its turn among the others.

    First those that leave the background a processor; then those that wait for it; last those that
    emulate, with the machine to themselves.
    """
    if item.get_closest_marker("beside"):
        return 1
    return 2 if any(map(item.get_closest_marker, NEEDS)) else 0


@pytest.fixture(scope="session", autouse=True)
def background(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Background]:
    """Begin what the tests of this session want to find done."""
    needed = (
        item.get_closest_marker("beside")
        for item in request.session.items
        if not item.get_closest_marker("skip")
    )
    jobs = {marker.args[0].name: marker.args[0] for marker in needed if marker}
    background = Background(tmp_path_factory.mktemp("background"), jobs.values())
    yield background
    background.close()
