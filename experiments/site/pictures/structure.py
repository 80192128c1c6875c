"""The map of the code: what each package answers, and who may import whom."""

from __future__ import annotations

from experiments.site.pictures.drawing import Drawing

_PACKAGES = (
    (
        "topologies",
        "WHAT the network is",
        "spans, ageing, upgrades,",
        "the emulation",
        0,
        20,
    ),
    ("controller", "HOW traffic is routed", "policies, paths, rules,", "probes", 250, 20),
    ("experiments", "WHY", "scenario, runner, verdict,", "planner, sweeps, reports", 500, 20),
    ("workloads", "WHAT trains", "strategies, tasks,", "the training loop", 500, 170),
)


def structure() -> str:
    """Return the picture."""
    drawing = Drawing(
        740,
        280,
        "experiments imports controller, topologies and workloads; controller imports topologies; "
        "workloads imports nothing of the others.",
    )
    for name, question, first, second, x, y in _PACKAGES:
        drawing.box((x, y), 220, 102, edge="main")
        drawing.text((x + 14, y + 26), f"{name}/", bold=True, size=15)
        drawing.text((x + 14, y + 46), question, size=13, colour="quiet")
        drawing.text((x + 14, y + 70), first, size=13)
        drawing.text((x + 14, y + 88), second, size=13)
    drawing.arrow((248, 68), (224, 68))
    drawing.arrow((498, 68), (474, 68))
    drawing.arrow((610, 124), (610, 166))
    drawing.text((622, 150), "imports", size=12, colour="quiet")
    drawing.line([(560, 124), (560, 146), (110, 146), (110, 130)], colour="quiet")
    drawing.arrow((110, 146), (110, 126))
    drawing.text(
        (0, 214), "Only topologies/emulation/ touches root, the kernel and Mininet.", size=13
    )
    drawing.text((0, 236), "workloads/ knows ranks and sites, never links.", size=13)
    drawing.text((0, 258), "A test holds all of it to these arrows.", size=13)
    return drawing.svg()
