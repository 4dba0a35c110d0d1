"""What a caller asks of an edit, checked: of a code, or of an image that is inverted first."""

from __future__ import annotations

from dataclasses import dataclass

from relatent.core.codes import Codes
from relatent.core.pack import Pack
from relatent.v1 import editing_pb2
from relatent_service.catalog import ServedPacks
from relatent_service.editing.synthesizer import edit_work
from relatent_service.errors import InvalidField
from relatent_service.rpc.reading.operations import ParsedEdit, read_edit
from relatent_service.rpc.reading.options import ParsedInversion, read_inversion
from relatent_service.rpc.reading.region import ParsedRegion, read_region
from relatent_service.rpc.reading.values import read_source_code
from relatent_service.settings import ServerSettings
from relatent_service.traffic.forecast import Work


@dataclass(frozen=True)
class ParsedCodeEdit:
    """An edit of a code, all but its mask's pixels checked.

    Attributes:
        pack: whose code.
        code: one.
        edit: what to do.
        region: that it is confined to; None: all.
    """

    pack: Pack
    code: Codes
    edit: ParsedEdit
    region: ParsedRegion | None

    @property
    def work(self) -> Work:
        """What it will ask of the engine."""
        return edit_work(self.pack, self.code.space, self.edit.edit, within=self.region is not None)

    @property
    def own_work(self) -> Work:
        """The same, as there is no inversion."""
        return self.work


@dataclass(frozen=True)
class ParsedImageEdit:
    """An edit of an image, all but pixels checked.

    Attributes:
        inversion: of the image, followed by the edit.
        edit: what to do.
        region: that it is confined to; None: all.
    """

    inversion: ParsedInversion
    edit: ParsedEdit
    region: ParsedRegion | None

    @property
    def work(self) -> Work:
        """What it will ask of the engine."""
        return self.inversion.plan.work

    @property
    def own_work(self) -> Work:
        """What the edit will ask of it: all that there is to do where the image's code is known."""
        return self.inversion.plan.work_after


def read_edit_request(
    packs: ServedPacks, settings: ServerSettings, request: editing_pb2.EditRequest
) -> ParsedCodeEdit | ParsedImageEdit:
    """Check all of a request for an edit but its pixels.

    Raises:
        ServiceError: a field is not what it must be, or names something that is not there.
    """
    match request.WhichOneof("source"):
        case "latent":
            return _read_code_edit(packs, settings, request)
        case "image":
            return _read_image_edit(packs, settings, request)
        case _:
            raise InvalidField("source", "expected latent or image, got neither")


def _read_code_edit(
    packs: ServedPacks, settings: ServerSettings, request: editing_pb2.EditRequest
) -> ParsedCodeEdit:
    pack, code = read_source_code(packs, request.latent, "latent")
    edit = read_edit(pack, request.operations, settings.max_images, code.space)
    return ParsedCodeEdit(pack, code, edit, read_region(pack, request))


def _read_image_edit(
    packs: ServedPacks, settings: ServerSettings, request: editing_pb2.EditRequest
) -> ParsedImageEdit:
    source = request.image
    inversion = read_inversion(packs, settings, source.image, source.options, "image.")
    pack, space = inversion.plan.pack, inversion.plan.method.space
    edit = read_edit(pack, request.operations, settings.max_images, space)
    region = read_region(pack, request, inversion)
    after = edit_work(pack, space, edit.edit, within=region is not None)
    followed = inversion.followed_by(edit.edit.least_images + (0 if region is None else 1), after)
    return ParsedImageEdit(followed, edit, region)
