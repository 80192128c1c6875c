"""The server over real sockets: its answers, its refusals, and what it tells late-comers."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from experiments.dashboard.commands import dashboard, is_loopback, listen, url
from experiments.dashboard.guard import MAX_BODY_BYTES
from experiments.dashboard.offers import Offer, bundled
from experiments.dashboard.showing import Showing
from experiments.manifest import start_of
from tests.experiments.dashboard.served import Command, ask, events, serving
from topologies.files import FileError


def until(messages: Any, kind: str) -> list[tuple[str, Any]]:
    found = []
    for event_id, message in messages:
        found.append((event_id, message))
        if message["kind"] == kind and message.get("state") != "starting":
            return found
    raise AssertionError(f"the stream ended without {kind}")


def test_the_page_runs_no_script_but_its_own(recorded: Path) -> None:
    with serving(Showing([], recorded)) as port:
        status, headers, page = ask(port, "GET", "/")
        assert status == 200
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=|https?:", page)
        linked = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
        scripts = [path for path in linked if path.endswith(".js")]
        seen = set(linked)
        while scripts:  # and the modules that those import
            for name in re.findall(r'from "\./([\w.]+)"', ask(port, "GET", scripts.pop())[2]):
                if f"/assets/{name}" not in seen:
                    seen.add(f"/assets/{name}")
                    scripts.append(f"/assets/{name}")
        assert len(seen) > 10
        assert all(ask(port, "GET", path)[0] == 200 for path in seen)


@pytest.mark.parametrize(
    "path", ["/assets/..%2fserver.py", "/assets/../server.py", "/assets/nothing", "/openapi.json"]
)
def test_nothing_else_is_served(recorded: Path, path: str) -> None:
    with serving(Showing([], recorded)) as port:
        assert ask(port, "GET", path)[0] == 404


def test_strangers_are_refused(recorded: Path) -> None:
    with serving(Showing([], recorded)) as port:
        assert ask(port, "GET", "/", host="evil.example")[0] == 421
        wish = {"policy": "ecmp"}
        assert ask(port, "POST", "/wishes", wish, origin="http://evil.example")[0] == 403
        assert ask(port, "POST", "/wishes", "x" * (MAX_BODY_BYTES + 1))[0] == 413
        assert ask(port, "POST", "/wishes", "policy=ecmp", content_type="text/plain")[0] == 415


def test_with_a_token_nobody_is_answered_who_does_not_know_it(recorded: Path) -> None:
    with serving(Showing([], recorded), "secret-token") as port:
        for path in ("/", "/events", "/assets/main.js", "/session.yaml", "/?token=guess"):
            assert ask(port, "GET", path)[0] == 401
        status, headers, _ = ask(port, "GET", "/?token=secret-token")
        assert status == 200
        kept = headers["set-cookie"].partition(";")[0]
        assert ask(port, "GET", "/assets/main.js", cookie=kept)[0] == 200
        assert ask(port, "POST", "/wishes", {"policy": "ecmp"})[0] == 401


def test_a_page_that_comes_back_is_told_what_it_lacks(recorded: Path) -> None:
    with serving(Showing([], recorded)) as port:
        with events(port) as stream:
            whole = until(stream, "condition")
        assert whole[0][1]["kind"] == "begin"
        with events(port, whole[2][0]) as stream:
            rest = until(stream, "condition")
        assert rest == whole[3:]
        with events(port, "of-another-server-3") as stream:
            assert until(stream, "condition") == whole


def test_what_is_replayed_cannot_be_changed(recorded: Path) -> None:
    with serving(Showing([], recorded)) as port:
        with events(port) as stream:
            until(stream, "condition")
        status, _, answer = ask(port, "POST", "/wishes", {"policy": "ecmp"})
        assert (status, json.loads(answer)["error"][:15]) == (409, "the run is over")
        assert not (recorded / "wishes.jsonl").exists()
        assert ask(port, "POST", "/choose", {})[0] == 409
        assert ask(port, "POST", "/wishes", "[]")[0] == 422


def test_the_session_can_be_downloaded_as_a_scenario(recorded: Path, tmp_path: Path) -> None:
    from experiments.scenario import load_scenario

    with serving(Showing([], recorded)) as port:
        with events(port) as stream:
            until(stream, "condition")
        status, headers, text = ask(port, "GET", "/session.yaml")
    assert status == 200 and "attachment" in headers["content-disposition"]
    file = tmp_path / "session.yaml"
    file.write_text(text)
    assert len(load_scenario(file).timeline) == 2


def follow_live(recorded: Path, folder: Path) -> None:
    """Make a folder of a run that lives and listens: this process stands for it."""
    manifest = json.loads((recorded / "manifest.json").read_text())
    manifest |= {"pid": os.getpid(), "pid_start": start_of(os.getpid()), "live": True}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_live_run_takes_wishes_as_files_take_events(recorded: Path, tmp_path: Path) -> None:
    follow_live(recorded, tmp_path)
    with serving(Showing([], tmp_path)) as port:
        with events(port) as stream:
            until(stream, "condition")
        wish = {"upgrade": "north-south", "with": "coherent-400g"}
        status, _, answer = ask(port, "POST", "/wishes", wish)
        assert status == 202
        (line,) = (tmp_path / "wishes.jsonl").read_text().splitlines()
        assert json.loads(line) == {"id": json.loads(answer)["id"], "event": wish}
        status, _, answer = ask(port, "POST", "/wishes", {"upgrade": "north-south"})
        assert status == 422 and 'upgrade needs "with"' in json.loads(answer)["error"]
        with events(port) as stream:
            for _, message in stream:
                if any(item[0] == "wish" for item in message.get("items", ())):
                    break


def test_two_dashboards_on_one_run_see_each_others_wishes(recorded: Path, tmp_path: Path) -> None:
    follow_live(recorded, tmp_path)
    with serving(Showing([], tmp_path)) as port, serving(Showing([], tmp_path)) as other:
        for it in (port, other):
            with events(it) as stream:
                until(stream, "condition")
        wished = json.loads(ask(port, "POST", "/wishes", {"policy": "ecmp"})[2])["id"]
        with events(other) as stream:
            for _, message in stream:
                seen = [item for item in message.get("items", ()) if item[0] == "wish"]
                if seen:
                    assert seen[0][2:5] == [wished, "pending", "policy: ecmp"]
                    break


def test_only_what_is_offered_can_be_started() -> None:
    with serving(Showing(bundled())) as port:
        with events(port) as stream:
            _, begin = next(stream)
        assert begin["mode"] == "choose" and begin["offers"][0]["name"] == "classroom"
        for name in ("../../etc/passwd", "/etc/passwd", "unknown", 3, None):
            status, _, answer = ask(port, "POST", "/start", {"scenario": name})
            assert status == 409 and "no such scenario" in answer


def test_a_run_that_cannot_begin_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # the machine then lacks what a run needs
    file = tmp_path / "lab.yaml"
    file.write_text((bundled()[0].file).read_text())
    showing = Showing([Offer("lab", file)], out=tmp_path / "run")
    with serving(showing) as port, events(port) as stream:
        assert ask(port, "POST", "/start", {"scenario": "lab"})[0] == 202
        for _, message in stream:
            if message["kind"] == "condition" and message["state"] == "failed":
                assert "exit code" in message["error"]
                break
    assert showing.end()


def test_a_taken_port_is_passed_over_unless_it_was_asked_for() -> None:
    first = listen("127.0.0.1", None)
    second = listen("127.0.0.1", None)
    try:
        assert first.getsockname()[1] != second.getsockname()[1]
        with pytest.raises(FileError, match="choose another with --port"):
            listen("127.0.0.1", first.getsockname()[1])
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize(
    ("address", "shown"),
    [("127.0.0.1", "http://127.0.0.1:80/"), ("::1", "http://[::1]:80/")],
)
def test_what_to_open_is_printed(address: str, shown: str) -> None:
    assert is_loopback(address)
    assert url(address, 80, None) == shown


def test_all_addresses_stand_for_the_machines_name() -> None:
    assert not is_loopback("0.0.0.0") and not is_loopback("192.0.2.1") and not is_loopback("::")
    assert "0.0.0.0" not in url("0.0.0.0", 80, "t")
    assert url("192.0.2.1", 80, "t").endswith("192.0.2.1:80/?token=t")


def test_a_folder_that_is_no_run_and_a_file_that_is_no_scenario_are_refused(
    tmp_path: Path,
) -> None:
    with pytest.raises(FileError, match=r"holds no manifest\.json"):
        dashboard(tmp_path)
    wrong = tmp_path / "lab.yaml"
    wrong.write_text("name: lab\n")
    with pytest.raises(FileError, match="is missing"):
        dashboard(wrong)
    with pytest.raises(FileError, match="--out"):
        dashboard(tmp_path, out=tmp_path / "other")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_command_although_a_page_is_open(
    recorded: Path, number: signal.Signals
) -> None:
    command = Command(recorded)
    with events(command.port) as stream:
        until(stream, "condition")
        code, _ = command.end(number)
        assert code == 0
        assert [message["kind"] for _, message in stream][-1] == "bye"
