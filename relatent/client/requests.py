"""What is asked for: options and operations as typed values, and the messages made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict

from relatent.client.errors import InputError
from relatent.client.goals import Reach, duration, several, target_message
from relatent.client.images import ImageFormat, ImageInput, fit_message, format_message, image_message
from relatent.client.latents import LatentCode, latent_message
from relatent.client.results import Checkpoint
from relatent.client.texts import Text, text_message
from relatent.client.transfers import Transfer, transfer_message
from relatent.core.fit import Fit
from relatent.core.presets import Preset
from relatent.core.stopping import Plateau
from relatent.v1 import editing_pb2, inversion_pb2, types_pb2

PRESETS: Mapping[Preset, types_pb2.Preset.ValueType] = {
    Preset.FAST: types_pb2.PRESET_FAST,
    Preset.BALANCED: types_pb2.PRESET_BALANCED,
    Preset.BEST: types_pb2.PRESET_BEST,
}

Start: TypeAlias = "Literal['encoder', 'mean'] | LatentCode | Checkpoint"
"""Where an inversion starts: the encoder's code, the mean latent, a given code or a checkpoint."""


class InvertOptions(TypedDict, total=False):
    """How to invert an image; what is left out is the server's or the pack's default."""

    pack: str
    """The pack to invert into; the server's only one unless given."""
    method: str
    """The way of inverting, of `PackInfo.methods`; unless given, the checkpoint's or the pack's default."""
    quality: Preset | str
    """Fast, balanced or best, instead of a method; sets the steps too where they are not given."""
    fit: Fit | str
    """What to do with an image that is not square; crops unless given."""
    start: Start
    """Where to start; the first of the method's `starts` unless given."""
    steps: int
    """Refinement steps in all, those of a checkpoint included; 0 for the encoder's code alone."""
    restarts: int
    """Starts to refine side by side, of which the best is kept; 1 unless given, at most 8."""
    min_in_domain: float
    """Refuse an image whose `in_domain.score` is lower, before it is refined; 0 to 1."""
    learning_rate: float
    """Adam's step size, in the coordinates that the pack's graph steps in."""
    weights: Mapping[str, float]
    """Weights of the objective's terms by name, as the method's `losses` list them."""
    text: str
    """What the image shall show, for methods with an input `text`, which need it."""
    neutral: str
    """What it shows now, told alike; the pack's `PackInfo.text.neutral` unless given."""
    mask: ImageInput
    """Where the image counts: white fully, black not at all. Same proportions as the image."""
    target_loss: float
    """End when the loss is at most this."""
    plateau: Plateau
    """End when the loss stops falling."""
    time_budget: float
    """End after so many seconds on servers, with the best so far."""
    best_at_deadline: bool
    """Answer with the best so far shortly before the call's timeout rather than fail."""
    output_format: ImageFormat | str
    """Format of the reconstruction and of previews; PNG unless given."""
    no_cache: bool
    """Invert even if the same was inverted before, and let the server keep nothing of it."""


@dataclass(frozen=True)
class Move:
    """Move the code along a direction of the pack; or, in samples, what they are drawn from.

    What strengths mean is `relatent.core.directions`'s to say.

    Attributes:
        direction: its name, as the catalog lists it; of Z for samples, else of W, W+ or S.
        strength: how far, or several for a strip of images; one for samples.
        absolute: whether a strength is the signed distance to the boundary to arrive at, rather
            than to go.
        layers: first and last layer to move, both included; None: the direction's own, and always for
            samples.
        keep: directions whose attributes should stay as they are.
    """

    direction: str
    strength: float | Sequence[float]
    absolute: bool = False
    layers: tuple[int, int] | None = None
    keep: Sequence[str] = ()


@dataclass(frozen=True)
class Mix:
    """Take layers of another code.

    Attributes:
        other: the code to take from.
        layers: first and last layer to take, both included.
    """

    other: LatentCode
    layers: tuple[int, int]


@dataclass(frozen=True)
class Interpolate:
    """Go a part of the way to another code.

    Attributes:
        other: the code to go to.
        amount: how far, or several for a morph: 0 stays, 1 arrives; between -1 and 2.
    """

    other: LatentCode
    amount: float | Sequence[float]


@dataclass(frozen=True)
class Truncate:
    """Pull the code towards the mean latent.

    Attributes:
        psi: 1 leaves the code, 0 gives the mean.
    """

    psi: float


@dataclass(frozen=True)
class Reduce:
    """Leave of the code its W+ part, without what it has besides."""


Operation: TypeAlias = Move | Mix | Interpolate | Transfer | Truncate | Reduce | Reach | Text


def inversion_options(options: InvertOptions) -> inversion_pb2.InversionOptions:
    """Make a message of options.

    Raises:
        InputError: an option that cannot be sent.
    """
    unknown = options.keys() - InvertOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown options of an inversion: {', '.join(sorted(unknown))}")
    try:
        message = inversion_pb2.InversionOptions(
            pack=options.get("pack", ""),
            method=options.get("method", ""),
            preset=_preset(options),
            restarts=options.get("restarts", 0),
            min_in_domain=options.get("min_in_domain"),
            no_cache=options.get("no_cache", False),
            fit=fit_message(options.get("fit")),
            output_format=format_message(options.get("output_format")),
            refinement=_refinement(options),
        )
    except (TypeError, ValueError, OverflowError) as error:
        shown = {name: value for name, value in options.items() if name != "mask"}
        raise _input_error("options", shown, error) from error
    match options.get("start"):
        case None:
            pass
        case "encoder":
            message.encoder.SetInParent()
        case "mean":
            message.mean.SetInParent()
        case LatentCode() as latent:
            message.latent.CopyFrom(latent_message(latent))
        case Checkpoint() as checkpoint:
            message.checkpoint.CopyFrom(checkpoint.message)
        case other:
            raise InputError(
                f"start: expected 'encoder', 'mean', a LatentCode or a Checkpoint, got {other!r}"
            )
    return message


def operation_message(operation: Operation) -> editing_pb2.Operation:
    """Make a message of an operation.

    Raises:
        InputError: a value out of what a message can hold.
    """
    try:
        return _operation_message(operation)
    except (TypeError, ValueError, OverflowError) as error:
        raise _input_error("operation", operation, error) from error


def _operation_message(operation: Operation) -> editing_pb2.Operation:
    match operation:
        case Move():
            move = editing_pb2.DirectionMove(
                direction=operation.direction,
                strengths=several(operation.strength),
                mode=(
                    editing_pb2.STRENGTH_MODE_ABSOLUTE
                    if operation.absolute
                    else editing_pb2.STRENGTH_MODE_RELATIVE
                ),
                layers=_layers(operation.layers) if operation.layers else None,
                conditions=operation.keep,
            )
            return editing_pb2.Operation(direction=move)
        case Mix():
            mix = editing_pb2.StyleMix(
                other=latent_message(operation.other), layers=_layers(operation.layers)
            )
            return editing_pb2.Operation(style_mix=mix)
        case Interpolate():
            interpolation = editing_pb2.Interpolation(
                other=latent_message(operation.other), amounts=several(operation.amount)
            )
            return editing_pb2.Operation(interpolation=interpolation)
        case Transfer():
            transfer = transfer_message(operation, several(operation.amount))
            return editing_pb2.Operation(expression_transfer=transfer)
        case Truncate():
            return editing_pb2.Operation(truncation=editing_pb2.Truncation(psi=operation.psi))
        case Reduce():
            return editing_pb2.Operation(reduction=editing_pb2.Reduction())
        case Reach():
            return editing_pb2.Operation(attribute_target=target_message(operation))
        case Text():
            return editing_pb2.Operation(text=text_message(operation))


def _preset(options: InvertOptions) -> types_pb2.Preset.ValueType:
    if "quality" not in options:
        return types_pb2.PRESET_UNSPECIFIED
    if options["quality"] not in list(Preset):
        raise InputError(f"quality: expected one of {', '.join(Preset)}, got {options['quality']!r}")
    return PRESETS[Preset(options["quality"])]


def _refinement(options: InvertOptions) -> inversion_pb2.Refinement:
    message = inversion_pb2.Refinement(
        weights=options.get("weights"),
        best_at_deadline=options.get("best_at_deadline", False),
        text=options.get("text", ""),
        neutral=options.get("neutral", ""),
    )
    if "steps" in options:
        if not 0 <= options["steps"] < 2**32:
            raise InputError(f"steps: expected 0 or more, got {options['steps']}")
        message.steps = options["steps"]
    if "learning_rate" in options:
        message.learning_rate = options["learning_rate"]
    if "target_loss" in options:
        message.target_loss = options["target_loss"]
    if "mask" in options:
        message.mask.CopyFrom(image_message(options["mask"], "mask"))
    if "plateau" in options:
        plateau = options["plateau"]
        message.plateau.steps = max(0, plateau.steps)
        message.plateau.min_improvement = plateau.min_improvement
    if "time_budget" in options:
        message.time_budget.CopyFrom(duration(options["time_budget"]))
    return message


def _input_error(what: str, given: object, error: Exception) -> InputError:
    return error if isinstance(error, InputError) else InputError(f"{what}: {given!r}: {error}")


def _layers(layers: tuple[int, int]) -> editing_pb2.LayerRange:
    first, last = layers
    return editing_pb2.LayerRange(first=first, last=last)
