"""Images of codes: given ones, edited ones, and those that seeds draw."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.code_edits import CodeEdit, applied, within_range
from relatent.core.codes import Codes
from relatent.core.edits import LearnedMove
from relatent.core.graphs import Role, move_role
from relatent.core.pack import Pack
from relatent.core.spaces import CODE, Space
from relatent.core.targets import AttributeTarget, SearchOutcome
from relatent.core.text import TextMove
from relatent_service.editing.canvas import Canvas, EditedSource
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
        async with self._admission.slot(images_work(pack, codes), call):
            return await self._images(pack, codes, call)

    async def edit(
        self, pack: Pack, code: Codes, edit: CodeEdit, call: Call, region: Region | None = None
    ) -> Images:
        """The images of one code, edited; within a region only, where there is one.

        Raises:
            CodeOutOfRange: an operation leaves the range of float32.
            NotReadable: the attribute network does not read what a target is to move.
            NothingRelevant: no channel is as relevant to a text as was asked.
        """
        work = edit_work(pack, code.space, edit, within=region is not None)
        async with self._admission.slot(work, call) as slot:
            return await self.edit_inverted(pack, code, edit, call, slot, region)

    async def edit_again(
        self, pack: Pack, source: EditedSource, edit: CodeEdit, call: Call, region: Region | None
    ) -> Images:
        """The same of a code that is edited again and again, always within the same region or none."""
        work = edit_work(pack, source.code.space, edit, within=region is not None)
        async with self._admission.slot(work, call) as slot:
            canvas = Canvas(pack, self._models, self._admission, slot, call, source)
            return await self._edited(pack, source.code, edit, call, canvas, region)

    async def edit_inverted(
        self, pack: Pack, code: Codes, edit: CodeEdit, call: Call, slot: Slot, region: Region | None = None
    ) -> Images:
        """The same for a call that has its slot, since it inverted an image first."""
        canvas = Canvas(pack, self._models, self._admission, slot, call)
        return await self._edited(pack, code, edit, call, canvas, region)

    async def _edited(
        self, pack: Pack, code: Codes, edit: CodeEdit, call: Call, canvas: Canvas, region: Region | None
    ) -> Images:
        if region is not None:
            await canvas.confine(region, code)
        codes, pixels, outcomes = code.broadcast(pack.layers), None, []
        for index, operation in enumerate(edit.operations):
            pixels = None
            match operation:
                case AttributeTarget():
                    reached = await reach(pack, codes, operation, canvas, call)
                    codes, pixels = reached.codes, reached.pixels
                    outcomes.append(reached.outcomes)
                case LearnedMove():
                    codes = within_range(await canvas.moved(codes, operation), index)
                case TextMove():
                    codes = within_range(await canvas.styled(codes, operation), index)
                case _:
                    codes = applied(operation, index, codes)
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
        async with self._admission.slot(samples_work(pack, len(z)), call):
            codes = Codes.plain(await self._models.map(pack, z, psi, call))
            return await self._images(pack, codes, call)

    async def _images(self, pack: Pack, codes: Codes, call: Call) -> Images:
        return Images(pack, codes, await self._models.synthesize(pack, codes, call))


def images_work(pack: Pack, codes: Codes) -> Work:
    """What images of codes will ask of the engine."""
    return Work({pack.graph(pack.spaces[codes.space].graph): len(codes)})


def samples_work(pack: Pack, samples: int) -> Work:
    """What so many random images will ask of the engine."""
    return Work({pack.graph(Role.MAP): samples, pack.graph(Role.SYNTHESIZE): samples})


def edit_work(pack: Pack, space: Space, edit: CodeEdit, *, within: bool) -> Work:
    """What an edit of a code of a space will ask of the engine, within a region or not."""
    met = edit.spaces(Space.W_PLUS if space is Space.W else space)
    sure, tries = Counter[str](), Counter[str]()

    def read(where: Space) -> list[str]:
        shape = pack.spaces[where]
        # Within a region, of images that are blended after they are made.
        roles = [shape.graph, Role.ATTRIBUTES] if within else [shape.read_graph]
        return [pack.graph(role) for role in roles]

    codes = 1  # as many as there are once a strip is made
    for operation, where in zip(edit.operations, met, strict=False):
        before, codes = codes, edit.images if len(operation.strip) > 1 else codes
        match operation:
            case AttributeTarget():
                for graph in read(where):
                    sure[graph] += before + codes
                    tries[graph] += codes * (operation.max_rounds - 1)
            case LearnedMove():
                sure[pack.graph(move_role(operation.direction.name))] += codes
            case TextMove():
                sure[pack.graph(Role.TEXT)] += 2
    if not edit.operations or not isinstance(edit.operations[-1], AttributeTarget):
        sure[pack.graph(pack.spaces[met[-1]].graph)] += edit.images
    if within:
        sure[pack.graph(pack.spaces[space].graph)] += 1
    return Work(sure + tries, sure if edit.targets else None)
