"""The control channel and its client, with no switch in sight."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from controller.app import Application
from controller.channel import MAX_BODY_BYTES, Channel
from controller.client import ControllerClient
from controller.errors import ControllerError, LinkStateError
from controller.links import dump_links, parse_links
from topologies.graph import Graph
from topologies.linkstate import LinkState, Loss


@contextmanager
def serving(graph: Graph) -> Iterator[Channel]:
    links = {span: LinkState(10**9, 10**6) for span in graph.spans}
    application = Application(graph, "shortest-delay", links)
    application.wake = application.reroute  # no event thread here
    with Channel(application) as channel:
        yield channel
        channel.shutdown()


@pytest.fixture
def channel(graph: Graph) -> Iterator[Channel]:
    """A channel of the test's own."""
    with serving(graph) as channel:
        yield channel


@pytest.fixture(scope="module")
def shared_channel(graph: Graph) -> Iterator[Channel]:
    """A channel for tests that change nothing."""
    with serving(graph) as channel:
        yield channel


def ask(
    channel: Channel, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", channel.port, timeout=5)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"north-suoth": {}}, "north-suoth"),
        ({"north-south": 5}, "north-south"),
        ({"north-south": {"dealy_ns": 5}}, "north-south.dealy_ns"),
        ({"north-south": {"delay_ns": 1.5}}, "north-south.delay_ns"),
        ({"north-south": {"delay_ns": True}}, "north-south.delay_ns"),
        ({"north-south": {"delay_ns": -1}}, "north-south.delay_ns"),
        ({"north-south": {"rate_bps": 0}}, "north-south.rate_bps"),
        ({"north-south": {"rate_bps": "1"}}, "north-south.rate_bps"),
        ({"north-south": {"loss": 1.01}}, "north-south.loss"),
        ({"north-south": {"loss": float("nan")}}, "north-south.loss"),
        ({"north-south": {"up": 1}}, "north-south.up"),
        ([], ""),
    ],
)
def test_bad_link_states_are_refused_by_field_and_change_nothing(
    shared_channel: Channel, body: object, field: str
) -> None:
    control = shared_channel.control
    assert isinstance(control, Application)
    before = control.state.links()
    status, answer = ask(shared_channel, "PUT", "/links", json.dumps(body).encode())
    assert (status, answer["field"]) == (400, field)
    assert control.state.links() == before


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/", None, {}, 404),
        ("PUT", "/health", b"{}", {}, 404),
        ("POST", "/links", b"{}", {}, 501),
        ("PUT", "/links", b"{", {}, 400),
        ("PUT", "/links", b"\xff", {}, 400),
        ("PUT", "/links", b"[" * 100_000, {}, 400),
        ("PUT", "/links", b'{"north-south": {"up": true, "up": false}}', {}, 400),
        ("PUT", "/links", b"{}", {"Content-Length": "-2"}, 411),
        ("PUT", "/links", b"", {"Content-Length": str(MAX_BODY_BYTES + 1)}, 413),
        ("GET", "/health", None, {"Host": "example.com"}, 403),
    ],
)
def test_bad_requests_are_answered_in_json(
    shared_channel: Channel,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    got, answer = ask(shared_channel, method, path, body, **headers)
    assert (got, next(iter(answer))) == (status, "error")


def test_the_client_reads_health_and_routes(channel: Channel) -> None:
    client = ControllerClient(channel.port)
    health = client.health()
    assert (health.ready, health.policy, health.error) == (False, "shortest-delay", None)
    assert len(health.missing) == health.expected == 10
    assert client.routes()["north-w1"] == dict.fromkeys(
        ["north-w2", "south-w1", "south-w2", "east-w1"]
    )
    with pytest.raises(ControllerError, match=r"lacks: .*east-border"):
        client.wait_ready(0.05)


def test_the_client_says_what_was_refused(channel: Channel) -> None:
    client = ControllerClient(channel.port)
    with pytest.raises(ControllerError, match=r'unknown span "north-suoth".*did you mean'):
        client.set_links({"north-suoth": LinkState(10**9, 0)})


def test_the_client_says_when_nobody_is_there(channel: Channel) -> None:
    port = channel.port
    channel.shutdown()
    channel.server_close()
    with pytest.raises(ControllerError, match=f"no answer .*:{port}"):
        ControllerClient(port, timeout_s=0.5).health()


def test_a_policy_that_raises_is_named_and_leaves_the_rules_alone(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ControllerClient(channel.port)
    client.set_links({"north-south": LinkState(10**9, 1)})
    assert isinstance(channel.control, Application)
    before = channel.control.state._wanted

    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    with monkeypatch.context() as patch:
        patch.setattr("controller.policies.load", lambda _: broken)
        with pytest.raises(
            ControllerError, match='policy "shortest-delay": ZeroDivisionError: oops'
        ):
            client.set_links({"north-south": LinkState(10**9, 2)})
        assert client.health().error == 'policy "shortest-delay": ZeroDivisionError: oops'
        assert channel.control.state._wanted == before
    client.set_links({"north-south": LinkState(10**9, 3)})
    assert client.health().error is None


def test_link_states_survive_the_way_there(links: dict[str, LinkState]) -> None:
    links["north-south"] = LinkState(10**7, 5, loss=Loss(0.25), up=False)
    parsed = parse_links(json.loads(json.dumps(dump_links(links))), links.keys(), {})
    assert dump_links(parsed) == dump_links(links)
    with pytest.raises(LinkStateError, match=r"north-south\.rate_bps: is missing"):
        parse_links({"north-south": {"delay_ns": 1}}, ["north-south"], {})
