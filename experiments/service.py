"""What users of a serving system see: how many requests are answered, and how soon. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.coherence import SystemStep


def service(steps: Sequence[SystemStep]) -> dict[str, Any]:
    """Return the key ``serving`` of some steps, or nothing where no requests were answered.

    Requests of all ranks per second, and their latencies in ms: from when a request was due to
    the last byte of its answer, in emulated time.
    """
    latencies_ms = [latency_us / 1e3 for step in steps for latency_us in step.latencies_us]
    if not latencies_ms:
        return {}
    p50, p99 = np.percentile(latencies_ms, [50, 99])
    seconds = sum(step.duration_ns for step in steps) / 1e9
    return {
        "serving": {
            "requests_per_s": round(len(latencies_ms) / seconds, 3),
            "latency_ms": {"p50": round(float(p50), 2), "p99": round(float(p99), 2)},
        }
    }
