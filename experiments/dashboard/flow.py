"""What a direction of a span carries, from the counters that are sampled. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

RATE_S, LOSS_S = 0.35, 2.0
"""Over how long a rate is taken, and shares of frames."""


class Flow:
    """The last samples of one direction's counters."""

    def __init__(self) -> None:
        """Begin without a sample."""
        self._samples: deque[Mapping[str, Any]] = deque()

    def take(self, sample: Mapping[str, Any]) -> dict[str, float] | None:
        """Return what was carried lately, or None for the first sample.

        ``bps`` are delivered ones, on the wire; ``lost`` is the line's share of the frames,
        ``dropped`` that of full queues, ``down`` that of a span that is down.
        """
        samples = self._samples
        if samples and sample["at_ns"] <= samples[-1]["at_ns"]:
            return None
        samples.append(sample)
        while len(samples) > 2 and _apart_s(samples[1], sample) >= LOSS_S:
            samples.popleft()
        if len(samples) < 2:
            return None
        near = next(it for it in reversed(samples) if it is not sample)
        for earlier in reversed(samples):
            if _apart_s(earlier, sample) > RATE_S:
                break
            near = earlier if earlier is not sample else near
        bits = 8 * (sample["delivered_bytes"] - near["delivered_bytes"])
        first = samples[0]
        frames = max(1, sample["packets"] - first["packets"])

        def share(*names: str) -> float:
            return float(sum(sample[name] - first[name] for name in names) / frames)

        return {
            "bps": bits / _apart_s(near, sample),
            "lost": share("lost"),
            "dropped": share("queue_drops", "early_drops"),
            "down": share("down_drops"),
            "queued_bytes": sample.get("queued_bytes", 0),
        }


def _apart_s(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> float:
    apart: float = (later["at_ns"] - earlier["at_ns"]) / 1e9
    return apart
