"""What a caller asks of an inversion, checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relatent.core.fit import Fit
from relatent.core.methods import Method, StartRule
from relatent.core.pack import Pack
from relatent.core.presets import PresetChoice
from relatent.core.spaces import Space
from relatent.core.text import Tokens
from relatent.v1 import inversion_pb2, types_pb2
from relatent_service.catalog import ServedPacks, find_method, shown
from relatent_service.errors import Diverged, InvalidField, OutOfDomain
from relatent_service.images.codec import Encoded, Format
from relatent_service.inversion.job import Plan
from relatent_service.inversion.plausibility import Implausible
from relatent_service.inversion.refinement import LossNotFinite, SavedState
from relatent_service.rpc.reading.refining import read_learning_rate, read_rules, read_weights
from relatent_service.rpc.reading.texts import read_change, text_model
from relatent_service.rpc.reading.values import (
    MAX_RESTARTS,
    read_checkpoint,
    read_image,
    read_latent,
    read_output_format,
)
from relatent_service.rpc.spaces import PRESETS
from relatent_service.settings import ServerSettings
from relatent_service.traffic.forecast import Work

Floats = NDArray[np.float32]

MASK = "mask"
"""The further input that Refinement.mask fills."""
_FITS: dict[int, Fit] = {
    types_pb2.FIT_UNSPECIFIED: Fit.CROP,
    types_pb2.FIT_CROP: Fit.CROP,
    types_pb2.FIT_PAD: Fit.PAD,
    types_pb2.FIT_REFUSE: Fit.REFUSE,
}


@dataclass(frozen=True)
class ParsedInversion:
    """An inversion asked for, all but its pixels checked.

    `relatent_service.rpc.reading.images` decodes these.

    Attributes:
        plan: how to invert.
        mask: None for everywhere.
        output_format: of the reconstruction and of previews.
        field: path of the request's options, for errors.
        no_cache: whether it is inverted whatever was before, and nothing of it is kept.
    """

    plan: Plan
    image: Encoded
    mask: Encoded | None
    fit: Fit
    output_format: Format
    field: str
    no_cache: bool = False

    def reporting(self, preview_every: int, checkpoint_every: int) -> ParsedInversion:
        """The same with previews and checkpoints."""
        plan = replace(self.plan, preview_every=preview_every, checkpoint_every=checkpoint_every)
        return replace(self, plan=plan)

    def followed_by(self, images: int, work: Work) -> ParsedInversion:
        """The same with so many images to make of its result, and all the work that an edit of it is."""
        return replace(self, plan=replace(self.plan, images_after=images, work_after=work))

    @contextmanager
    def naming_fields(self) -> Iterator[None]:
        """Name the field that is to blame for an inversion that cannot be done.

        Raises:
            Diverged: the loss was not finite.
            OutOfDomain: the image is less plausible than its caller wants to refine.
        """
        try:
            yield
        except LossNotFinite as error:
            raise self._diverged(error) from error
        except Implausible as error:
            found = error.plausibility
            raise OutOfDomain(
                self.image.field,
                f"expected an image of score {error.least:g} or more, got one of {found.score:.3g}: its "
                f"cycle is {found.cycle:.3g}, that of genuine images {found.domain.typical_cycle:.3g}",
            ) from error

    def _diverged(self, error: LossNotFinite) -> Diverged:
        if error.at_start:
            cause = "latent"
            if isinstance(self.plan.start, StartRule):
                cause = "refinement.weights"
            elif isinstance(self.plan.start, SavedState):
                cause = "checkpoint"
            return Diverged(f"{self.field}.{cause}", "expected a finite loss at the start; it was not finite")
        return Diverged(
            f"{self.field}.refinement.learning_rate",
            f"expected a step size that keeps the loss finite; with {self.plan.learning_rate:g} it was not "
            f"finite after {error.steps} steps",
        )


def read_inversion(
    packs: ServedPacks,
    settings: ServerSettings,
    image: types_pb2.Image,
    options: inversion_pb2.InversionOptions,
    path: str = "",
    name: str = "image",
    inner: str = "options",
) -> ParsedInversion:
    """Check all of a request for an inversion but its pixels.

    Args:
        packs: where packs are looked up.
        settings: whose limits hold.
        image: what to invert.
        options: how.
        path: what stands before `image` and `options` in the request, such as `image.`.
        name: what the image is called there.
        inner: where the options are in it.

    Raises:
        ServiceError: a field is not what it must be, or names something that is not there.
    """
    field = f"{path}{inner}"
    pack = packs.pack(options.pack, f"{field}.pack")
    method = _read_method(pack, options, field)
    fit = read_fit(options.fit, f"{field}.fit")
    refinement, inner = options.refinement, f"{field}.refinement"
    start = _read_start(pack, method, options, settings.max_steps, field)
    steps = _read_preset(pack, options, field).steps if options.preset else method.default_steps
    plan = Plan(
        pack=pack,
        method=method,
        start=start,
        rules=read_rules(method, refinement, steps, settings.max_steps, inner),
        restarts=_read_restarts(options, start, field),
        min_in_domain=_read_min_in_domain(pack, options, field),
        learning_rate=read_learning_rate(method, refinement, start, inner),
        weights=read_weights(method, refinement.weights, inner),
        text=_read_texts(pack, method, refinement, inner),
    )
    return ParsedInversion(
        plan=plan,
        image=read_image(image, f"{path}{name}"),
        mask=_read_mask(method, refinement, f"{inner}.mask"),
        fit=fit,
        output_format=read_output_format(options.output_format, f"{field}.output_format"),
        field=field,
        no_cache=options.no_cache,
    )


def read_fit(number: int, field: str) -> Fit:
    """What to do with an image that is not square, to crop it unless told otherwise.

    Raises:
        InvalidField: it is none we know.
    """
    if number not in _FITS:
        raise InvalidField(field, f"expected CROP (1), PAD (2) or REFUSE (3), got {number}")
    return _FITS[number]


def _read_method(pack: Pack, options: inversion_pb2.InversionOptions, field: str) -> Method:
    """The method named, or the checkpoint's, or the pack's default."""
    wanted, told_by = options.method, "method"
    if options.preset:
        if wanted:
            raise InvalidField(f"{field}.preset", "expected none beside a method, which says how to invert")
        wanted, told_by = _read_preset(pack, options, field).method, "preset"
    if options.WhichOneof("start") != "checkpoint":
        return find_method(pack, wanted, f"{field}.method")
    at_work = find_method(pack, options.checkpoint.method, f"{field}.checkpoint.method")
    if wanted and wanted != at_work.name:
        raise InvalidField(
            f"{field}.{told_by}",
            f"expected that of the checkpoint, {at_work.name!r}, or none, got {shown(wanted)}",
            reason="WRONG_METHOD",
        )
    return at_work


def _read_preset(pack: Pack, options: inversion_pb2.InversionOptions, field: str) -> PresetChoice:
    choices = {PRESETS[preset]: choice for preset, choice in pack.presets.items()}
    if options.preset not in choices:
        known = ", ".join(f"{preset} ({PRESETS[preset]})" for preset in pack.presets) or "none"
        raise InvalidField(
            f"{field}.preset", f"expected one that the pack has: {known}, got {options.preset}"
        )
    return choices[options.preset]


def _read_restarts(
    options: inversion_pb2.InversionOptions, start: StartRule | Floats | SavedState, field: str
) -> int:
    if options.restarts > MAX_RESTARTS:
        raise InvalidField(f"{field}.restarts", f"expected 0 to {MAX_RESTARTS}, got {options.restarts}")
    if not isinstance(start, SavedState):
        return options.restarts or 1
    at_work = len(start.losses)
    if options.restarts not in (0, at_work):
        raise InvalidField(
            f"{field}.restarts", f"expected the checkpoint's, {at_work}, or 0, got {options.restarts}"
        )
    return at_work


def _read_min_in_domain(pack: Pack, options: inversion_pb2.InversionOptions, field: str) -> float | None:
    if not options.HasField("min_in_domain"):
        return None
    least = options.min_in_domain
    if not 0 <= least <= 1:
        raise InvalidField(f"{field}.min_in_domain", f"expected 0 to 1, got {least:g}")
    if pack.domain is None:
        raise InvalidField(
            f"{field}.min_in_domain", f"expected none: pack {pack.name!r} does not know its domain"
        )
    return least


def _read_start(
    pack: Pack, method: Method, options: inversion_pb2.InversionOptions, max_steps: int, field: str
) -> StartRule | Floats | SavedState:
    name = options.WhichOneof("start")
    if name == "checkpoint":
        return read_checkpoint(pack, method, options.checkpoint, max_steps, f"{field}.checkpoint")
    rule = method.default_start if name is None else StartRule(name)
    if rule not in method.rates:
        if rule is StartRule.ENCODER and not pack.encoder:
            raise InvalidField(
                f"{field}.encoder", f"pack {pack.name!r} has no encoder; start from its mean or from a latent"
            )
        raise InvalidField(
            f"{field}.{rule}", f"expected a start that method {method.name!r} has: {', '.join(method.rates)}"
        )
    if rule is StartRule.LATENT:
        code = read_latent(pack, options.latent, f"{field}.latent")
        if code.space is Space.MULTI:
            raise InvalidField(
                f"{field}.latent.space",
                f"expected a code that has one vector a layer, got one of {code.space}",
                reason="MEANINGLESS_IN_SPACE",
            )
        start: Floats = code.w[0]
        return start
    return rule


def _read_texts(
    pack: Pack, method: Method, refinement: inversion_pb2.Refinement, field: str
) -> tuple[Tokens, Tokens] | None:
    """What the image shows, and what it shall show."""
    if method.takes_text:
        model = text_model(pack, f"{field}.text")
        return read_change(model, refinement.neutral, refinement.text, f"{field}.neutral", f"{field}.text")
    for name in ("text", "neutral"):
        if getattr(refinement, name):
            raise InvalidField(f"{field}.{name}", f"expected none: method {method.name!r} takes no text")
    return None


def _read_mask(method: Method, refinement: inversion_pb2.Refinement, field: str) -> Encoded | None:
    if not refinement.HasField("mask"):
        return None
    if MASK not in method.inputs:
        raise InvalidField(field, f"expected none: method {method.name!r} takes no mask")
    return read_image(refinement.mask, field)
