"""What each strategy sends, exchange by exchange: who sends whom how many bytes, and when. Pure.

The directions are those of gloo (torch 2.13), held by a test that reads the counters of every
rank's connections.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from experiments.twin import Twin
from topologies.graph import Host
from workloads import tasks
from workloads.requests import servers
from workloads.sites import campuses
from workloads.sizes import FLOAT_BYTES, Shape, cut, layer_floats, layers_for
from workloads.strategies import Options
from workloads.strategies.powersgd import WHOLE_STEPS
from workloads.strategies.streaming_diloco import offsets

Flow = tuple[Host, Host, float]
"""Sender, receiver, bytes."""


@dataclass(frozen=True)
class Exchange:
    """Bytes that workers send each other in some of the steps.

    Attributes:
        flows: in each of those steps. What ``hierarchical`` and ``fsdp-hybrid`` move inside a
            campus is left out.
        first: the first of them.
        every: from one to the next.
        end: no such step from here on, or None.
        messages: in which each flow goes, in each of those steps.
    """

    flows: list[Flow]
    first: int = 0
    every: int = 1
    end: int | None = None
    messages: int = 0

    def times(self, begin: int, end: int) -> int:
        """Return how many of the steps from ``begin`` to before ``end`` are among them."""
        last = end if self.end is None else min(end, self.end)
        before = range(self.first, min(begin, last), self.every)
        return len(range(self.first, last, self.every)) - len(before)


def exchanges_of(
    twin: Twin, strategy: str, options: Options, members: Sequence[int] | None = None
) -> list[Exchange]:
    """Return what a twin's workers exchange under a strategy, with all of its options.

    ``members`` are those of them that train, all by default. Raises ValueError for a strategy whose
    traffic is not known.
    """
    sizes, shapes = (twin.gradient_bytes, twin.bucket_bytes), twin.model.shapes
    everybody = twin.graph.workers
    workers = everybody if members is None else [everybody[rank] for rank in members]
    return exchanges(workers, *sizes, strategy, options, shapes)


def exchanges(
    workers: Sequence[Host],
    gradient_bytes: int,
    bucket_bytes: int,
    strategy: str,
    options: Options,
    shapes: Sequence[Shape] | None = None,
) -> list[Exchange]:
    """Return the same of some workers and sizes; without shapes, of the synthetic model's."""
    if shapes is None:
        shapes = tasks.sized("synthetic", {}, gradient_bytes, bucket_bytes).shapes
    n, buckets = len(workers), math.ceil(gradient_bytes / bucket_bytes)
    rounds = 4 * (n - 1)  # of a ring all-reduce: each of 2 (n - 1) goes in two segments
    whole = Exchange(ring_flows(workers, gradient_bytes), messages=rounds * buckets)
    if strategy == "ddp":
        return [whole]
    if strategy == "parallel-groups":
        return [replace(whole, messages=whole.messages * int(options["connections"]))]
    if strategy == "hierarchical":
        return [replace(whole, flows=hierarchical_flows(workers, gradient_bytes))]
    if strategy == "fp16":
        return [replace(whole, flows=ring_flows(workers, gradient_bytes / 2))]
    if strategy == "int8":
        packet = gradient_bytes / FLOAT_BYTES / n + FLOAT_BYTES * buckets
        flows = all_to_all_flows(workers, packet) + gather_flows(workers, packet)
        return [Exchange(flows, messages=2 * n * buckets)]
    if strategy == "top-k":
        sent = max(buckets, options["density"] * gradient_bytes / FLOAT_BYTES)
        flows = gather_flows(workers, 2 * FLOAT_BYTES * sent)
        return [Exchange(flows, messages=2 * (n - 1) * buckets)]
    if strategy == "powersgd":
        factors = factor_bytes(shapes, int(options["rank"]))
        flows = ring_flows(workers, factors)
        return [
            replace(whole, end=WHOLE_STEPS),
            # Vectors, first factors, second factors.
            Exchange(flows, first=WHOLE_STEPS, messages=3 * rounds * buckets),
        ]
    if strategy in ("local-sgd", "diloco"):
        every, part = int(options["every"]), 1 / 2 if options.get("half") else 1
        flows = ring_flows(workers, part * gradient_bytes)
        return [Exchange(flows, first=every - 1, every=every, messages=rounds)]
    if strategy == "streaming-diloco":
        every, fragments = int(options["every"]), int(options["fragments"])
        part = 1 / 2 if options["half"] else 1
        flows = ring_flows(workers, part * gradient_bytes / fragments)
        return [
            Exchange(flows, first, every, messages=rounds) for first in offsets(every, fragments)
        ]
    if strategy == "async-ps":
        return [Exchange(server_flows(workers, gradient_bytes), messages=1)]
    if strategy == "serving":
        return serving_exchanges(workers, options)
    if strategy == "fsdp-hybrid":
        places = len(campuses_of(workers)[0])
        padded = padded_bytes(shapes, places)
        return [replace(whole, flows=hierarchical_flows(workers, padded))]
    if strategy == "pipeline":
        moved, times = options["activations"], int(options["microbatches"])
        stages = stage_flows(workers, gradient_bytes, bucket_bytes)
        return [
            Exchange(along_flows(workers, times * moved), messages=times),
            Exchange(stages, messages=rounds * buckets),
        ]
    raise ValueError(f"the traffic of the strategy {strategy} is not known")


def factor_bytes(shapes: Sequence[Shape], rank: int) -> int:
    """Return the bytes that PowerSGD averages: two factors of each matrix, and all vectors.

    A matrix goes whole where its factors take half of its bytes or more (torch's hook).
    """
    floats = 0
    for first, *others in shapes:
        second = math.prod(others)
        factors = (first + second) * min(first, second, rank)
        floats += factors if 2 * factors < first * second else first * second
    return FLOAT_BYTES * floats


def padded_bytes(shapes: Sequence[tuple[int, ...]], shares: int) -> int:
    """Return the bytes of gradients once the rows of each tensor are padded to equal shares."""
    return FLOAT_BYTES * sum(
        math.ceil(rows / shares) * shares * math.prod(others) for rows, *others in shapes
    )


def ring_flows(workers: Sequence[Host], moved: float) -> list[Flow]:
    """Return what gloo's ring all-reduce sends: 2 (n - 1) / n of the bytes along each edge.

    Each rank sends to the one before it and receives from the one after (gloo/allreduce.cc).
    """
    n = len(workers)
    each = 2 * (n - 1) / n * moved
    return [(sender, workers[index - 1], each) for index, sender in enumerate(workers) if n > 1]


def gather_flows(workers: Sequence[Host], packet: float) -> list[Flow]:
    """Return what gloo's all-gather sends: every packet but one along each edge of a ring.

    Each rank sends to the one after it (gloo/allgather.cc).
    """
    n = len(workers)
    after = [*workers[1:], workers[0]]
    each = (n - 1) * packet
    return [(sender, receiver, each) for sender, receiver in zip(workers, after, strict=True)]


def all_to_all_flows(workers: Sequence[Host], packet: float) -> list[Flow]:
    """Return what gloo's all-to-all sends: a packet from each rank to each other, directly."""
    return [
        (sender, receiver, packet)
        for sender in workers
        for receiver in workers
        if sender is not receiver
    ]


def hierarchical_flows(workers: Sequence[Host], moved: float) -> list[Flow]:
    """Return what crosses between campuses: a ring for each place, or one of first ranks."""
    campuses = [list(group) for _, group in groupby(workers, key=lambda host: host.campus)]
    sizes = set(map(len, campuses))
    slices = sizes.pop() if len(sizes) == 1 else 1
    return [
        flow
        for place in range(slices)
        for flow in ring_flows([campus[place] for campus in campuses], moved / slices)
    ]


def server_flows(workers: Sequence[Host], moved: float) -> list[Flow]:
    """Return what each worker pushes to the first, and pulls from it."""
    server, *others = workers
    return [
        flow for worker in others for flow in ((worker, server, moved), (server, worker, moved))
    ]


def serving_exchanges(workers: Sequence[Host], options: Options) -> list[Exchange]:
    """Return requests to other campuses and their answers, as many to each server in the mean."""
    sites = [host.campus for host in workers]
    flows, most = [], 0
    for client, _ in enumerate(workers):
        turn = servers(sites, client)
        each = options["requests"] / len(turn)
        most = max(most, math.ceil(each))
        for server in turn:
            ends = workers[client], workers[server]
            flows.append((*ends, each * options["request"]))
            flows.append((*ends[::-1], each * options["response"]))
    return [Exchange(flows, messages=most), Exchange(barrier_flows(workers), messages=1)]


def barrier_flows(workers: Sequence[Host]) -> list[Flow]:
    """Return who tells whom at a barrier: ranks 1, 2, 4, ... further on (gloo/barrier.cc)."""
    n = len(workers)
    return [
        (sender, workers[(index + 2**turn) % n], 0.0)
        for index, sender in enumerate(workers)
        for turn in range((n - 1).bit_length())
    ]


def along_flows(workers: Sequence[Host], moved: float) -> list[Flow]:
    """Return what crosses between stages, there and back: a pipeline for each place in a campus."""
    stages = [[workers[rank] for rank in ranks] for ranks in campuses_of(workers)]
    return [
        (sender, receiver, moved)
        for before, after in pairwise(stages)
        for pair in zip(before, after, strict=True)
        for sender, receiver in (pair, pair[::-1])
    ]


def stage_flows(workers: Sequence[Host], gradient_bytes: int, bucket_bytes: int) -> list[Flow]:
    """Return what ranks of a campus send each other of the gradients of their stage."""
    layers, stages = layers_for(gradient_bytes, bucket_bytes), campuses_of(workers)
    floats = layer_floats(gradient_bytes, layers)
    return [
        flow
        for ranks, own in zip(stages, cut(layers, len(stages)), strict=True)
        for flow in ring_flows(
            [workers[rank] for rank in ranks], FLOAT_BYTES * sum(floats[layer] for layer in own)
        )
    ]


def campuses_of(workers: Sequence[Host]) -> list[list[int]]:
    """Return the ranks of each campus."""
    return campuses([host.campus for host in workers])
