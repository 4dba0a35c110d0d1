"""Reading answers: the contract's messages into the values of `relatent.client.results`."""

from __future__ import annotations

import math
from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration

from relatent.client.catalog import (
    AttributeInfo,
    Catalog,
    DirectionInfo,
    Limits,
    LossTerm,
    MethodInfo,
    PackInfo,
    TextInfo,
)
from relatent.client.errors import ContractError
from relatent.client.images import picture
from relatent.client.latents import SPACE_OF_MESSAGE, latent_code
from relatent.client.requests import PRESETS
from relatent.client.restoring import Match, Restoration
from relatent.client.results import (
    AttributeOutcome,
    Checkpoint,
    Edit,
    EditedImage,
    InDomain,
    Inversion,
    Progress,
    SessionAnswer,
    SynthesizedImage,
    TargetOutcome,
    Timings,
)
from relatent.core.domain import Domain
from relatent.core.methods import StartRule
from relatent.core.presets import PresetChoice
from relatent.core.quality import Quality
from relatent.core.spaces import Space
from relatent.core.stopping import StopReason
from relatent.core.targets import AttributePart, End
from relatent.v1 import catalog_pb2, editing_pb2, inversion_pb2, restoration_pb2, synthesis_pb2, types_pb2

_STOP_REASONS: Mapping[int, StopReason] = {
    inversion_pb2.STOP_REASON_STEPS: StopReason.STEPS,
    inversion_pb2.STOP_REASON_TARGET_LOSS: StopReason.TARGET_LOSS,
    inversion_pb2.STOP_REASON_PLATEAU: StopReason.PLATEAU,
    inversion_pb2.STOP_REASON_TIME_BUDGET: StopReason.TIME_BUDGET,
    inversion_pb2.STOP_REASON_DEADLINE: StopReason.DEADLINE,
}
_SPACES = {
    catalog_pb2.DIRECTION_SPACE_UNSPECIFIED: Space.W_PLUS,
    catalog_pb2.DIRECTION_SPACE_W: Space.W,
    catalog_pb2.DIRECTION_SPACE_W_PLUS: Space.W_PLUS,
    catalog_pb2.DIRECTION_SPACE_Z: Space.Z,
    catalog_pb2.DIRECTION_SPACE_S: Space.STYLE,
    catalog_pb2.DIRECTION_SPACE_P: Space.P,
}
_ENDS = {
    editing_pb2.TARGET_END_REACHED: End.REACHED,
    editing_pb2.TARGET_END_RANGE: End.RANGE,
    editing_pb2.TARGET_END_STALLED: End.STALLED,
    editing_pb2.TARGET_END_ROUNDS: End.ROUNDS,
    editing_pb2.TARGET_END_TIME_BUDGET: End.TIME_BUDGET,
    editing_pb2.TARGET_END_DEADLINE: End.DEADLINE,
}
_PARTS = {
    editing_pb2.ATTRIBUTE_ROLE_ASKED: AttributePart.ASKED,
    editing_pb2.ATTRIBUTE_ROLE_HELD: AttributePart.HELD,
    editing_pb2.ATTRIBUTE_ROLE_FREE: AttributePart.FREE,
}
_PRESETS = {message: preset for preset, message in PRESETS.items()}


def timings(message: types_pb2.Timings) -> Timings:
    """Read timings."""
    return Timings(_seconds(message.queue), _seconds(message.inference), _seconds(message.total))


def progress(message: inversion_pb2.InversionProgress) -> Progress:
    """Read a report of a running inversion."""
    return Progress(
        steps=message.steps,
        total_steps=message.total_steps,
        loss=message.loss,
        best_loss=message.best_loss,
        preview=picture(message.preview) if message.HasField("preview") else None,
        checkpoint=Checkpoint(message.checkpoint) if message.HasField("checkpoint") else None,
    )


def inversion(message: inversion_pb2.InversionResult, losses: tuple[float, ...], resumed: int) -> Inversion:
    """Read an inversion's result.

    Args:
        message: the result.
        losses: the whole curve, of all servers that took part.
        resumed: how often the inversion went on elsewhere.

    Raises:
        ContractError: the answer says of no reason to have stopped.
    """
    return Inversion(
        latent=latent_code(message.latent),
        reconstruction=picture(message.reconstruction),
        quality=_quality(message.quality),
        losses=losses,
        stop_reason=_stop_reason(message.stop_reason),
        steps=message.steps,
        timings=timings(message.timings),
        resumed=resumed,
        method=message.method,
        in_domain=_in_domain(message.in_domain) if message.HasField("in_domain") else None,
        beyond=picture(message.beyond) if message.HasField("beyond") else None,
        cached=message.cached,
    )


def restoration(
    message: restoration_pb2.RestorationResult, losses: tuple[float, ...], resumed: int
) -> Restoration:
    """Read a restoration's result; as of `inversion`."""
    return Restoration(
        image=picture(message.image),
        latent=latent_code(message.latent),
        match=Match(message.match.mse, message.match.psnr),
        losses=losses,
        stop_reason=_stop_reason(message.stop_reason),
        steps=message.steps,
        timings=timings(message.timings),
        resumed=resumed,
        method=message.method,
    )


def _stop_reason(number: int) -> StopReason:
    if number not in _STOP_REASONS:
        raise ContractError(f"stop_reason: {number} is unknown to this client")
    return _STOP_REASONS[number]


def _in_domain(message: inversion_pb2.InDomain) -> InDomain:
    return InDomain(
        score=message.score,
        cycle=message.cycle,
        typical_cycle=message.typical_cycle,
        code_cycle=message.code_cycle if message.HasField("code_cycle") else None,
    )


def _quality(message: types_pb2.Quality) -> Quality:
    return Quality(
        mse=message.mse,
        psnr=message.psnr,
        ssim=message.ssim,
        perceptual=None if math.isnan(message.perceptual) else message.perceptual,
        identity=message.identity if message.HasField("identity") else None,
    )


def edit(message: editing_pb2.EditResponse, inverted: Inversion | None) -> Edit:
    """Read an edit's answer."""
    return Edit(tuple(map(_edited, message.images)), inverted, timings(message.timings))


def session_answer(message: editing_pb2.EditChangeAnswer, dropped: int) -> SessionAnswer:
    """Read the answer to a change, which was made; `dropped` counts those that were dropped before it."""
    return SessionAnswer(message.number, _edited(message.edited), dropped, timings(message.timings))


def _edited(message: editing_pb2.EditedImage) -> EditedImage:
    return EditedImage(
        latent=latent_code(message.latent),
        image=picture(message.image),
        strength=message.strength,
        targets=tuple(map(_target, message.targets)),
        border_error=message.border_error if message.HasField("border_error") else None,
    )


def _target(message: editing_pb2.TargetOutcome) -> TargetOutcome:
    if message.end not in _ENDS or not {each.role for each in message.attributes} <= _PARTS.keys():
        raise ContractError(f"target: end {message.end} or a role of an attribute is unknown to this client")
    attributes = {
        each.attribute: AttributeOutcome(_PARTS[each.role], each.before, each.asked, each.reached)
        for each in message.attributes
    }
    return TargetOutcome(attributes, message.rounds, _ENDS[message.end])


def synthesized(
    message: synthesis_pb2.SynthesizeResponse | synthesis_pb2.SampleResponse,
) -> tuple[SynthesizedImage, ...]:
    """Read synthesised images."""
    return tuple(SynthesizedImage(latent_code(i.latent), picture(i.image)) for i in message.images)


def catalog(message: catalog_pb2.ListPacksResponse) -> Catalog:
    """Read what a server has."""
    limits = message.limits
    return Catalog(
        packs={pack.name: pack_info(pack) for pack in message.packs},
        limits=Limits(
            max_message_bytes=limits.max_message_bytes,
            max_image_bytes=limits.max_image_bytes,
            max_image_pixels=limits.max_image_pixels,
            max_steps=limits.max_steps,
            max_images=limits.max_images,
        ),
    )


def pack_info(message: catalog_pb2.Pack) -> PackInfo:
    """Read a pack's description."""
    return PackInfo(
        name=message.name,
        revision=message.revision,
        description=message.description,
        licence=message.licence,
        provenance=message.provenance,
        resolution=message.resolution,
        layers=message.layers,
        width=message.width,
        attributes=tuple(message.attributes),
        directions=tuple(_direction(direction) for direction in message.directions),
        losses=tuple(LossTerm(term.name, term.default_weight) for term in message.losses),
        default_steps=message.default_steps,
        encoder=message.encoder,
        compare_side=message.compare_side,
        metrics=tuple(message.metrics),
        methods={method.name: _method(method) for method in message.methods},
        presets={
            _PRESETS[choice.preset]: PresetChoice(choice.method, choice.steps)
            for choice in message.presets
            if choice.preset in _PRESETS
        },
        domain=_domain(message.domain) if message.HasField("domain") else None,
        described={
            each.name: AttributeInfo(each.label, each.unit, each.low, each.high)
            for each in message.described_attributes
        },
        exact_edits=message.exact_edits,
        text=_text(message.text) if message.HasField("text") else None,
    )


def _text(message: catalog_pb2.TextModel) -> TextInfo:
    return TextInfo(message.tokens, message.neutral, message.strength, message.beta)


def _domain(message: catalog_pb2.Domain) -> Domain:
    return Domain(message.typical_cycle, message.deviation, message.images)


def _method(message: catalog_pb2.Method) -> MethodInfo:
    if message.space not in SPACE_OF_MESSAGE or not set(message.starts) <= set(StartRule):
        raise ContractError(
            f"method {message.name!r}: space {message.space} or starts {', '.join(message.starts)} are "
            "unknown to this client"
        )
    return MethodInfo(
        name=message.name,
        space=SPACE_OF_MESSAGE[message.space],
        losses=tuple(LossTerm(term.name, term.default_weight) for term in message.losses),
        default_steps=message.default_steps,
        starts=tuple(map(StartRule, message.starts)),
        inputs=tuple(message.inputs),
        measured=dict(message.measured),
        code_bytes=message.code_bytes,
    )


def _direction(message: catalog_pb2.Direction) -> DirectionInfo:
    if message.space not in _SPACES:
        raise ContractError(f"direction {message.name!r}: space {message.space} is unknown to this client")
    return DirectionInfo(
        name=message.name,
        attribute=message.attribute,
        first_layer=message.first_layer,
        last_layer=message.last_layer,
        calibration=message.calibration,
        min_strength=message.min_strength,
        max_strength=message.max_strength,
        space=_SPACES[message.space],
        licence=message.licence,
        source=message.source,
        method=message.method,
        leak=message.leak if message.HasField("leak") else None,
        learned=message.learned,
    )


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
