"""The region that an edit is confined to, all but its mask's pixels checked."""

from __future__ import annotations

from dataclasses import dataclass

from relatent.core.fit import Fit
from relatent.core.pack import Pack
from relatent.v1 import diffusion_pb2, editing_pb2
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Encoded
from relatent_service.rpc.reading.options import ParsedInversion, read_fit
from relatent_service.rpc.reading.values import read_image

MOST_FEATHER = 0.25
"""Of an image's side: a border any softer leaves nothing of the region."""


@dataclass(frozen=True)
class ParsedRegion:
    """A region asked for.

    `relatent_service.rpc.reading.images` decodes it.

    Attributes:
        mask: white where the edit shows.
        fit: what to do where it is not square.
        feather: standard deviation of its blur, in pixels of the pack's images.
        like: the picture whose proportions it has; None: any.
    """

    mask: Encoded
    fit: Fit
    feather: float
    like: Encoded | None = None


def read_region(
    pack: Pack,
    request: editing_pb2.EditRequest | editing_pb2.EditSessionOpening | diffusion_pb2.DiffuseRequest,
    inversion: ParsedInversion | None = None,
    prefix: str = "",
) -> ParsedRegion | None:
    """The region of an edit, or of a diffusion; None where there is none.

    Args:
        pack: that edits.
        request: the whole of it.
        inversion: of the image that is edited, where it is one.
        prefix: what stands before `region` in the request, such as `open.`.

    Raises:
        InvalidField: a field is not what it must be.
    """
    if not request.HasField("region"):
        return None
    region, field, most = request.region, f"{prefix}region", pack.resolution * MOST_FEATHER
    fit = read_fit(region.fit, f"{field}.fit")
    if not 0 <= region.feather <= most:
        raise InvalidField(f"{field}.feather", f"expected 0 to {most:g} pixels, got {region.feather:g}")
    mask = read_image(region.mask, f"{field}.mask")
    if inversion is None:
        return ParsedRegion(mask, fit, region.feather)
    return ParsedRegion(mask, inversion.fit, region.feather, inversion.image)
