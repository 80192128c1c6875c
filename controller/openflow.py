"""Entries to OpenFlow 1.3 messages and back, by the framework's own encoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from controller.rollout import Batch
from controller.rules import (
    Action,
    Bucket,
    Entry,
    Group,
    Match,
    Meter,
    Output,
    Rule,
    SetMac,
    To,
    ToGroup,
    build_order,
    match,
)

ORDER_ONLY = 1 << 31
"""Set in the transaction id of barriers that only keep order: their replies confirm nothing."""

_GROUPS = {"select": "OFPGT_SELECT", "failover": "OFPGT_FF"}


def encode(datapath: Any, batch: Batch) -> bytes:
    """Return a batch as messages, with a barrier wherever one entry refers to another.

    All in one write: a table of 10,000 rules would otherwise be 10,000 packets.
    """
    buffer = bytearray()
    for entries, add in stages(batch):
        for entry in entries:
            message = _message(datapath, entry, add)
            message.set_xid(batch.xid)
            message.serialize()
            buffer += message.buf
        buffer += _barrier(datapath, batch.xid | ORDER_ONLY)
    return bytes(buffer) + _barrier(datapath, batch.xid)


def stages(batch: Batch) -> Iterator[tuple[list[Entry], bool]]:
    """Yield entries between two barriers, where order does not matter, and whether to make them.

    What is made comes first, and what others refer to before those; removal is the other way round.
    """
    for ranks, entries, add in ((0, 1, 2), batch.adds, True), ((2, 1, 0), batch.deletes, False):
        for rank in ranks:
            if some := [entry for entry in entries if build_order(entry) == rank]:
                yield some, add


def _barrier(datapath: Any, xid: int) -> bytes:
    message = datapath.ofproto_parser.OFPBarrierRequest(datapath)
    message.set_xid(xid)
    message.serialize()
    return bytes(message.buf)


def _message(datapath: Any, entry: Entry, add: bool) -> Any:
    parser, wire = datapath.ofproto_parser, datapath.ofproto
    if isinstance(entry, Meter):
        bands = [parser.OFPMeterBandDrop(entry.rate_kbps, 0)] if add else []
        command = wire.OFPMC_ADD if add else wire.OFPMC_DELETE
        return parser.OFPMeterMod(datapath, command, wire.OFPMF_KBPS, entry.number, bands)
    if isinstance(entry, Group):
        kind = getattr(wire, _GROUPS[entry.kind])
        buckets = [_bucket(datapath, bucket) for bucket in entry.buckets] if add else []
        command = wire.OFPGC_ADD if add else wire.OFPGC_DELETE
        return parser.OFPGroupMod(datapath, command, kind, entry.number, buckets)
    return parser.OFPFlowMod(
        datapath,
        command=wire.OFPFC_ADD if add else wire.OFPFC_DELETE_STRICT,
        cookie=entry.cookie,
        table_id=entry.table,
        priority=entry.priority,
        match=_match(parser, entry.match),
        instructions=list(_instructions(datapath, entry)) if add else [],
        buffer_id=wire.OFP_NO_BUFFER,
        out_port=wire.OFPP_ANY,
        out_group=wire.OFPG_ANY,
    )


@lru_cache(maxsize=2048)
def _match(parser: Any, fields: Match) -> Any:
    """Return the framework's match; its reading of addresses is slow, and most come a lot.

    A version's come for every switch, and once more when it is retired. Each takes 3 kB, and new
    versions have new ones: with room for all, a controller grows with every change.
    """
    return parser.OFPMatch(**dict(fields))


def _instructions(datapath: Any, rule: Rule) -> Iterator[Any]:
    parser, wire = datapath.ofproto_parser, datapath.ofproto
    if rule.meter is not None:
        yield parser.OFPInstructionMeter(rule.meter, wire.OFPIT_METER)
    if rule.actions:
        actions = [_action(datapath, action) for action in rule.actions]
        yield parser.OFPInstructionActions(wire.OFPIT_APPLY_ACTIONS, actions)
    if rule.goto is not None:
        yield parser.OFPInstructionGotoTable(rule.goto)


def _bucket(datapath: Any, bucket: Bucket) -> Any:
    wire = datapath.ofproto
    return datapath.ofproto_parser.OFPBucket(
        weight=bucket.weight,
        watch_port=wire.OFPP_ANY if bucket.watch is None else bucket.watch,
        watch_group=wire.OFPG_ANY,
        actions=[_action(datapath, action) for action in bucket.actions],
    )


def _action(datapath: Any, action: Action) -> Any:
    parser, wire = datapath.ofproto_parser, datapath.ofproto
    if isinstance(action, SetMac):
        return parser.OFPActionSetField(eth_dst=action.mac)
    if isinstance(action, ToGroup):
        return parser.OFPActionGroup(action.number)
    if action.port is To.CONTROLLER:
        return parser.OFPActionOutput(wire.OFPP_CONTROLLER, wire.OFPCML_NO_BUFFER)
    return parser.OFPActionOutput(wire.OFPP_IN_PORT if action.port is To.IN_PORT else action.port)


def decode_rule(datapath: Any, found: Any) -> Rule:
    """Return the rule that a switch's flow statistics speak of."""
    actions: tuple[Action, ...] = ()
    goto = meter = None
    for instruction in found.instructions:
        actions += _actions(datapath, getattr(instruction, "actions", ()))
        goto = getattr(instruction, "table_id", goto)
        meter = getattr(instruction, "meter_id", meter)
    return Rule(
        datapath.id,
        found.table_id,
        found.priority,
        match(**dict(found.match.items())),
        actions,
        goto,
        meter,
        found.cookie,
    )


def decode_group(datapath: Any, found: Any) -> Group:
    """Return the group that a switch describes."""
    wire = datapath.ofproto
    buckets = tuple(
        Bucket(
            _actions(datapath, bucket.actions),
            bucket.weight if found.type == wire.OFPGT_SELECT else 0,
            None if bucket.watch_port == wire.OFPP_ANY else bucket.watch_port,
        )
        for bucket in found.buckets
    )
    kind = "select" if found.type == wire.OFPGT_SELECT else "failover"
    return Group(datapath.id, found.group_id, kind, buckets)  # type: ignore[arg-type]


def decode_meter(datapath: Any, found: Any) -> Meter:
    """Return the meter that a switch describes."""
    return Meter(datapath.id, found.meter_id, sum(band.rate for band in found.bands))


def _actions(datapath: Any, found: Iterable[Any]) -> tuple[Action, ...]:
    return tuple(_decoded(datapath, action) for action in found)


def _decoded(datapath: Any, action: Any) -> Action:
    wire = datapath.ofproto
    if action.type == wire.OFPAT_GROUP:
        return ToGroup(action.group_id)
    if action.type == wire.OFPAT_SET_FIELD and action.key == "eth_dst":
        return SetMac(action.value)
    if action.type == wire.OFPAT_OUTPUT:
        named = {wire.OFPP_CONTROLLER: To.CONTROLLER, wire.OFPP_IN_PORT: To.IN_PORT}
        return Output(named.get(action.port, action.port))
    return Output(0)  # nothing that we ever send: it will be replaced
