"""The page in a real browser, over a run that was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from experiments.scenario import load_scenario
from tests.experiments.dashboard.browser import SEEN_MS, keep, opened, step_of, wait_for
from tests.experiments.dashboard.served import Command, commanded

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.needs_browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def finished(recorded: Path) -> Iterator[Command]:
    command = Command(recorded)
    yield command
    assert command.end()[0] == 0


def test_a_finished_run_is_shown_whole_and_replayed_at_any_speed(
    browser: Browser, finished: Command
) -> None:
    with opened(browser, finished.url) as page:
        wait_for(page, "spanlab.replay.open")
        assert page.locator("#condition").inner_text() == "▶ replay"
        assert "Upgrading north-south took coherence" in page.locator("#headline").inner_text()
        assert page.locator("#ranks li").count() == 12
        assert page.locator("#map .span").count() == 3
        assert step_of(page) == 43
        keep(page, "finished-light")
        page.locator("#play").click()
        page.locator("#speed").select_option("10")
        incoherent = "document.getElementById('class-word').textContent.includes('incoherent')"
        wait_for(page, f"{incoherent} && (spanlab.replay.toggle(), true)")  # and there it stands
        assert page.locator("#now-phase").inner_text() == "aged"
        assert 9 < step_of(page) < 18
        assert page.locator("#headline").inner_text() == ""
        keep(page, "aged-light")
        page.locator("#play").click()
        page.locator("#speed").select_option("50")
        wait_for(page, "!spanlab.replay.playing")
        wait_for(page, "document.getElementById('now-step').textContent === '43 of 44'")
        page.locator("#seek").fill("30")  # back into the middle
        wait_for(page, "document.getElementById('now-phase').textContent === 'aged'")
        assert 9 < step_of(page) < 18


def test_faster_is_faster(browser: Browser, finished: Command) -> None:
    with opened(browser, finished.url) as page:
        wait_for(page, "spanlab.replay.open")
        passed = """async (speed) => {
            document.getElementById("speed").value = speed;
            spanlab.replay.go(15);
            if (!spanlab.replay.playing) spanlab.replay.toggle();
            const begin = spanlab.replay.last;
            await new Promise((done) => setTimeout(done, 600));
            return (spanlab.model.now - 15) / ((spanlab.replay.last - begin) / 1000);
        }"""
        for speed in (0.25, 2, 10):
            rate = page.evaluate(passed, str(speed))
            assert rate == pytest.approx(speed, rel=0.1), "by the clock of the page"


def test_controls_are_off_in_a_replay(browser: Browser, finished: Command) -> None:
    with opened(browser, finished.url) as page:
        wait_for(page, "spanlab.replay.open")
        for name in ("do-upgrade", "do-fail", "rate", "policy", "strategy", "pause", "finish"):
            assert page.locator(f"#{name}").is_disabled(), name
        assert "replay" in page.locator("#controls-note").inner_text()


def test_all_can_be_reached_and_done_by_keyboard(browser: Browser, finished: Command) -> None:
    with opened(browser, finished.url) as page:
        wait_for(page, "spanlab.replay.open")
        reached = set()
        for _ in range(25):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate("document.activeElement.id || document.activeElement.ariaLabel")
            )
        assert {"save", "theme", "play", "seek", "speed", "log"} <= reached
        spans = [name for name in reached if name and " km, " in name]
        assert len(spans) == 3, "each span of the map"
        page.locator("#map .span").nth(1).focus()
        page.keyboard.press("Enter")
        assert page.locator("#span").input_value() == "south-east"
        page.locator("#play").focus()
        page.keyboard.press("Space")
        assert page.evaluate("spanlab.replay.playing")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) != "none"


def test_what_matters_is_said_and_named(browser: Browser, finished: Command) -> None:
    with opened(browser, finished.url) as page:
        wait_for(page, "spanlab.replay.open && document.getElementById('spoken').textContent")
        assert "emulation degraded" in page.locator("#spoken").inner_text()
        assert page.locator("#spoken").get_attribute("aria-live") == "polite"
        assert "Coherence 1.0" in (page.locator("#gauge").get_attribute("aria-label") or "")
        assert "70" in (page.locator("#map .span").first.get_attribute("aria-label") or "")
        assert "coherence 0.39" in (page.locator("#chart").get_attribute("aria-label") or "")
        unnamed = page.evaluate(
            """[...document.querySelectorAll("button, a, select, input, summary")]
            .filter((it) => !it.textContent.trim() && !it.labels?.length && !it.ariaLabel)
            .map((it) => it.id)"""
        )
        assert unnamed == []


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080), (390, 844)])
def test_it_fits_projectors_and_telephones_dark_and_light(
    browser: Browser, finished: Command, width: int, height: int
) -> None:
    for dark in (False, True):
        with opened(browser, finished.url, width, height, dark) as page:
            wait_for(page, "spanlab.replay.open")
            page.evaluate("spanlab.replay.go(29)")
            wait_for(page, "document.getElementById('now-phase').textContent === 'aged'")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, "nothing is cut off at the side"
            if width > 900:
                assert page.evaluate("document.documentElement.scrollHeight") <= height
            keep(page, f"{width}-{'dark' if dark else 'light'}")
            paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (int(paper.split("(")[1].split(",")[0]) < 64) == dark


def test_the_session_is_saved_as_a_scenario(browser: Browser, finished: Command) -> None:
    with opened(browser, finished.url) as page:
        wait_for(page, "spanlab.replay.open")
        with page.expect_download(timeout=SEEN_MS) as download:
            page.locator("#save").click()
        assert download.value.suggested_filename == "twelve-ranks-session.yaml"
        assert load_scenario(download.value.path()).workload.steps == 44


def test_the_colours_can_be_switched_and_stay(browser: Browser, finished: Command) -> None:
    with opened(browser, finished.url) as page:
        page.locator("#theme").select_option("dark")
        page.reload()
        wait_for(page, "document.documentElement.dataset.theme === 'dark'")


def test_a_choice_is_offered_where_no_run_was_named(browser: Browser) -> None:
    with commanded() as command, opened(browser, command.url) as page:
        page.locator("#offers li").first.wait_for(timeout=SEEN_MS)
        assert "classroom" in page.locator("#offers li").first.inner_text()
        assert page.locator("main").is_hidden()
        keep(page, "choice")
