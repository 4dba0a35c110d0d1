"""Images of codes: given ones, edited ones, and those that seeds draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.code_edits import CodeEdit, applied
from relatent.core.codes import Codes
from relatent.core.graphs import Role
from relatent.core.pack import Pack
from relatent.core.spaces import CODE, Space
from relatent.core.targets import AttributeTarget, SearchOutcome
from relatent_service.editing.canvas import Canvas
from relatent_service.editing.exact import reach
from relatent_service.editing.region import Region
from relatent_service.engine.models import Models
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Slot, Work

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Images:
    """Codes of a pack, and their images.

    Attributes:
        pack: whose codes.
        codes: N of them.
        pixels: uint8 [N, R, R, 3].
        outcomes: for each target of the edit that made them, what became of it: one, or one for each code.
        border_errors: how visible the border of the region is that the edit was confined to, of each; None
            where it was confined to none.
    """

    pack: Pack
    codes: Codes
    pixels: Pixels
    outcomes: tuple[list[SearchOutcome], ...] = ()
    border_errors: list[float] | None = None


class Synthesizer:
    """Makes images, each call's with a slot of its own.

    Every method may raise what `Admission.slot` and the engine raise.
    """

    def __init__(self, models: Models, admission: Admission) -> None:
        self._models = models
        self._admission = admission

    async def synthesize(self, pack: Pack, codes: Codes, call: Call) -> Images:
        """The images of codes of one space."""
        graph = pack.graph(pack.spaces[codes.space].graph)
        async with self._admission.slot(Work({graph: len(codes)}), call):
            return await self._images(pack, codes, call)

    async def edit(
        self, pack: Pack, code: Codes, edit: CodeEdit, call: Call, region: Region | None = None
    ) -> Images:
        """The images of one code, edited; within a region only, where there is one.

        Raises:
            CodeOutOfRange: an operation leaves the range of float32.
            NotReadable: the attribute network does not read what a target is to move.
        """
        async with self._admission.slot(_work(pack, code.space, edit, region), call) as slot:
            return await self.edit_inverted(pack, code, edit, call, slot, region)

    async def edit_inverted(
        self, pack: Pack, code: Codes, edit: CodeEdit, call: Call, slot: Slot, region: Region | None = None
    ) -> Images:
        """The same for a call that has its slot, since it inverted an image first."""
        canvas = Canvas(pack, self._models, self._admission, slot, call)
        if region is not None:
            await canvas.confine(region, code)
        codes, pixels, outcomes = code.broadcast(pack.layers), None, []
        for index, operation in enumerate(edit.operations):
            if isinstance(operation, AttributeTarget):
                reached = await reach(pack, codes, operation, canvas, call)
                codes, pixels = reached.codes, reached.pixels
                outcomes.append(reached.outcomes)
            else:
                codes, pixels = applied(operation, index, codes), None
        if pixels is None:
            pixels = await canvas.draw(codes)
        return Images(pack, codes, pixels, tuple(outcomes), canvas.border_errors(pixels))

    async def read(self, pack: Pack, image: Pixels, call: Call) -> NDArray[np.float32]:
        """What an image uint8 [R, R, 3] reads of the pack's attributes, float32 [A]."""
        async with self._admission.slot(Work({pack.graph(Role.ATTRIBUTES): 1}), call):
            readings: NDArray[np.float32] = (await self._models.attributes(pack, image[None], call))[0]
            return readings

    async def sample(
        self, pack: Pack, z: NDArray[np.float32], moves: CodeEdit, psi: float, call: Call
    ) -> Images:
        """Random images.

        Args:
            pack: of which.
            z: what was drawn, float32 [N, Z], one image each.
            moves: along directions of Z, of what was drawn.
            psi: truncation, 0 to 1.
            call: on whose behalf.

        Raises:
            CodeOutOfRange: a move leaves the range of float32.
        """
        z = moves.apply(Codes(Space.Z, {CODE: z[:, None]})).w[:, 0]
        work = Work({pack.graph(Role.MAP): len(z), pack.graph(Role.SYNTHESIZE): len(z)})
        async with self._admission.slot(work, call):
            codes = Codes.plain(await self._models.map(pack, z, psi, call))
            return await self._images(pack, codes, call)

    async def _images(self, pack: Pack, codes: Codes, call: Call) -> Images:
        return Images(pack, codes, await self._models.synthesize(pack, codes, call))


def _work(pack: Pack, space: Space, edit: CodeEdit, region: Region | None) -> Work:
    """What an edit of a code will ask of the engine."""
    shape = pack.spaces[space]
    draw, read = pack.graph(shape.graph), pack.graph(shape.read_graph)
    before = 0 if region is None else 1
    if not edit.targets:
        return Work({draw: edit.images + before})
    if region is None:
        return Work({read: edit.most_images}, {read: edit.least_images})
    attributes = pack.graph(Role.ATTRIBUTES)  # of images that are blended after they are made
    most, least = edit.most_images, edit.least_images
    return Work({draw: most + before, attributes: most}, {draw: least + before, attributes: least})
