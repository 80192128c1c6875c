"""The control channel over HTTP, and its client."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import TypeAdapter

from controller import policies
from controller.app import Application
from controller.channel import MAX_BODY_BYTES, serve
from controller.client import ControllerClient
from controller.errors import ControllerError
from controller.intent import Intent
from controller.messages import LinkChange
from controller.routes import Demand, Marks
from controller.state import State
from tests.controller.in_process import Switch, running
from topologies.graph import Graph
from topologies.linkstate import Jitter, LinkState, Loss

ROUTES = {
    ("GET", "/health"): (),
    ("GET", "/clock"): (),
    ("GET", "/routes"): (),
    ("GET", "/crossings"): (),
    ("GET", "/path/{source}/{target}"): (400,),
    ("GET", "/spans"): (),
    ("GET", "/traffic"): (),
    ("PUT", "/links"): (400, 409),
    ("PUT", "/policy"): (400, 409),
    ("PUT", "/probing"): (400,),
    ("PUT", "/drained/{span}"): (400, 409),
    ("DELETE", "/drained/{span}"): (400, 409),
}
"""Every route, and the faults that it may answer with."""


class Channel:
    """A channel, what it controls, and a client."""

    def __init__(self, application: Application, listener: socket.socket) -> None:
        self.application = application
        self.port: int = listener.getsockname()[1]
        self.client = ControllerClient(self.port)
        self.switches: dict[str, Switch] = {}

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        kind = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, body, {**kind, **headers})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer

    def put(self, path: str, body: object) -> tuple[int, Any]:
        return self.ask("PUT", path, json.dumps(body).encode())


@contextmanager
def serving(application: Application) -> Iterator[Channel]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        end = serve(listener, application)
        try:
            yield Channel(application, listener)
        finally:
            end()


@pytest.fixture(scope="module")
def lonely(graph: Graph) -> Iterator[Channel]:
    """A channel that no switch is behind, for what changes nothing."""
    links = {span: LinkState(10**9, 10**6) for span in graph.spans}
    with serving(Application(graph, Intent("shortest-delay", links))) as channel:
        yield channel


@pytest.fixture
def channel(graph: Graph, links: dict[str, LinkState]) -> Iterator[Channel]:
    """A channel with all switches behind it."""
    application = Application(graph, Intent("shortest-delay", links))
    with serving(application) as channel, running(application) as switches:
        channel.switches = switches
        channel.client.wait_ready(5)
        yield channel


NORTH_SOUTH: dict[str, Any] = {"source": "north", "target": "south"}


@pytest.mark.parametrize(
    ("path", "body", "field", "message"),
    [
        ("/links", {"north-suoth": {}}, "north-suoth", 'did you mean "north-south"'),
        ("/links", {"north-south": 5}, "north-south", "valid dictionary or object"),
        ("/links", {"north-south": {"dealy_ns": 5}}, "north-south.dealy_ns", "not permitted"),
        ("/links", {"north-south": {"delay_ns": 1.5}}, "north-south.delay_ns", "valid integer"),
        ("/links", {"north-south": {"delay_ns": True}}, "north-south.delay_ns", "valid integer"),
        ("/links", {"north-south": {"delay_ns": "5"}}, "north-south.delay_ns", "valid integer"),
        ("/links", {"north-south": {"delay_ns": -1}}, "north-south.delay_ns", "equal to 0"),
        ("/links", {"north-south": {"rate_bps": 0}}, "north-south.rate_bps", "greater than 0"),
        ("/links", {"north-south": {"rate_bps": "1"}}, "north-south.rate_bps", "valid integer"),
        ("/links", {"north-south": {"loss": 1.01}}, "north-south.loss", "equal to 1"),
        ("/links", {"north-south": {"loss": float("nan")}}, "north-south.loss", ""),
        ("/links", {"north-south": {"loss": "half"}}, "north-south.loss", ""),
        ("/links", {"north-south": {"loss": {"good": 7}}}, "north-south.loss", "between 0 and 1"),
        ("/links", {"north-south": {"loss": {"god": 0}}}, "north-south.loss.god", ""),
        ("/links", {"north-south": {"jitter": 3}}, "north-south.jitter", ""),
        ("/links", {"north-south": {"jitter": {"deviation_ns": 0}}}, "north-south.jitter", "above"),
        ("/links", {"north-south": {"mtu": 0}}, "north-south.mtu", "greater than 0"),
        ("/links", {"north-south": {"up": 1}}, "north-south.up", "valid boolean"),
        ("/links", {"north-south": {"delay_ns": 0, "reorder": 0.1}}, "north-south", "reorder"),
        ("/links", [], "", "valid dictionary"),
        ("/policy", {}, "policy", "required"),
        ("/policy", {"policy": 5}, "policy", "valid string"),
        ("/policy", {"policy": "shortest"}, "policy", 'did you mean "shortest-delay"'),
        ("/policy", {"policy": "ecmp", "more": 1}, "more", "not permitted"),
        ("/policy", {"policy": "ecmp", "demands": {}}, "demands", ""),
        ("/policy", {"policy": "ecmp", "demands": [{"source": "north"}]}, "demands.0.target", ""),
        (
            "/policy",
            {"policy": "ecmp", "demands": [{**NORTH_SOUTH, "target": "sooth"}]},
            "demands.0.target",
            'unknown campus "sooth"',
        ),
        (
            "/policy",
            {"policy": "ecmp", "demands": [NORTH_SOUTH, {**NORTH_SOUTH, "over": ["x"]}]},
            "demands.1.over",
            'unknown span "x"',
        ),
        (
            "/policy",
            {"policy": "ecmp", "demands": [{**NORTH_SOUTH, "rate": 5}]},
            "demands.0.rate",
            "",
        ),
        (
            "/policy",
            {"policy": "ecmp", "demands": [{**NORTH_SOUTH, "rate_bps": 0}]},
            "demands.0",
            "rate_bps must be above 0",
        ),
        (
            "/policy",
            {"policy": "ecmp", "demands": [{**NORTH_SOUTH, "rate_bps": "fast"}]},
            "demands.0.rate_bps",
            "valid integer",
        ),
        (
            "/policy",
            {"policy": "ecmp", "demands": [{**NORTH_SOUTH, "marks": {"dscp": 64}}]},
            "demands.0.marks",
            "between 0 and 63",
        ),
        (
            "/policy",
            {"policy": "ecmp", "demands": [{**NORTH_SOUTH, "marks": {}}]},
            "demands.0.marks",
            "dscp or ports",
        ),
        ("/drained/north-suoth", None, "span", 'did you mean "north-south"'),
    ],
)
def test_what_is_asked_wrongly_is_refused_by_field_and_changes_nothing(
    lonely: Channel, path: str, body: object, field: str, message: str
) -> None:
    before = lonely.application.state.intent
    status, answer = lonely.put(path, body)
    assert (status, answer["field"]) == (400, field), answer
    assert message in answer["error"]
    assert "\n" not in answer["error"]
    assert lonely.application.state.intent == before


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/", None, {}, 404),
        ("GET", "/docs", None, {}, 404),
        ("GET", "/drained/north-south/x", None, {}, 404),
        ("PUT", "/health", b"{}", {}, 405),
        ("POST", "/links", b"{}", {}, 405),
        ("PUT", "/links", b"{", {}, 400),
        ("PUT", "/links", b"", {}, 400),
        ("PUT", "/links", None, {}, 400),
        ("PUT", "/links", b"\xff", {}, 400),
        ("PUT", "/links", b"[" * 100_000, {}, 400),
        ("PUT", "/links", b"{}", {"Content-Length": "-2"}, 400),
        ("PUT", "/links", b"", {"Content-Length": str(MAX_BODY_BYTES + 1)}, 413),
        ("PUT", "/links", b" " * (MAX_BODY_BYTES + 1), {}, 413),
        ("PUT", "/links", b"2\r\n{}\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"}, 411),
        ("GET", "/health", None, {"Host": "example.com"}, 400),
        ("GET", "/health", None, {"Host": "localhost.example.com"}, 400),
        ("PUT", "/policy", b'{"policy": "ecmp"}', {"Host": "example.com"}, 400),
        ("GET", "/path/north-w1/north-w9", None, {}, 400),
        ("GET", "/path/north-w1/north-w1", None, {}, 400),
        ("GET", "/path/north-w1/north-south-p1", None, {}, 400),
        ("DELETE", "/drained/x", None, {}, 400),
    ],
)
def test_bad_requests_are_answered_in_json(
    lonely: Channel,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    status: int,
) -> None:
    before = lonely.application.state.intent
    if headers.get("Content-Length", "").startswith("-"):
        assert raw(lonely.port, f"{method} {path}", headers).startswith("HTTP/1.1 400")
        return
    got, answer = lonely.ask(method, path, body, **headers)
    assert (got, next(iter(answer))) == (status, "error")
    assert answer["error"]
    assert lonely.application.state.intent == before


def raw(port: int, request: str, headers: dict[str, str]) -> str:
    """Ask what `http.client` would refuse to ask."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        lines = [f"{request} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection.makefile().read()


def test_the_document_names_every_route_and_its_faults(lonely: Channel) -> None:
    status, document = lonely.ask("GET", "/openapi.json")
    assert (status, document["openapi"][:2]) == (200, "3.")
    found = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found.keys() == ROUTES.keys()
    schemas = document["components"]["schemas"]
    for route, operation in found.items():
        assert operation["description"], route
        faults = {int(code) for code in operation["responses"]} - {200}
        assert faults == {*ROUTES[route]}, route
        for fault in faults:
            content = operation["responses"][str(fault)]["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Fault"}
        assert operation["responses"]["200"]["content"]["application/json"]["schema"]
    # Every reference leads somewhere, and nothing is there that nothing refers to.
    text = json.dumps(document)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named == schemas.keys()


def test_health_says_what_is_missing(lonely: Channel) -> None:
    health = lonely.client.health()
    assert (health.ready, health.policy, health.error) == (False, "shortest-delay", None)
    assert (health.version, health.cut_off, health.drained) == (0, (), ())
    assert len(health.switches.missing) == health.switches.expected == 10
    assert health.switches.ready == 0
    others = ["north-w2", "south-w1", "south-w2", "east-w1"]
    assert lonely.client.routes()["north-w1"] == dict.fromkeys(others)
    assert lonely.client.crossings()["north-w1"] == {other: {} for other in others}
    with pytest.raises(ControllerError, match=r"lacks: .*east-border"):
        lonely.client.wait_ready(0.05)


def test_what_is_asked_for_is_done_and_told(channel: Channel) -> None:
    client = channel.client
    assert client.health().ready
    assert "east-border" in (client.routes()["north-w1"]["south-w1"] or [])
    changed = client.set_links({"north-south": LinkState(10**9, 0)})
    assert changed.version == 2
    assert changed.entries > 0
    report = client.spans()["north-south"]
    assert (report.told.delay_ns, report.used.delay_ns, report.live) == (0, 0, True)
    assert (report.forward.delay_ns, report.forward.probes, report.drained) == (None, 0, False)
    (way,) = client.ways("north-w1", "south-w1")
    assert way.outcome == "delivered"
    assert way.share == 1.0
    assert way.nodes[0] == "north-w1"
    assert way.ports[-1] == channel.application.wiring.access["south-w1"]
    assert client.traffic().flows == ()
    for name in policies.names():
        demands: tuple[Demand, ...] = (Demand("north", "east", 10**8, marks=Marks(dscp=46)),)
        assert client.set_policy(name, demands).version >= 2
        assert client.health().policy == name
    for change, expected in ((None, demands), ((), ())):
        client.set_policy("shortest-delay", change)
        assert channel.application.state.intent.demands == expected, "without any, they stay"
    client.set_links({"south-east": LinkState(10**9, 0, loss=Loss(0.5))})
    assert client.spans()["south-east"].told.loss == 0.5
    for loss, seen in ((0.25, 0.25), (None, 0.25), ({"pattern": "10"}, 0.5), (0, 0.0)):
        status, _ = channel.put("/links", {"south-east": {"loss": loss, "up": None}})
        told = client.spans()["south-east"].told
        assert (status, told.loss, told.up) == (200, seen, True)
    client.set_policy("ecmp")
    client.set_links(dict.fromkeys(channel.application.wiring.graph.spans, LinkState(10**9, 0)))
    crossed = client.crossings()["north-w1"]["south-w1"]
    assert crossed == {"north-south": (1.0, 0.0)}
    client.drain("north-south")
    crossed = client.crossings()["north-w1"]["south-w1"]
    assert crossed == {"north-east": (1.0, 0.0), "south-east": (0.0, 1.0)}
    client.undrain("north-south")
    client.set_policy("shortest-delay")
    client.drain("north-south")
    assert client.spans()["north-south"].drained
    assert client.health().drained == ("north-south",)
    assert "east-border" in (client.routes()["north-w1"]["south-w1"] or [])
    client.undrain("north-south")
    assert client.health().drained == ()


def test_what_cannot_be_done_now_is_said(channel: Channel) -> None:
    channel.client.set_links({"north-south": LinkState(10**9, 0, up=False)})
    status, answer = channel.ask("PUT", "/drained/north-east")
    assert status == 409
    assert "no other way joins north and south" in answer["error"]
    with pytest.raises(ControllerError, match=r"^PUT /drained/north-east: span north-east cannot"):
        channel.client.drain("north-east")
    channel.switches["south-border"].table.full = True
    status, answer = channel.put("/links", {"north-south": {"up": True}})
    assert status == 409
    assert 'switch "south-border" refused a rule' in answer["error"]


def test_a_policy_that_fails_is_said(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    with monkeypatch.context() as patch:
        patch.setattr("controller.policies.load", lambda _: broken)
        error = 'policy "shortest-delay": ZeroDivisionError: oops'
        with pytest.raises(ControllerError, match=f"^PUT /links: {error}$"):
            channel.client.set_links({"north-south": LinkState(10**9, 2)})
        assert channel.client.health().error == error
        patch.setattr(State, "in_force", False)  # as before the first rules
        with pytest.raises(ControllerError, match=f"^{error}$"):
            channel.client.wait_ready(5)
    channel.client.set_links({"north-south": LinkState(10**9, 3)})
    assert channel.client.health().error is None


def test_a_fault_of_the_channel_is_no_secret_of_its_log(
    lonely: Channel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("controller.state.State.tables", broken)
    status, answer = lonely.ask("GET", "/routes")
    assert (status, answer) == (500, {"error": "internal error; the controller's log has it"})
    assert "ZeroDivisionError: oops" in caplog.text


def test_the_client_says_what_was_refused(lonely: Channel) -> None:
    with pytest.raises(
        ControllerError,
        match=r'^PUT /links: north-suoth: unknown span "north-suoth".*did you mean',
    ):
        lonely.client.set_links({"north-suoth": LinkState(10**9, 0)})
    with pytest.raises(ControllerError, match=r"^PUT /policy: policy: unknown policy"):
        lonely.client.set_policy("x")
    with pytest.raises(ControllerError, match=r"^GET /path/a%2Fb/c: there is no GET /path/a/b/c"):
        lonely.client.ways("a/b", "c")


def test_the_client_says_when_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ControllerError, match=f"no answer .*:{port}: timed out"):
            ControllerClient(port, timeout_s=0.1).health()
    with pytest.raises(ControllerError, match=f"no answer .*:{port}: .*refused"):
        ControllerClient(port, timeout_s=0.5).health()


def test_the_client_asks_no_proxy(lonely: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ControllerClient(lonely.port).health().switches.expected == 10


def test_link_states_survive_the_way_there() -> None:
    state = LinkState(
        10**7,
        5,
        loss=Loss(0.25, bad=0.5, enter=0.1, leave=0.2),
        jitter=Jitter.from_table((1, 2, 4), reorder=True),
        corrupt=0.1,
        reorder=0.2,
        mtu=1500,
        up=False,
    )
    sent = LinkChange.of(state).model_dump_json()
    before = LinkState(10**9, 10**6, up=True)
    assert TypeAdapter(LinkChange).validate_json(sent).applied(before) == state


def test_it_says_what_time_it_is(channel: Channel) -> None:
    before_ns = time.monotonic_ns()
    assert before_ns <= channel.client.now_ns() <= time.monotonic_ns()


def test_a_wrong_method_is_told_which_are_right(lonely: Channel) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", lonely.port, timeout=5)
    connection.request("POST", "/health")
    response = connection.getresponse()
    assert (response.status, response.headers["allow"]) == (405, "GET")
    assert json.loads(response.read())["error"]
    connection.close()
