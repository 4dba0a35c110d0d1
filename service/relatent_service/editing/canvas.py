"""What a pack's graphs make of an edit's codes: images, whole or within a region, readings, some moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.edits import LearnedMove
from relatent.core.graphs import Role, move_role
from relatent.core.pack import Pack
from relatent.core.text import TextMove
from relatent_service.editing.region import Region
from relatent_service.engine.models import Models
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Slot

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


class NothingRelevant(ArithmeticError):
    """No channel of the styles is as relevant to a text as was asked.

    Attributes:
        move: the text's.
    """

    def __init__(self, move: TextMove) -> None:
        super().__init__(f"no channel has a relevance of {move.beta:g} or more")
        self.move = move


@dataclass(eq=False)
class EditedSource:
    """A code that is edited again and again, always the same way confined; what it shows is made once.

    Attributes:
        code: one, of any space but W.
        drawn: its image, uint8 [1, R, R, 3], once it was made.
        read: what `Canvas.read` made of it, once it did.
    """

    code: Codes
    drawn: Pixels | None = None
    read: tuple[Pixels, Floats] | None = None


class Canvas:
    """Moves one call's codes, and makes and reads their images.

    Every method may raise what the engine raises.

    Args:
        pack: whose codes.
        models: what runs the graphs.
        admission: told of what is done.
        slot: the call's.
        call: on whose behalf.
        source: what is edited, where other calls edit it, too.
    """

    def __init__(
        self,
        pack: Pack,
        models: Models,
        admission: Admission,
        slot: Slot,
        call: Call,
        source: EditedSource | None = None,
    ) -> None:
        self._pack, self._models, self._call = pack, models, call
        self._admission, self._slot, self._source = admission, slot, source
        self._region: Region | None = None
        self._before: Pixels | None = None

    async def confine(self, region: Region, code: Codes) -> None:
        """From now on show images within a region only, and outside it that of one code."""
        self._before, self._region = (await self.draw(code))[0], region

    async def draw(self, codes: Codes) -> Pixels:
        """The images of codes, uint8 [N, R, R, 3]."""
        source = self._source
        if source is None or codes is not source.code:
            pixels = await self._models.synthesize(self._pack, codes, self._call)
        else:
            if source.drawn is None:
                source.drawn = await self._models.synthesize(self._pack, codes, self._call)
            pixels = source.drawn
        self._done(self._pack.spaces[codes.space].graph, len(codes))
        if self._region is None or self._before is None:
            return pixels
        return self._region.blended(self._before, pixels)

    async def read(self, codes: Codes) -> tuple[Pixels, Floats]:
        """The same images, and what they read of attributes, float32 [N, A]."""
        source = self._source
        if source is None or codes is not source.code:
            read = await self._read(codes)
        else:
            if source.read is None:
                source.read = await self._read(codes)
            read = source.read
        whole = self._region is None
        self._done(self._pack.spaces[codes.space].read_graph if whole else Role.ATTRIBUTES, len(codes))
        return read

    async def moved(self, codes: Codes, move: LearnedMove) -> Codes:
        """Codes moved along a learned direction."""
        strengths = np.array(move.strengths, np.float32)
        w = np.repeat(codes.w, len(strengths), axis=0) if len(codes) == 1 else codes.w
        if len(strengths) < len(w):
            strengths = np.repeat(strengths, len(w))
        moved = await self._models.move(self._pack, move.direction.name, w, strengths, self._call)
        self._done(move_role(move.direction.name), len(w))
        return codes.with_w(moved)

    async def styled(self, codes: Codes, move: TextMove) -> Codes:
        """Codes of W+ or S moved towards what a text says, as codes of S."""
        assert self._pack.text is not None
        neutral, prompt = await self._models.embed(self._pack, (move.neutral, move.prompt), self._call)
        self._done(Role.TEXT, 2)
        change = self._pack.text.change(neutral, prompt, move.beta)
        strengths = np.array(move.strengths, np.float32)
        if not change.any():
            raise NothingRelevant(move)
        with np.errstate(over="ignore", invalid="ignore"):
            ways = strengths[:, None, None] * change
            return codes.styled(lambda styles: styles + ways, len(change))

    def border_errors(self, pixels: Pixels) -> list[float] | None:
        """How visible the region's border is in each image; None without a region."""
        if self._region is None or self._before is None:
            return None
        return self._region.border_errors(self._before, pixels)

    async def _read(self, codes: Codes) -> tuple[Pixels, Floats]:
        if self._region is None:
            return await self._models.read(self._pack, codes, self._call)
        pixels = await self.draw(codes)
        return pixels, await self._models.attributes(self._pack, pixels, self._call)

    def _done(self, role: str, runs: int) -> None:
        self._admission.advance(self._slot, self._pack.graph(role), runs)
