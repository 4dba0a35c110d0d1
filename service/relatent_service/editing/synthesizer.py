"""Images of codes: given ones, edited ones, and those that seeds draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.edits import CodeEdit
from relatent.core.graphs import Role
from relatent.core.pack import Pack
from relatent_service.engine.models import Models
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Work

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Images:
    """Codes of a pack, float32 [N, L, D], and their images, uint8 [N, R, R, 3]."""

    pack: Pack
    codes: Floats
    pixels: Pixels


class Synthesizer:
    """Makes images, each call's with a slot of its own.

    Every method may raise what `Admission.slot` and the engine raise.
    """

    def __init__(self, models: Models, admission: Admission) -> None:
        self._models = models
        self._admission = admission

    async def synthesize(self, pack: Pack, codes: Floats, call: Call) -> Images:
        """The images of codes float32 [N, L, D]."""
        async with self._admission.slot(Work({pack.graph(Role.SYNTHESIZE): len(codes)}), call):
            return await self._images(pack, codes, call)

    async def edit(self, pack: Pack, code: Floats, edit: CodeEdit, call: Call) -> Images:
        """The images of an edited code float32 [L, D].

        Raises:
            CodeOutOfRange: an operation leaves the range of float32.
        """
        async with self._admission.slot(Work({pack.graph(Role.SYNTHESIZE): edit.images}), call):
            return await self._images(pack, edit.apply(code[None]), call)

    async def edit_inverted(self, pack: Pack, code: Floats, edit: CodeEdit, call: Call) -> Images:
        """The same for a call that has its slot, since it inverted an image first."""
        return await self._images(pack, edit.apply(code[None]), call)

    async def sample(
        self, pack: Pack, seeds: Sequence[int], moves: CodeEdit, psi: float, call: Call
    ) -> Images:
        """Random images.

        Args:
            pack: of which.
            seeds: one image each; what a seed draws is the same on every server (`noise`).
            moves: along directions of Z, of what the seeds draw.
            psi: truncation, 0 to 1.
            call: on whose behalf.

        Raises:
            CodeOutOfRange: a move leaves the range of float32.
        """
        z = np.stack([noise(seed, pack.z_width) for seed in seeds])
        z = moves.apply(z[:, None])[:, 0]
        work = Work({pack.graph(Role.MAP): len(z), pack.graph(Role.SYNTHESIZE): len(z)})
        async with self._admission.slot(work, call):
            return await self._images(pack, await self._models.map(pack, z, psi, call), call)

    async def _images(self, pack: Pack, codes: Floats, call: Call) -> Images:
        return Images(pack, codes, await self._models.synthesize(pack, codes, call))


def noise(seed: int, width: int) -> Floats:
    """The input of the mapping network for a seed, float32 [width].

    From NumPy's legacy generator, the one whose numbers never change between versions; so a seed means
    the same on every server. Below 2**32 it is what StyleGAN's own scripts draw for that seed; seeds
    from there on use both halves of the number.
    """
    key = seed if seed < 2**32 else [seed & 0xFFFFFFFF, seed >> 32]
    return np.random.RandomState(key).randn(width).astype(np.float32)
