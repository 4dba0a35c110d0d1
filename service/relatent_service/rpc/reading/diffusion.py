"""What a caller asks of a semantic diffusion, checked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from relatent.core.methods import Method
from relatent.v1 import diffusion_pb2, inversion_pb2
from relatent_service.catalog import ServedPacks
from relatent_service.editing.stitching import Stitched
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Encoded
from relatent_service.inversion.job import ANCHOR, Plan
from relatent_service.rpc.reading.images import Decoder
from relatent_service.rpc.reading.options import MASK, ParsedInversion, read_inversion
from relatent_service.rpc.reading.region import ParsedRegion, read_region
from relatent_service.rpc.reading.values import read_image
from relatent_service.settings import ServerSettings

MOST_STEPS, ANCHOR_WEIGHT = 5, 0.03
"""Steps, where the method has more, and the anchor's weight, of diffusions that ask for no others."""


@dataclass(frozen=True)
class ParsedDiffusion:
    """A diffusion asked for, all but its pixels checked.

    Attributes:
        inversion: of the stitched image; its image is the target.
        region: of the target.
        context: what the rest follows.
        blend: whether the answer is blended.
    """

    inversion: ParsedInversion
    region: ParsedRegion
    context: Encoded
    blend: bool

    async def read_stitched(self, decoder: Decoder) -> Stitched:
        """Decode the images, off the event loop.

        Raises:
            InvalidField: one of them is not what it must be.
        """
        fit, resolution = self.inversion.fit, self.inversion.plan.pack.resolution
        mask = await decoder.read_mask(self.region, resolution)
        if mask.min() == 255:
            raise InvalidField(
                self.region.mask.field, "expected somewhere to follow the context; it is white everywhere"
            )
        target = await decoder.read_square(self.inversion.image, fit, resolution)
        context = await decoder.read_square(self.context, fit, resolution)
        return await asyncio.to_thread(Stitched.of, target, context, mask, self.region.feather)


def read_diffusion(
    packs: ServedPacks, settings: ServerSettings, request: diffusion_pb2.DiffuseRequest
) -> ParsedDiffusion:
    """Check all of a request for a diffusion but its pixels.

    Raises:
        ServiceError: a field is not what it must be, or names something that is not there.
    """
    options = request.options
    if options.WhichOneof("start") == "checkpoint":
        raise InvalidField(
            "options.checkpoint", "expected none: a diffusion is done in one call, from its start"
        )
    if options.refinement.HasField("mask"):
        raise InvalidField("options.refinement.mask", "expected none: what counts is the region")
    inversion = read_inversion(packs, settings, request.target, _with_method(packs, options), name="target")
    _check_method(inversion.plan, "options.preset" if options.preset else "options.method")
    region = read_region(inversion.plan.pack, request, inversion)
    if region is None:
        raise InvalidField("region", "expected the part of the target that is kept, got none")
    if request.blend and not region.feather:
        raise InvalidField("region.feather", "expected above 0 for a blend, which is as wide, got 0")
    context = read_image(request.context, "context")
    return ParsedDiffusion(_by_default(inversion, request), region, context, request.blend)


def _with_method(
    packs: ServedPacks, options: inversion_pb2.InversionOptions
) -> inversion_pb2.InversionOptions:
    """The options with the first method of the pack that diffuses, where they name none."""
    methods = packs.pack(options.pack, "options.pack").methods
    able = next((name for name, method in methods.items() if _diffuses(method)), "")
    if options.method or options.preset or not able:
        return options
    chosen = inversion_pb2.InversionOptions()
    chosen.CopyFrom(options)
    chosen.method = able
    return chosen


def _check_method(plan: Plan, field: str) -> None:
    if not plan.pack.encoder:
        raise InvalidField(
            "options.pack",
            "expected a pack with an encoder, whose code of the context the rest follows; "
            f"{plan.pack.name!r} has none",
            reason="NO_ENCODER",
        )
    if not _diffuses(plan.method):
        able = ", ".join(name for name, method in plan.pack.methods.items() if _diffuses(method)) or "none"
        raise InvalidField(
            field,
            f"expected a method of inverting with a mask and an anchor: {able}; got {plan.method.name!r}",
        )


def _diffuses(method: Method) -> bool:
    held = ANCHOR in method.terms and ANCHOR in method.state
    return method.reconstructs and MASK in method.inputs and held


def _by_default(parsed: ParsedInversion, request: diffusion_pb2.DiffuseRequest) -> ParsedInversion:
    """The same with what diffusions have by default where the caller says nothing."""
    plan, asked = parsed.plan, request.options
    rules, weights = plan.rules, plan.weights
    if not asked.preset and not asked.refinement.HasField("steps"):
        rules = replace(rules, steps=min(rules.steps, MOST_STEPS))
    if ANCHOR not in asked.refinement.weights:
        weights = {**weights, ANCHOR: ANCHOR_WEIGHT}
    return replace(parsed, plan=replace(plan, rules=rules, weights=weights, anchored=True))
