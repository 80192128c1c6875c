"""The chain from years and kilometres to packets: every quantity between a plant and its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from topologies.ageing import biterrors, codes, light, retransmission
from topologies.ageing.codes import Code
from topologies.ageing.delay import delay_parts
from topologies.ageing.plant import Mode, Optics, Plant
from topologies.ageing.wear import Wear
from topologies.linkstate import LinkState, Loss

HIGH_BIT_ERROR_RATE = 4.1e-4
"""At which 10G Ethernet declares its link down: 16 wrong sync headers (2 bits of 66) in 125 us.
Grade C (IEEE 802.3, clause 49)."""
MOST_CODEWORD_LOSS = 0.1
"""Above it a line under Reed-Solomon finds no frames any more and is down. Grade X."""


@dataclass(frozen=True)
class Chain:
    """What becomes of a plant's light, link by link of the chain.

    Attributes:
        plant, wear: where it begins.
        attenuation_db: by cause.
        delay_ns: by cause, one way.
        sections: amplified ones of coherent light, regenerated segments of on/off keying.
        gsnr_db: of coherent light, in 0.1 nm with its nonlinear share; otherwise None.
        mode: of coherent optics, the one in use.
        margin_db: of power at a bit-error rate of 1e-12 for on/off keying; of GSNR over what the
            optics need, less the design margin, for coherent ones. None of radio.
        reserve_db: what the light may still lose before the link is down. None of radio.
        bit_error_rate: before error correction.
        line_loss: of frames, after error correction, over the whole line.
        loss: of frames, with damage and background, after any retransmission.
        capacity_bps: of all waves together, less what retransmission takes.
        up: whether the link works at all.
        mtu: largest packet in bytes, of which the losses are.
    """

    plant: Plant
    wear: Wear
    attenuation_db: Mapping[str, float]
    delay_ns: Mapping[str, int]
    sections: int
    gsnr_db: float | None
    mode: Mode | None
    margin_db: float | None
    reserve_db: float | None
    bit_error_rate: float
    line_loss: float
    loss: float
    capacity_bps: int
    up: bool
    mtu: int

    @property
    def state(self) -> LinkState:
        """Return what this does to packets; a link that is down carries nothing."""
        return LinkState(
            rate_bps=self.capacity_bps,
            delay_ns=sum(self.delay_ns.values()),
            loss=Loss(self.loss if self.up else 0.0),
            mtu=self.mtu,
            up=self.up,
        )


@dataclass(frozen=True)
class _Line:
    """What optics and error correction make of the light."""

    rate_bps: int
    bit_error_rate: float = 0.0
    loss: float = 0.0
    up: bool = True
    sections: int = 1
    gsnr_db: float | None = None
    mode: Mode | None = None
    margin_db: float | None = None
    reserve_db: float | None = None


def chain_of(plant: Plant, wear: Wear, mtu: int, own_code: Code) -> Chain:
    """Follow a plant with optics from its fibre to its packets.

    ``own_code`` is the error correction that the optics came with, for which their OSNR is stated.
    """
    optics = plant.optics
    assert optics is not None, "a span stated outright has no physics"
    mtu = plant.mtu or mtu
    if optics.kind == "radio":
        line = _Line(optics.rate or 0)
    elif optics.kind == "ook":
        line = _on_off_keying(plant, optics, wear, mtu)
    else:
        line = _coherent(plant, optics, wear, own_code)
    worn = 1.0 if plant.worn_waves is None else plant.worn_waves / plant.waves
    line_loss = line.loss * worn
    loss = 1 - (1 - line_loss) * (1 - wear.corruption) * (1 - plant.background_loss)
    capacity_bps = line.rate_bps * plant.waves
    if plant.retransmission and line.up:
        capacity_bps = int(capacity_bps * retransmission.capacity_after(loss))
        loss = retransmission.loss_after(loss)
    return Chain(
        plant=plant,
        wear=wear,
        attenuation_db={} if optics.kind == "radio" else light.attenuation_parts(plant, wear),
        delay_ns=delay_parts(plant, line.sections if optics.kind == "coherent" else 0),
        sections=line.sections,
        gsnr_db=line.gsnr_db,
        mode=line.mode,
        margin_db=line.margin_db,
        reserve_db=line.reserve_db,
        bit_error_rate=line.bit_error_rate,
        line_loss=line_loss,
        loss=loss,
        capacity_bps=capacity_bps,
        up=line.up,
        mtu=mtu,
    )


def _on_off_keying(plant: Plant, optics: Optics, wear: Wear, mtu: int) -> _Line:
    margin_db = light.power_margin_db(plant, wear)
    rate = biterrors.of_margin(margin_db)
    segments = plant.oeo_sites + 1
    limit = plant.code.threshold or HIGH_BIT_ERROR_RATE
    up = rate <= HIGH_BIT_ERROR_RATE
    if plant.code.reed_solomon:
        up = codes.codeword_loss(plant.code.reed_solomon, rate) <= MOST_CODEWORD_LOSS
    elif plant.code.threshold:
        up = rate <= plant.code.threshold
    return _Line(
        rate_bps=optics.rate or 0,
        bit_error_rate=rate,
        loss=1 - (1 - codes.frame_loss(plant.code, rate, mtu)) ** segments,
        up=up,
        sections=segments,
        margin_db=margin_db,
        reserve_db=margin_db - biterrors.margin_of(limit),
    )


def _coherent(plant: Plant, optics: Optics, wear: Wear, own_code: Code) -> _Line:
    gsnr_db = light.gsnr_db(plant, wear)
    for mode in optics.modes:
        margin_db = gsnr_db - _osnr_needed_db(mode, plant.code, own_code) - light.DESIGN_MARGIN_DB
        if margin_db >= optics.keep_db:
            break
    # What the optics need is where their own code gives up: the light's distance from it is the
    # distance in signal-to-noise ratio, whatever they lose on the way to the decoder. Grade X.
    snr_db = biterrors.snr_needed_db(mode.modulation, own_code.threshold or 1e-12)
    rate = biterrors.of_snr(mode.modulation, snr_db + gsnr_db - mode.osnr_required_db)
    reserve_db = margin_db + light.DESIGN_MARGIN_DB
    return _Line(
        rate_bps=mode.rate,
        bit_error_rate=rate,
        loss=float(reserve_db < 0),
        up=reserve_db >= 0,
        sections=light.sections(plant),
        gsnr_db=gsnr_db,
        mode=mode,
        margin_db=margin_db,
        reserve_db=reserve_db,
    )


def _osnr_needed_db(mode: Mode, code: Code, own_code: Code) -> float:
    """Return the OSNR a mode needs under a code; a better one than its own needs less."""
    if code == own_code:
        return mode.osnr_required_db
    own, other = (
        biterrors.snr_needed_db(mode.modulation, which.threshold or 1e-12)
        for which in (own_code, code)
    )
    return mode.osnr_required_db + other - own
