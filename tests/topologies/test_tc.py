"""One ``tc`` that stays: what it answers, and how it says that something failed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from topologies.emulation.errors import ImpairmentError
from topologies.emulation.netem.tc import Tc

pytestmark = pytest.mark.skipif(shutil.which("tc") is None, reason="needs iproute2")


@pytest.fixture
def tc(tmp_path: Path) -> Iterator[Tc]:
    tool = Tc(tmp_path)
    yield tool
    tool.close()


def test_every_question_has_its_answer(tc: Tc) -> None:
    for _ in range(3):
        first, second = tc.ask("qdisc show dev lo", "qdisc show dev lo")
        assert first == second
        assert all(queue["kind"] for queue in first)


def test_a_failure_is_raised_with_the_complaint(tc: Tc) -> None:
    tc.tell(["qdisc change dev no-such-device root netem"])
    with pytest.raises(ImpairmentError, match="no-such-device"):
        tc.ask("qdisc show dev lo")
    with pytest.raises(ImpairmentError, match="no-such-device"):
        tc.ask("qdisc show dev lo")


def test_a_question_that_fails_is_raised(tc: Tc) -> None:
    with pytest.raises(ImpairmentError, match="no-such-device"):
        tc.ask("qdisc show dev lo", "qdisc show dev no-such-device")
