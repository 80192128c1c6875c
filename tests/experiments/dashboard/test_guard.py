from __future__ import annotations

import pytest

from experiments.dashboard.guard import MAX_BODY_BYTES, MAX_URL_BYTES, Guard, Request

TOKEN = "a-token-of-many-letters"
LOCAL = Guard(frozenset({"localhost"}))
OPEN = Guard(frozenset({"localhost", "teacher"}), TOKEN, "spanlab-8080")
JSON = {"content-type": "application/json", "content-length": "2"}


def get(path: str = "/", query: str = "", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", path, query, {"host": "127.0.0.1:8080", **named})


def post(**headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/wishes", "", {"host": "127.0.0.1:8080", **JSON, **named})


def status(guard: Guard, request: Request) -> int | None:
    refusal = guard.judge(request)
    return refusal.status if refusal else None


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080", "127.0.0.2:9000"]
)
def test_this_machine_is_answered(host: str) -> None:
    assert LOCAL.judge(get(host=host)) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "192.0.2.7", "", "[::"]
)
def test_another_name_is_refused_as_one_that_was_pointed_at_us(host: str) -> None:
    assert status(LOCAL, get(host=host)) == 421
    assert LOCAL.judge(get(host=host)) is not None


def test_behind_a_token_an_address_will_do_but_no_foreign_name() -> None:
    assert OPEN.judge(get(host="192.0.2.7:8080", query=f"token={TOKEN}")) is None
    assert OPEN.judge(get(host="teacher:8080", query=f"token={TOKEN}")) is None
    assert status(OPEN, get(host="evil.example:8080", query=f"token={TOKEN}")) == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null"])
def test_a_page_of_another_origin_can_post_nothing(origin: str) -> None:
    assert status(LOCAL, post(origin=origin)) == 403


def test_our_own_page_can_post_and_so_can_a_script() -> None:
    assert LOCAL.judge(post(origin="http://127.0.0.1:8080", sec_fetch_site="same-origin")) is None
    assert LOCAL.judge(post()) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_can_open_the_page_but_not_embed_or_fetch_it(site: str) -> None:
    assert LOCAL.judge(get(sec_fetch_site=site, sec_fetch_mode="navigate")) is None
    assert status(LOCAL, get("/events", sec_fetch_site=site, sec_fetch_mode="cors")) == 403
    assert status(LOCAL, post(sec_fetch_site=site, sec_fetch_mode="navigate")) == 403


def test_only_json_of_a_stated_and_small_size_is_taken() -> None:
    form = "application/x-www-form-urlencoded"
    assert status(LOCAL, post(content_type=form)) == 415
    assert status(LOCAL, post(content_length=str(MAX_BODY_BYTES + 1))) == 413
    assert status(LOCAL, post(content_length="")) == 411
    assert status(LOCAL, post(transfer_encoding="chunked")) == 411, "which has no end"
    assert LOCAL.judge(post(content_type="application/json; charset=utf-8")) is None


def test_a_long_address_is_refused() -> None:
    assert status(LOCAL, get(query="x" * MAX_URL_BYTES)) == 414


@pytest.mark.parametrize(
    ("query", "cookie"),
    [("", ""), ("token=", ""), ("token=wrong", ""), ("", "spanlab-8080=wrong"), ("", "é=\x01;;")],
)
def test_without_the_token_nothing_is_answered(query: str, cookie: str) -> None:
    for path in ("/", "/events", "/assets/main.js", "/session.yaml"):
        assert status(OPEN, get(path, query, cookie=cookie)) == 401


def test_the_token_comes_once_in_the_address_then_in_a_cookie_that_scripts_cannot_read() -> None:
    first = get(query=f"token={TOKEN}")
    assert OPEN.judge(first) is None
    assert OPEN.brings_token(first)
    kept, *flags = OPEN.set_cookie().split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(flags)
    assert OPEN.judge(get("/events", cookie=f"other=1; {kept}")) is None


def test_without_a_token_none_is_kept() -> None:
    assert not LOCAL.brings_token(get(query="token=anything"))
