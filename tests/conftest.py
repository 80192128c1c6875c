"""Privileged tests are skipped where the machine cannot run them, but never all of them in CI."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import pytest

from topologies.emulation import capabilities


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
