"""Both HTTP interfaces, over real sockets: whatever is sent is answered, and never by a fault.

Requests to the controller are drawn from its own OpenAPI document, which every answer has to fit.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from benchmarks.fuzz import nasty
from benchmarks.fuzz.edits import edit, places
from benchmarks.fuzz.fromschema import FromSchema
from controller import policies
from controller.app import Application
from controller.intent import Intent
from experiments.dashboard.showing import Showing
from experiments.manifest import start_of
from tests.controller.conftest import LINKS, graph  # noqa: F401 - a fixture
from tests.controller.in_process import running
from tests.controller.test_channel import Channel, serving
from tests.experiments.dashboard import served
from tests.fakes.sweeps import made, write_sweep
from topologies.graph import Graph

FEW = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
REFUSALS = (400, 404, 405, 409, 411, 413)
NAMES = [*LINKS, *policies.names(), "north-w1", "south-w2", "east-w1", "north", "south", "east"]
HEADERS = st.dictionaries(
    st.sampled_from(["host", "origin", "content-type", "content-length", "sec-fetch-site", "x"]),
    st.sampled_from(["localhost", "evil.example", "null", "-1", "9" * 30, "text/plain", "", "é"]),
    max_size=2,
)


@pytest.fixture(scope="module")
def channel(graph: Graph) -> Iterator[Channel]:  # noqa: F811 - the fixture
    """The controller's channel, all its switches behind it."""
    application = Application(graph, Intent("shortest-delay", dict(LINKS)))
    with serving(application) as channel, running(application):
        channel.client.wait_ready(5)
        yield channel


def json_sent(value: Any) -> bytes:
    return json.dumps(value).encode()


@st.composite
def requests(draw: st.DrawFn, document: dict[str, Any]) -> tuple[str, str, str, bytes | None]:
    """Draw an operation as method and template, an address for it, and a body."""
    schema = FromSchema({"$defs": document["components"]["schemas"]}, NAMES)
    template = draw(st.sampled_from(sorted(document["paths"])))
    method = draw(st.sampled_from(sorted(document["paths"][template])))
    operation = document["paths"][template][method]
    address = template
    for parameter in operation.get("parameters", ()):
        value = draw(st.sampled_from([*NAMES, *NAMES, *nasty.TEXTS]))
        address = address.replace(f"{{{parameter['name']}}}", quote(value, safe=""))
    if "requestBody" not in operation:
        return method, template, address, draw(st.sampled_from([None, None, b"{}", b"x" * 100]))
    (content,) = operation["requestBody"]["content"].values()
    if draw(st.integers(0, 9)) == 0:
        body = draw(st.one_of(st.binary(max_size=50), st.sampled_from(nasty.SNIPPETS)))
        return method, template, address, draw(st.sampled_from([body, b"[" * 50_000, b"1" * 9000]))
    data = draw(_body(schema, content["schema"]))
    if isinstance(data, dict) and draw(st.booleans()) and list(places(data)):
        edit(draw, data, FromSchema(content["schema"] | schema.schema, NAMES))
    return method, template, address, json_sent(data)


def _body(schema: FromSchema, node: dict[str, Any]) -> st.SearchStrategy[Any]:
    if isinstance(node.get("additionalProperties"), dict):  # by span
        inner = schema.of(node["additionalProperties"])
        return st.dictionaries(st.sampled_from([*LINKS, *LINKS, "x"]), inner, max_size=3)
    return schema.of(node)


def test_the_controller_answers_whatever_its_document_allows(channel: Channel) -> None:
    document = json.loads(_sent(channel.port, "GET", "/openapi.json")[1])
    told: dict[int, int] = {}

    @seed(1)
    @settings(FEW, max_examples=250)
    @given(requests(document), HEADERS)
    def each(request: tuple[str, str, str, bytes | None], headers: dict[str, str]) -> None:
        method, template, address, body = request
        status, text = _sent(channel.port, method.upper(), address, body, headers)
        told[status] = told.get(status, 0) + 1
        assert status in (200, *REFUSALS), (request, text)
        if status in REFUSALS and not text.startswith(b"Invalid HTTP"):
            assert json.loads(text)["error"], request
        if status == 200:
            content = document["paths"][template][method]["responses"]["200"]["content"]
            (answer,) = content.values()
            whole = {**answer["schema"], "components": document["components"]}
            Draft202012Validator(whole).validate(json.loads(text))

    each()
    assert told[200] > 50, told
    assert told[400] > 20, told
    channel.client.wait_ready(10)


RAW = (
    *(
        b"",
        b"\r\n\r\n",
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"\x00" * 4096,
    ),
    *(
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 5000 + b"\r\n",
        b"A" * 200_000,
        b"PRI * HTTP/2.0\r\n\r\n",
    ),
    b"PUT /links HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nContent-Length: 5\r\n\r\n{}",
    b"PUT /links HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"PUT /links HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nshort",
    b"POST /wishes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n",
    b"GET //evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://evil.example/health HTTP/1.1\r\nHost: evil.example\r\n\r\n",
)


def send_raw(port: int) -> list[bytes]:
    """Send what is no request, or half of one; return what was answered to each."""
    answers = []
    for raw in RAW:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            try:
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                answers.append(connection.recv(4096))
            except OSError:  # it hung up on us
                answers.append(b"")
    return answers


def test_the_controller_outlives_what_is_no_request(channel: Channel) -> None:
    for answer in send_raw(channel.port):
        assert not answer.startswith(b"HTTP/1.1 5"), answer
    assert channel.client.health().ready


def test_the_dashboard_answers_whatever_is_sent(tmp_path: Path) -> None:
    folder = live_folder(tmp_path)
    showing = Showing([], folder)
    told: dict[int, int] = {}
    allowed = (200, 202, 307, 400, 401, 403, 404, 405, 409, 411, 413, 414, 415, 421, 422)
    drawn = st.dictionaries(
        st.sampled_from(["set", "upgrade", "with", "age", "by", "fail", "for", "pause", "loss"]),
        st.sampled_from(["west-east", "coherent-400g", "5 years", "1 s", 0.1, *nasty.VALUES]),
        max_size=4,
    )
    good = [{"pause": True}, {"set": "west-east", "loss": 0.1}, {"fail": "west-east", "for": "1 s"}]
    events = st.one_of(drawn, drawn, st.sampled_from(good))
    paths = st.sampled_from(
        ["/wishes"] * 5
        + ["/start", "/choose", "/", "/session.yaml", "/assets/x", "/nothing", "/wishes/", "/%00"]
    )

    @seed(1)
    @settings(FEW, max_examples=150)
    @given(st.sampled_from(["POST", "POST", "GET", "PUT", "DELETE"]), paths, events, HEADERS)
    def each(method: str, path: str, event: dict[str, Any], headers: dict[str, str]) -> None:
        named = {"content-type": "application/json", **headers}
        body = None if method == "GET" else json_sent(event)
        status, text = _sent(port, method, path, body, named)
        told[status] = told.get(status, 0) + 1
        assert status in allowed, (method, path, event, text)
        assert b"Traceback" not in text

    with served.serving(showing) as port:
        deadline = time.monotonic() + 10
        while not showing.folder or not showing.scenario:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        each()
        for answer in send_raw(port):
            assert not answer.startswith(b"HTTP/1.1 5"), answer
        assert _sent(port, "GET", "/")[0] == 200
    assert told[202], told
    assert told[422], told


def live_folder(place: Path) -> Path:
    """Return the folder of a run that this process seems to be, and that listens."""
    from experiments.sweep.points import expand
    from experiments.sweep.spec import load_sweep

    folder = place / "run"
    made(expand(*load_sweep(write_sweep(place)), "sweep")[0], folder)
    (folder / "result.json").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"pid": os.getpid(), "pid_start": start_of(os.getpid()), "live": True}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _sent(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """Send a request; its status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    length = str(len(body or b""))
    given = {"host": f"127.0.0.1:{port}", "content-length": length, **(headers or {})}
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given.items():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(body if given["content-length"] == length else None)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
