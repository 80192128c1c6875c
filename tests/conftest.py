"""Privileged tests are skipped where the machine cannot run them, but never all of them in CI.

A test that fails beside all others is tried once more, and shown; a CI of many such fails.

Tests are put in an order, so that two files at a time are worked on until it comes to those that
measure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from typing import Any

import hypothesis
import pytest

from tests.experiments.dashboard import browser
from tests.jobs import Jobs
from topologies.emulation import capabilities

for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)  # who works on tests beside others has them; tests say their own
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
        if "needs_root" in report.keywords:
            self.selected.add(report.nodeid)
            if report.when == "call" and not report.skipped:
                self.ran.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.fault:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.fault:
            terminalreporter.section("privileged tests", sep="=", red=True)
            terminalreporter.line(self.fault, red=True)


class Again:
    """Shows the tests that were tried once more: some, when a machine is busy, never many."""

    MOST = 3

    def __init__(self) -> None:
        self.failures: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if str(report.outcome) == "rerun":  # pytest-rerunfailures adds it to pytest's own
            self.failures.append(f"{report.nodeid}\n{report.longreprtext}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if len(self.failures) > self.MOST:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.failures:
            terminalreporter.section(f"{len(self.failures)} failed and were tried once more")
            terminalreporter.line("\n\n".join(self.failures), yellow=True)
        if len(self.failures) > self.MOST:
            terminalreporter.line(f"More than {self.MOST}: no busy machine's chance.", red=True)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # it hears of what all workers ran
        config.pluginmanager.register(Privileged(), "privileged")
        config.pluginmanager.register(Again(), "again")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run what CI has no time for, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("thorough") and not config.getoption("thorough"):
            item.add_marker(pytest.mark.skip(reason="CI has no time for it: --thorough runs it"))
        for name, (present, what) in NEEDS.items():
            if item.get_closest_marker(name) and not present():
                item.add_marker(pytest.mark.skip(reason=f"{name}: this machine lacks {what}"))
    items.sort(key=lambda item: turn(item.nodeid))


TURNS = ("tests/beside/", "tests/integration/", "tests/conformance/")
"""Whose turn comes last: what takes no notice of others, what measures, and what measures most
finely."""


def turn(nodeid: str) -> int:
    """Return when a test has its turn among the others."""
    return next((turn for turn, folder in enumerate(TURNS) if nodeid.startswith(folder)), -1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Work on two files at a time, and on those that measure one after the other."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "alone" if turn(nodeid) > 0 else nodeid.split("::", maxsplit=1)[0]

    return Files(config, log)


@pytest.fixture(scope="session")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    return Jobs(tmp_path_factory.mktemp("jobs"))
