"""What a host's TCP is told besides its congestion control: timers and windows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

RTO_MIN_NS = 200_000_000
"""Linux's smallest retransmission timeout, TCP_RTO_MIN."""
LEAST_RTO_MIN_NS = 50_000_000
"""Below it a timeout would come before an acknowledgement that Linux delays (TCP_DELACK_MIN,
40 ms): packets would be sent twice that nobody lost."""
LARGEST_RTO_MIN_NS = 120 * 10**9
"""Linux's largest retransmission timeout, TCP_RTO_MAX."""
WINDOW_BYTES = 6 * 2**20
"""Linux's receive buffer grows up to this: third value of net.ipv4.tcp_rmem. Source: tcp(7)."""
INITIAL_WINDOW = 10
"""Segments, RFC 6928; also after an idle time above the retransmission timeout (Linux,
net.ipv4.tcp_slow_start_after_idle = 1; not for BBR)."""
WINDOW_UNIT_BYTES = 65_535
LARGEST_WINDOW_SCALE = 14
"""The largest window of TCP is this times a power of two (RFC 7323, section 2), and this is what a
connection keeps to: Linux 6.18 was seen to raise the clamp that a route states up to just that."""
BUFFER_SHARE = 2
"""Bytes of buffer for each byte of window: Linux keeps half for its own bookkeeping (tcp(7),
tcp_adv_win_scale = 1)."""


@dataclass(frozen=True)
class HostTcp:
    """What every connection of a host keeps to; what is None is left as the system has it.

    Attributes:
        rto_min_ns: smallest retransmission timeout, in whole milliseconds.
        window_bytes: the most that is unacknowledged, one of `windows`.
        initial_window: segments that a connection begins with, and begins again with after a pause.
    """

    rto_min_ns: int | None = None
    window_bytes: int | None = None
    initial_window: int | None = None

    @staticmethod
    def windows() -> list[int]:
        """Return the windows (B) that can be kept to."""
        return [WINDOW_UNIT_BYTES << scale for scale in range(LARGEST_WINDOW_SCALE + 1)]

    @property
    def metrics(self) -> dict[str, int]:
        """Return the metrics of the host's route that make it so, as ``ip -j route`` shows them."""
        found = {}
        if self.rto_min_ns is not None:
            found["rto_min"] = self.rto_min_ns // 10**6
        if self.window_bytes is not None:
            found["window"] = self.window_bytes
        if self.initial_window is not None:
            found["initcwnd"] = self.initial_window
        return found

    @property
    def buffers(self) -> int | None:
        """Return how large buffers must be able to grow so that the window alone is the limit."""
        return None if self.window_bytes is None else BUFFER_SHARE * self.window_bytes


AS_IT_IS = HostTcp()
"""As the system has it."""
