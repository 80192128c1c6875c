"""Link states as JSON: what the runner tells the controller about the spans."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

from controller.errors import LinkStateError
from topologies.errors import NetworkError
from topologies.linkstate import LinkState, Loss
from topologies.suggest import unknown


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FIELDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "delay_ns": ("an integer", _integer),
    "rate_bps": ("an integer", _integer),
    "loss": ("a number", _number),
    "up": ("true or false", lambda value: isinstance(value, bool)),
}


def dump_links(links: Mapping[str, LinkState]) -> dict[str, dict[str, Any]]:
    """Return link states as plain data that `parse_links` reads."""
    return {
        span: {
            "delay_ns": state.delay_ns,
            "rate_bps": state.rate_bps,
            "loss": state.mean_loss,
            "up": state.up,
        }
        for span, state in links.items()
    }


def parse_links(
    data: object, spans: Collection[str], current: Mapping[str, LinkState]
) -> dict[str, LinkState]:
    """Return the new states of the spans that plain data names; fields left out stay as they are.

    Raises LinkStateError with the path of the field that is not known or not acceptable, also
    where a span without a current state is not given its rate and delay.
    """
    if not isinstance(data, dict):
        raise LinkStateError("", "must be an object of spans by name")
    return {span: _state(span, changes, spans, current) for span, changes in data.items()}


def _state(
    span: str, changes: object, spans: Collection[str], current: Mapping[str, LinkState]
) -> LinkState:
    if span not in spans:
        raise LinkStateError(span[:64], unknown("span", span[:64], spans))
    if not isinstance(changes, dict):
        raise LinkStateError(span, f"must be an object with {', '.join(_FIELDS)}")
    for field, value in changes.items():
        path = f"{span}.{field[:64]}"
        if field not in _FIELDS:
            raise LinkStateError(path, unknown("field", field[:64], _FIELDS))
        expected, accepts = _FIELDS[field]
        if not accepts(value):
            raise LinkStateError(path, f"must be {expected}, not {str(value)[:64]!r}")
    fields = {**dump_links(current).get(span, {}), **changes}
    for field in ("delay_ns", "rate_bps"):
        if field not in fields:
            raise LinkStateError(f"{span}.{field}", "is missing")
    try:
        return _link_state(fields)
    except NetworkError as error:
        _locate(span, fields, str(error))


def _link_state(fields: dict[str, Any]) -> LinkState:
    return LinkState(**{**fields, "loss": Loss(fields.get("loss", 0.0))})


def _locate(span: str, fields: dict[str, Any], message: str) -> NoReturn:
    """Say which of the fields it was that a link state refused."""
    for field in ("delay_ns", "rate_bps", "loss"):
        try:
            _link_state({"rate_bps": 1, "delay_ns": 0, field: fields.get(field, 0)})
        except NetworkError:
            raise LinkStateError(f"{span}.{field}", message) from None
    raise LinkStateError(span, message)
