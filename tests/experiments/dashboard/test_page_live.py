"""The page in a real browser, while a run grows: recorded ones, written again as they came."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.experiments.dashboard.browser import SEEN_MS, keep, opened, step_of, wait_for
from tests.experiments.dashboard.served import commanded, retelling

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.needs_browser, pytest.mark.slow]


def test_steps_move_while_a_run_grows_on_two_pages(
    browser: Browser, recorded: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with (
        retelling(recorded, folder, 4, 15),
        commanded(folder) as command,
        opened(browser, command.url) as page,
        opened(browser, command.url) as other,
    ):
        wait_for(page, "spanlab.model.steps.length > 3")
        assert page.locator("#condition").inner_text() == "● live"
        assert "--live" in page.locator("#controls-note").inner_text()
        before = step_of(page)
        wait_for(page, f"spanlab.model.steps.at(-1).step > {before + 3}")
        for it in (page, other):
            wait_for(it, "spanlab.model.condition.state === 'finished'")
            heard = "spanlab.model.items.filter(([kind]) => kind === 'rank').length"
            assert it.evaluate(heard) == 12 * 44
            assert step_of(it) == 43


def test_a_wish_is_handed_to_the_run_and_waits_for_its_answer(
    browser: Browser, lesson: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with (
        retelling(lesson, folder, 1, 22) as run,
        commanded(folder) as command,
        opened(browser, command.url) as page,
    ):
        wait_for(page, "!document.getElementById('do-upgrade').disabled")
        page.locator("#span").select_option("south-east")
        page.locator("#rate").focus()
        page.keyboard.press("End")
        page.locator("#do-set").click()
        page.locator("#wishes li[data-status=pending]").first.wait_for(timeout=SEEN_MS)
        assert "set: south-east, rate: 800 Gbit/s" in page.locator("#wishes").inner_text()
        lines = (folder / "wishes.jsonl").read_text().splitlines()
        wished = [json.loads(line)["event"] for line in lines]
        assert {"set": "south-east", "rate": "800 Gbit/s"} in wished
        run.kill()
        run.wait()
        wait_for(page, "document.getElementById('steering').disabled")


def test_a_run_that_dies_is_said_to_be_dead_and_its_data_stay(
    browser: Browser, recorded: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with (
        retelling(recorded, folder, 3, 20) as run,
        commanded(folder) as command,
        opened(browser, command.url) as page,
    ):
        wait_for(page, "spanlab.model.steps.length > 8")
        run.kill()
        run.wait()
        wait_for(page, "document.getElementById('banner').textContent.includes('died')")
        assert step_of(page) > 8
        assert page.locator("#replay").is_visible()
        keep(page, "died")


def test_a_server_that_dies_is_missed_and_one_that_comes_back_tells_the_rest(
    browser: Browser, recorded: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with (
        retelling(recorded, folder, 1.5, 15),
        commanded(folder) as first,
        opened(browser, first.url) as page,
    ):
        wait_for(page, "spanlab.model.steps.length > 2")
        first.process.kill()
        wait_for(page, "document.body.dataset.connection === 'lost'")
        known = step_of(page)
        assert known > 1
        assert "does not answer" in page.locator("#banner").inner_text()
        keep(page, "no-server")
        with commanded(folder, "--port", first.port):
            wait_for(page, "document.body.dataset.connection === ''")
            wait_for(page, f"spanlab.model.steps.at(-1)?.step > {known}")
            steps = page.evaluate("spanlab.model.steps.map((step) => step.step)")
            assert steps == list(range(1, steps[-1] + 1)), "none is missing, none comes twice"
            assert page.locator("#banner").is_hidden()


def test_a_browser_that_slept_goes_on_where_it_was(
    browser: Browser, recorded: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with (
        retelling(recorded, folder, 3, 15),
        commanded(folder) as command,
        opened(browser, command.url) as page,
    ):
        asked: list[str] = []
        page.on("request", lambda it: asked.append(it.url) if "/events" in it.url else None)
        wait_for(page, "spanlab.model.steps.length > 3")
        page.context.set_offline(True)
        page.evaluate("spanlab.feed.source.close()")  # as a sleeping laptop's connections end
        known = page.evaluate("spanlab.model.steps.at(-1).step")  # which may not be shown yet
        page.wait_for_timeout(3000)
        page.context.set_offline(False)
        wait_for(page, f"spanlab.model.steps.at(-1).step > {known + 3}")
        assert asked and not asked[-1].endswith("last=")
        steps = page.evaluate("spanlab.model.steps.map((step) => step.step)")
        assert steps == list(range(1, steps[-1] + 1))
