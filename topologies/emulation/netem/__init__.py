"""Spans by the kernel's own queues: ``sch_netem``, ``sch_tbf`` and ``sch_red``."""

from topologies.emulation.netem.impairer import NetemImpairer

__all__ = ["NetemImpairer"]
