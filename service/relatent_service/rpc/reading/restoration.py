"""What a caller asks of a restoration, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relatent.core.axes import LOST
from relatent.core.degradation import GREY
from relatent.core.methods import Method
from relatent.core.pack import Pack
from relatent.core.restoration import DEFAULTS, RestorationDefaults, RestorationPreset
from relatent.v1 import inversion_pb2, restoration_pb2, types_pb2
from relatent_service.catalog import ServedPacks, find_method
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Encoded
from relatent_service.rpc.reading.options import ParsedInversion, read_inversion
from relatent_service.rpc.reading.values import read_image
from relatent_service.settings import ServerSettings

MOST_TIMES = 16
"""Fewer rows and columns than the whole image has."""

_BLUR_SHARE = 1 / 8
"""Of the whole image's side, what a blur's deviation may be at most."""
_MOST_COLOUR = 100.0
"""What a number of a matrix may be at most, either way: images of larger ones are black and white."""
_PRESETS: Mapping[int, RestorationPreset] = {
    restoration_pb2.RESTORATION_PRESET_COLORIZE: RestorationPreset.COLORIZE,
    restoration_pb2.RESTORATION_PRESET_UPSCALE: RestorationPreset.UPSCALE,
    restoration_pb2.RESTORATION_PRESET_INPAINT: RestorationPreset.INPAINT,
    restoration_pb2.RESTORATION_PRESET_DENOISE: RestorationPreset.DENOISE,
}


@dataclass(frozen=True)
class ParsedDegradation:
    """What was done to the image, all but its pixels checked.

    Attributes:
        blur: standard deviation in pixels.
        times: fewer columns and rows; None: as many as the image's own size says.
        colour: float64 [3, 3]; None for none.
        mask: where the image is known; None for everywhere.
        field: where it is in the request.
    """

    blur: float
    times: tuple[int, int] | None
    colour: NDArray[np.float64] | None
    mask: Encoded | None
    field: str


@dataclass(frozen=True)
class ParsedRestoration:
    """A restoration asked for.

    Attributes:
        inversion: how to refine.
        degradation: what was done to the image.
        keep_known: whether what was given is put back.
        field: path of the request's options, for errors.
    """

    inversion: ParsedInversion
    degradation: ParsedDegradation
    keep_known: bool
    field: str

    def reporting(self, preview_every: int, checkpoint_every: int) -> ParsedRestoration:
        """The same with previews and checkpoints."""
        return replace(self, inversion=self.inversion.reporting(preview_every, checkpoint_every))


def read_restoration(
    packs: ServedPacks,
    settings: ServerSettings,
    image: types_pb2.Image,
    options: restoration_pb2.RestorationOptions,
) -> ParsedRestoration:
    """Check all of a request for a restoration but its pixels.

    Raises:
        ServiceError: a field is not what it must be, or names something that is not there.
    """
    field = "options"
    preset = _read_preset(options.preset, f"{field}.preset")
    if options.inversion.refinement.HasField("mask"):
        raise InvalidField(f"{field}.inversion.refinement.mask", "expected none: degradation.mask is it")
    if options.inversion.HasField("min_in_domain"):
        raise InvalidField(
            f"{field}.inversion.min_in_domain", "expected none: an image that lacks something is in no domain"
        )
    pack = packs.pack(options.inversion.pack, f"{field}.inversion.pack")
    defaults = _defaults(preset, masked=options.degradation.HasField("mask"))
    chosen = _with_defaults(pack, options.inversion, defaults, settings.max_steps, field)
    inversion = read_inversion(packs, settings, image, chosen, inner=f"{field}.inversion")
    _check_restores(inversion.plan.method, f"{field}.inversion.method")
    inversion = replace(inversion, plan=replace(inversion.plan, whole=False))
    degradation = _read_degradation(pack, preset, options.degradation, f"{field}.degradation")
    return ParsedRestoration(inversion, degradation, options.keep_known, field)


def _read_preset(number: int, field: str) -> RestorationPreset | None:
    if number == restoration_pb2.RESTORATION_PRESET_UNSPECIFIED:
        return None
    if number not in _PRESETS:
        known = ", ".join(f"{preset} ({value})" for value, preset in _PRESETS.items())
        raise InvalidField(field, f"expected one of {known}, got {number}")
    return _PRESETS[number]


def _defaults(preset: RestorationPreset | None, *, masked: bool) -> RestorationDefaults | None:
    """A preset's, with the prior of what is missing where there is a mask."""
    if preset is None:
        return None
    missing = DEFAULTS[RestorationPreset.INPAINT].terms if masked else {}
    return replace(DEFAULTS[preset], terms={**DEFAULTS[preset].terms, **missing})


def _with_defaults(
    pack: Pack,
    options: inversion_pb2.InversionOptions,
    defaults: RestorationDefaults | None,
    max_steps: int,
    field: str,
) -> inversion_pb2.InversionOptions:
    """The options of an inversion, with a preset's own for what is not set."""
    if options.preset:
        raise InvalidField(f"{field}.inversion.preset", "expected none: only some methods restore")
    chosen = inversion_pb2.InversionOptions()
    chosen.CopyFrom(options)
    if not chosen.method and chosen.WhichOneof("start") != "checkpoint":
        chosen.method = _first_that_restores(pack, f"{field}.inversion.pack")
    told_by = "method" if chosen.method else "checkpoint.method"
    method = find_method(pack, chosen.method or chosen.checkpoint.method, f"{field}.inversion.{told_by}")
    refinement = chosen.refinement
    if defaults is None:
        return chosen
    for term in defaults.terms.keys() & method.terms.keys() - set(refinement.weights):
        refinement.weights[term] = defaults.terms[term]
    if not refinement.HasField("steps"):
        refinement.steps = min(defaults.steps, max_steps)
    return chosen


def _first_that_restores(pack: Pack, field: str) -> str:
    name = next((name for name, method in pack.methods.items() if method.restores), None)
    if name is None:
        raise InvalidField(
            field,
            f"pack {pack.name!r} has no method that restores (relatent-export methods)",
            reason="NO_RESTORATION",
        )
    return name


def _check_restores(method: Method, field: str) -> None:
    if not method.restores:
        raise InvalidField(field, f"expected a method that restores, got {method.name!r}")


def _read_degradation(
    pack: Pack, preset: RestorationPreset | None, message: restoration_pb2.Degradation, field: str
) -> ParsedDegradation:
    most = pack.resolution * _BLUR_SHARE
    if not 0 <= message.blur <= most:
        raise InvalidField(f"{field}.blur", f"expected 0 to {most:g} pixels, got {message.blur:g}")
    times: tuple[int, int] | None = (1, 1)
    if message.HasField("resampling"):
        times = _read_times(pack, message.resampling, f"{field}.resampling")
    elif preset is RestorationPreset.UPSCALE:
        times = None
    colour = _read_colour(message.colour, f"{field}.colour")
    if colour is None and preset is RestorationPreset.COLORIZE:
        colour = GREY
    if preset is RestorationPreset.INPAINT and not message.HasField("mask"):
        raise InvalidField(f"{field}.mask", "expected a mask that says what is known, got none")
    mask = read_image(message.mask, f"{field}.mask") if message.HasField("mask") else None
    if preset is None and not message.blur and times == (1, 1) and colour is None and mask is None:
        raise InvalidField(field, "expected something to undo, or a preset, got neither")
    return ParsedDegradation(message.blur, times, colour, mask, field)


def _read_times(pack: Pack, message: restoration_pb2.Resampling, field: str) -> tuple[int, int]:
    """How many times fewer columns and rows there are."""
    given = [name for name in ("rows", "columns") if message.HasField(name)]
    if not given:
        raise InvalidField(f"{field}.rows", f"expected 1 to {MOST_TIMES} here or in columns, got neither")
    for name in given:
        times = getattr(message, name)
        if not 1 <= times <= MOST_TIMES or pack.resolution % times:
            raise InvalidField(
                f"{field}.{name}",
                f"expected a divisor of {pack.resolution} from 1 to {MOST_TIMES}, got {times}",
            )
    columns, rows = (getattr(message, name if name in given else given[0]) for name in ("columns", "rows"))
    if (columns, rows) == (1, 1):
        raise InvalidField(f"{field}.{given[0]}", "expected more than 1, or no resampling, got 1")
    return columns, rows


def _read_colour(numbers: Sequence[float], field: str) -> NDArray[np.float64] | None:
    if not numbers:
        return None
    if len(numbers) != 9:
        raise InvalidField(field, f"expected nine numbers, row by row, got {len(numbers)}")
    matrix = np.array(numbers, np.float64).reshape(3, 3)
    if not np.isfinite(matrix).all():
        raise InvalidField(field, "expected finite numbers", reason="NOT_FINITE")
    if np.abs(matrix).max() > _MOST_COLOUR:
        raise InvalidField(field, f"expected numbers from -{_MOST_COLOUR:g} to {_MOST_COLOUR:g}")
    values = np.linalg.svd(matrix, compute_uv=False)
    least = LOST * max(1.0, values[0])
    grey = values[0] > least and np.ptp(matrix, axis=0).max() <= least
    if not grey and values[2] <= least:
        raise InvalidField(
            field,
            "expected a matrix that can be undone, or three equal rows, which make grey; it is singular",
            reason="SINGULAR",
        )
    return matrix
