"""A chain said aloud: from kilometres and years to packets, one line per step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from topologies.ageing import light
from topologies.ageing.chain import Chain
from topologies.units import YEAR_NS, render


@dataclass(frozen=True)
class Line:
    """One step of the derivation: what it is, its value, where that comes from."""

    quantity: str
    value: str
    origin: str


def explain(chain: Chain) -> list[Line]:
    """Return the derivation of a span's state, in the order in which it follows."""
    return [*_fibre(chain), *_light(chain), *_errors(chain), *_packets(chain)]


def _fibre(chain: Chain) -> Iterator[Line]:
    plant, wear = chain.plant, chain.wear
    km, years = plant.route_m / 1000, plant.age_ns / YEAR_NS
    yield Line("route", f"{km:g} km", "of cable, as stated")
    if not chain.attenuation_db:
        return
    yield Line("age", f"{years:g} years", "as stated")
    if plant.new_fibre:
        yield Line("repairs", "0", "the fibre is new")
    else:
        mean = plant.cuts / 1000 * km * years
        drawn = (
            f"drawn from Poisson({plant.cuts:g}/1000 x {km:g} km x {years:g} years = {mean:.3g})"
        )
        yield Line("repairs", f"{wear.repairs:g}", drawn)
        yield Line(
            "extra attenuation",
            f"{wear.extra_attenuation:.1%}",
            "drawn from U(2 %, 30 %): no trend in age",
        )
    parts = {cause: loss for cause, loss in chain.attenuation_db.items() if loss}
    yield Line(
        "attenuation",
        f"{sum(parts.values()):.2f} dB",
        " + ".join(f"{loss:.2f} {cause}" for cause, loss in parts.items()),
    )


def _light(chain: Chain) -> Iterator[Line]:
    plant, optics = chain.plant, chain.plant.optics
    assert optics is not None, "a chain has optics"
    if optics.kind == "ook":
        if chain.sections > 1:
            per_segment = sum(chain.attenuation_db.values()) / chain.sections
            yield Line(
                "a segment",
                f"{per_segment:.2f} dB",
                f"{plant.oeo_sites} regenerators split the line",
            )
        yield Line(
            "margin",
            f"{chain.margin_db:+.2f} dB",
            f"budget {optics.budget_db:g} - penalty {optics.penalty_db:g} - attenuation; 0 is a "
            "bit-error rate of 1e-12",
        )
    if optics.kind == "coherent":
        assert chain.mode is not None and chain.gsnr_db is not None
        count = chain.sections
        yield Line(
            "OSNR",
            f"{chain.gsnr_db + light.NONLINEAR_DB:.2f} dB",
            f"{light.OSNR_CONSTANT_DB} - section's attenuation - noise figure "
            f"{plant.noise_figure_db:g}, over {count} section{'s' if count > 1 else ''}",
        )
        yield Line(
            "GSNR", f"{chain.gsnr_db:.2f} dB", f"OSNR - {light.NONLINEAR_DB} nonlinear share"
        )
        yield Line(
            "margin",
            f"{chain.margin_db:+.2f} dB",
            f"GSNR - {chain.mode.osnr_required_db:g} for {render(chain.mode.rate, 'rate')} - "
            f"{light.DESIGN_MARGIN_DB:g} design margin",
        )


def _errors(chain: Chain) -> Iterator[Line]:
    code = chain.plant.code
    if chain.margin_db is None:
        return
    yield Line("bit-error rate", f"{chain.bit_error_rate:.2g}", "before error correction")
    threshold = f"handles up to {code.threshold:.2g}" if code.threshold else "every wrong bit stays"
    yield Line("error correction", code.summary, threshold)
    yield Line(
        "to the cliff",
        f"{chain.reserve_db:+.2f} dB",
        "light the line may still lose before the link is down" if chain.up else "the link is down",
    )


def _packets(chain: Chain) -> Iterator[Line]:
    plant = chain.plant
    causes = []
    if chain.line_loss:
        causes.append(f"{chain.line_loss:.2g} of the line")
        if plant.worn_waves is not None:
            causes[-1] += f", on {plant.worn_waves} of {plant.waves} waves"
    if chain.wear.corruption:
        causes.append(f"{chain.wear.corruption:.2g} drawn for damaged fibre")
    if plant.background_loss:
        causes.append(f"{plant.background_loss:.2g} in the background")
    if plant.retransmission:
        causes.append("then retransmitted on the line")
    yield Line(
        "frame loss",
        f"{chain.loss:.2g}" if chain.up else "all",
        f"of packets of {chain.mtu} B" + (": " + ", ".join(causes) if causes else ""),
    )
    waves = f"{plant.waves} waves" if plant.waves > 1 else "one wave"
    capacity = render(chain.capacity_bps, "rate") if chain.up else "0, the link is down"
    yield Line("capacity", capacity, waves)
    delays = chain.delay_ns
    yield Line(
        "one-way delay",
        render(sum(delays.values()), "duration"),
        " + ".join(f"{render(ns, 'duration')} {cause}" for cause, ns in delays.items()),
    )
