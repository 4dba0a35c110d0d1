"""The callers of the soak: inversions, edits, sessions and restorations, each answer checked as it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np

from bench.graphs import Array
from relatent import (
    AsyncClient,
    Inversion,
    LatentCode,
    Move,
    RelatentError,
    Restoration,
    RestorationPreset,
)
from relatent.core.graphs import graph_name
from relatent.core.pack import Pack

STEPS = 30
TIMEOUT_SECONDS = 120.0
"""Of a call; one that is not answered by then is lost."""
STRENGTHS = (-1.0, 0.5, 1.0)
LOSS_TOLERANCE = 0.02
"""How much losses may differ, relatively: batch mates change rounding, which steps enlarge."""
PIXEL_TOLERANCE = 1.0
"""How much pixels may differ on average, of 255."""


@dataclass(frozen=True)
class SoakAnswer:
    """What came of a call.

    Attributes:
        losses: of a refinement, float [steps]; of everything else empty.
        images: uint8 [N, R, R, 3].
    """

    losses: Array
    images: Array

    def difference(self, other: SoakAnswer) -> str:
        """In what another is not the same but for rounding; empty where it is."""
        if self.losses.shape != other.losses.shape or self.images.shape != other.images.shape:
            shapes = (self.losses.shape, other.losses.shape), (self.images.shape, other.images.shape)
            return f"shapes of losses and images: {shapes}"
        pixels = float(np.abs(self.images.astype(int) - other.images).mean())
        if pixels > PIXEL_TOLERANCE or not np.allclose(self.losses, other.losses, LOSS_TOLERANCE, 1e-5):
            off = float(np.abs(self.losses / other.losses - 1).max(initial=0))
            return f"pixels by {pixels:.2f} on average, losses by {off:.1%} at most"
        return ""


@dataclass(frozen=True)
class Errand:
    """A call that is made again and again."""

    name: str
    do: Callable[[AsyncClient], Awaitable[SoakAnswer]]


@dataclass(frozen=True)
class SoakCall:
    """One that was answered. Moments are of the monotonic clock, in seconds."""

    errand: str
    began: float
    ended: float


@dataclass
class SoakOutcomes:
    """What became of all calls.

    Attributes:
        answered: those whose answers are right.
        failed: those that raised: what, and when after the start.
        wrong: those that were answered otherwise than undisturbed: in what, and when after the start.
    """

    answered: list[SoakCall] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Calls without a right answer."""
        return len(self.failed) + len(self.wrong)

    def slowest(self, begin: float, end: float) -> float:
        """Seconds of the slowest call that was under way between two moments; not those before the first."""
        during = [call for call in self.answered if call.began < end and call.ended > begin]
        return max((call.ended - max(call.began, begin) for call in during), default=0.0)


async def errands(
    client: AsyncClient, pack: Pack, repository: set[str], pictures: Sequence[Array]
) -> list[Errand]:
    """The errands that a pack is good for.

    Args:
        client: of an undisturbed service.
        pack: whose pictures they are.
        repository: names of the graphs that are served.
        pictures: uint8 [R, R, 3] each.
    """
    latent = (await client.invert(pictures[0], steps=0)).latent
    found = [_inversion(picture) for picture in pictures] + [_edit(latent, pack), _session(latent, pack)]
    if graph_name(pack.name, "refine_restore") in repository:
        found.append(_restoration(pictures[1]))
    return found


async def call_until(
    over: asyncio.Event,
    going: asyncio.Event,
    client: AsyncClient,
    turns: Sequence[tuple[Errand, SoakAnswer]],
    outcomes: SoakOutcomes,
) -> None:
    """Do errands by turns, one at a time, and hold each answer against the undisturbed one.

    Args:
        over: ends it.
        going: as long as this is not set, it begins no other.
        client: that asks.
        turns: the errands, each with its undisturbed answer.
        outcomes: told of each.
    """
    for turn in cycle(turns):
        await going.wait()
        if over.is_set():
            return
        await call_each(client, [turn], outcomes)


async def call_each(
    client: AsyncClient, turns: Sequence[tuple[Errand, SoakAnswer]], outcomes: SoakOutcomes
) -> None:
    """Do errands one after the other, and hold each answer against the undisturbed one."""
    for errand, undisturbed in turns:
        began = time.monotonic()
        try:
            answer = await errand.do(client)
        except RelatentError as error:
            seconds = time.monotonic() - began
            outcomes.failed.append(f"{errand.name}, after {seconds:.1f} s: {type(error).__name__}: {error}")
            continue
        if difference := answer.difference(undisturbed):
            seconds = time.monotonic() - began
            outcomes.wrong.append(f"{errand.name}, after {seconds:.1f} s: {difference}")
        else:
            outcomes.answered.append(SoakCall(errand.name, began, time.monotonic()))


def _inversion(picture: Array) -> Errand:
    async def do(client: AsyncClient) -> SoakAnswer:
        return _refined(await client.invert(picture, steps=STEPS))

    return Errand("inversion", do)


def _restoration(picture: Array) -> Errand:
    grey = np.repeat(picture.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)

    async def do(client: AsyncClient) -> SoakAnswer:
        return _refined(await client.restore(grey, RestorationPreset.COLORIZE, steps=STEPS))

    return Errand("restoration", do)


def _edit(latent: LatentCode, pack: Pack) -> Errand:
    direction = pack.attributes[0].name

    async def do(client: AsyncClient) -> SoakAnswer:
        edit = await client.edit(latent, [Move(direction, STRENGTHS)])
        return _images([edited.image.array for edited in edit.images])

    return Errand("edit", do)


def _session(latent: LatentCode, pack: Pack) -> Errand:
    direction = pack.attributes[0].name

    async def do(client: AsyncClient) -> SoakAnswer:
        async with client.edit_session(latent) as session:
            images = []
            for strength in STRENGTHS:
                session.change([Move(direction, strength)])
                images.append((await session.answer()).edited.image.array)
            return _images(images)

    return Errand("session", do)


def _refined(found: Inversion | Restoration) -> SoakAnswer:
    image = found.reconstruction if isinstance(found, Inversion) else found.image
    return SoakAnswer(np.asarray(found.losses), image.array[None])


def _images(images: Sequence[Array]) -> SoakAnswer:
    return SoakAnswer(np.empty(0), np.stack(images))
