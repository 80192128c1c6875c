"""A teacher's session, done by a browser: start a run, upgrade a span, see training come back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from experiments.scenario import load_scenario
from tests.experiments.dashboard.browser import chromium, keep, opened
from tests.experiments.dashboard.served import Command
from tests.integration.runs import eventually, lines_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.needs_browser,
    pytest.mark.slow,
]
SPAN = "west-east"
SCENARIO = {
    "name": "lesson",
    "network": {
        "campuses": {"west": {"workers": 2}, "east": {"workers": 2}},
        "spans": {SPAN: {"route": "70 km", "condition": "aged-10g-ook", "age": "15 years"}},
    },
    "workload": {
        "gradients": "250 MB",
        "bucket": "125 MB",
        "compute": "100 ms",
        "steps": 1000,
        "reference_steps": 6,
    },
    "emulate": {"bytes": "1/250", "time": 2},
}
WORKS_S = 120


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextlib.contextmanager
def lesson(tmp_path: Path) -> Iterator[Command]:
    """Start the dashboard for a lesson below ``run``; it ends well, in the test or with it."""
    file = tmp_path / "lesson.yaml"
    file.write_text(yaml.safe_dump(SCENARIO))
    command = Command(file, "--out", tmp_path / "run")
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.end()
    assert command.process.returncode == 0


def wait_for(page: Page, expression: str, timeout_s: float = WORKS_S) -> None:
    def reached() -> bool:
        condition = page.evaluate("spanlab.model.condition")
        assert not condition or condition["state"] != "failed", condition["error"]
        return bool(page.evaluate(f"Boolean({expression})"))

    eventually(reached, timeout_s, expression)
    page.evaluate("spanlab.shown()")


def begin(page: Page) -> None:
    """Start the lesson's run, and wait until it can be steered over the aged span."""
    page.get_by_role("button", name="Start lesson").click()
    wait_for(page, "spanlab.model.condition.steerable")
    wait_for(page, "spanlab.model.phases.length && spanlab.model.coherence")


def test_a_lesson(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with lesson(tmp_path) as command, opened(browser, command.url) as page:
        begin(page)
        keep(page, "lesson-aged")
        aged = page.evaluate("spanlab.model.coherence")
        step = page.evaluate("spanlab.model.steps.at(-1).step")
        wait_for(page, f"spanlab.model.steps.at(-1).step > {step + 2}")

        page.locator("#upgrade").select_option("coherent-400g")
        page.locator("#do-upgrade").click()
        page.locator("#wishes li[data-status=accepted]").first.wait_for(timeout=60_000)
        assert "at step" in page.locator("#wishes li").first.inner_text()
        wait_for(page, f"spanlab.model.coherence > {aged} + 0.2")
        step = page.evaluate("spanlab.model.steps.at(-1).step")
        wait_for(page, f"spanlab.model.steps.at(-1).step > {step + 3}")
        assert page.locator("#now-phase").inner_text() == f"{SPAN} upgraded"
        keep(page, "lesson-upgraded")

        # What is refused says why, as a scenario file would be told.
        page.evaluate(f"spanlab.ask({{upgrade: '{SPAN}', with: 'a-wish'}})")
        refused = page.locator("#wishes li[data-status=refused]").first
        refused.wait_for(timeout=60_000)
        assert "a-wish" in refused.inner_text() and "coherent-400g" in refused.inner_text()

        page.locator("#delay").fill("700")
        page.locator("#do-set").click()
        wait_for(page, f"spanlab.model.phases.at(-1).name === '{SPAN} set'")

        page.locator("#pause").click()
        wait_for(page, "spanlab.model.paused")
        keep(page, "lesson-paused")
        page.locator("#pause").click()
        wait_for(page, "!spanlab.model.paused")

        page.locator("#finish").click()
        wait_for(page, "spanlab.model.condition.state === 'finished'")
        page.locator("#play").click()
        wait_for(page, "spanlab.replay.playing && spanlab.model.steps.length")
        assert page.locator("#do-upgrade").is_disabled()
        keep(page, "lesson-replay")

    result = json.loads((folder / "result.json").read_text())
    names = [phase["name"] for phase in result["phases"]]
    assert names[:2] == ["aged", f"{SPAN} upgraded"]
    before, after = (phase["coherence"] for phase in result["phases"][:2])
    assert after > before + 0.2
    session = load_scenario(folder / "session.yaml")
    assert [event.kind for event in session.timeline] == ["upgrade", "set", "pause"]


@pytest.mark.thorough
def test_every_other_button(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with lesson(tmp_path) as command, opened(browser, command.url) as page:
        begin(page)
        page.locator("#policy").select_option("ecmp")
        page.locator("#strategy").select_option("hierarchical")
        pressed = ["do-upgrade", "do-age", "do-fail", "do-restore", "do-policy", "do-strategy"]
        for number, button in enumerate(pressed, start=1):
            page.locator(f"#{button}").click()
            granted = "[...spanlab.model.wishes.values()].filter(it => it.status === 'accepted')"
            wait_for(page, f"{granted}.length >= {number}")
            if button == "do-fail":
                continue  # its only span is down: no step ends until it is restored
            begun = page.evaluate("spanlab.model.steps.at(-1).step")
            wait_for(page, f"spanlab.model.steps.at(-1).step > {begun + 2}")
        keep(page, "lesson-every-button")
        page.locator("#finish").click()
        wait_for(page, "spanlab.model.condition.state === 'finished'")
    session = load_scenario(folder / "session.yaml")
    kinds = [event.kind for event in session.timeline]
    # The failure stopped the step that it was restored in, and so has an end of its own.
    assert kinds == ["upgrade", "age", "fail", "policy", "strategy"]
    assert session.timeline[2].for_
    assert json.loads((folder / "result.json").read_text())["status"] == "finished"


def test_ctrl_c_ends_the_run_that_the_page_started(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with lesson(tmp_path) as command, opened(browser, command.url) as page:
        page.get_by_role("button", name="Start lesson").click()
        wait_for(page, "spanlab.model.steps.length")
        code, said = command.end()
        assert code == 0 and "takes its network down" in said
        wait_for(page, "document.body.dataset.connection === 'lost'")
        assert page.evaluate("spanlab.model.steps.length")
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"
    assert "network gone" in [event["kind"] for event in lines_of(folder / "events.jsonl")]
