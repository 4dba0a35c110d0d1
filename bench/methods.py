"""What each method makes of 64 held-out drawings, through the real service and its Triton.

Inversions, reconstructions and edits are all the service's answers, by eight callers at a time. Edits ask
each factor for a quarter of its range, up and down, where the drawing's own factor leaves room; gain and leak
are read by the pack's attribute network and by the judge, which no method ever sees.

PTI (Roich et al. 2021) stands beside them on the same weights: a plain loop over fewer drawings, since its
state is a generator an image and it takes minutes. `feature_steps` are those in which `feature` reaches the
perceptual distance that the hybrid has after its default steps. `in_domain_trade` are three weights of the
domain's term; `multi_code_1` is the same method with one code.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.drawings import HeldOut
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.method_trades import feature_steps, in_domain_trade, multi_code_of_one, tuned_by_pti
from bench.serving import served
from bench.timing import significant
from relatent import AsyncClient, Inversion, LatentCode, Space
from relatent.core.codes import Codes
from relatent.core.methods import Method
from relatent.core.pack import Pack, read_pack
from relatent.core.spaces import CODE
from relatent_export.analysis.evaluation import BATCH, Evaluation, Inverted, attribute_reader
from relatent_export.demo.judge import judge_beside
from relatent_export.packs.weights import load_networks

Bytes = NDArray[np.uint8]

CALLERS = 8
_TIMEOUT = 1200.0


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `methods`, and in it by method's name the figures of
        `relatent_export.analysis.evaluation.MethodFigures`; `pti` with the same; `feature_steps`,
        `in_domain_trade`, `multi_code_1`.
    """
    count, pti = (4, 1) if settings.quick else (64, 8)
    folder = settings.packs / settings.pack
    pack = read_pack(folder)
    drawings, graphs = HeldOut.first(count), Graphs(pack, settings.repository)
    if (judge := judge_beside(folder)) is None:
        raise ValueError(f"{folder}: expected a judge beside the pack: relatent-export demo judge")
    readers = {"own": attribute_reader(graphs), "judge": judge}
    networks = load_networks(folder, pack.compare_size)
    evaluation = Evaluation(graphs, networks, drawings.images, drawings.edits(pack), drawings.ranges, readers)
    return {
        "multi_code_1": multi_code_of_one(evaluation, networks, steps=2 if settings.quick else 100),
        "feature_steps": feature_steps(evaluation, most=10 if settings.quick else 100),
        "in_domain_trade": in_domain_trade(evaluation, steps=2 if settings.quick else 100),
        "pti": tuned_by_pti(evaluation, networks, pti, steps=3 if settings.quick else 350),
        "methods": asyncio.run(_through_the_service(settings, pack, evaluation, quick=settings.quick)),
        "images": count,
        "pti_images": pti,
        "callers": CALLERS,
    }


def reconstructing(pack: Pack) -> list[Method]:
    """The methods that make images as they are."""
    return [method for method in pack.methods.values() if method.reconstructs]


async def _through_the_service(
    settings: BenchSettings, pack: Pack, evaluation: Evaluation, *, quick: bool
) -> dict[str, Any]:
    figures = {}
    async with (
        served(settings, max_inflight=2 * CALLERS) as service,
        AsyncClient(service.address, timeout=_TIMEOUT, max_message_bytes=256 << 20) as client,
    ):
        for method in reconstructing(pack):
            steps = min(method.default_steps, 4) if quick else method.default_steps
            inverted = await _invert(client, method, evaluation.images, steps)
            images_of = _synthesized(client, pack, asyncio.get_running_loop())
            found = await asyncio.to_thread(evaluation.figures, method, inverted, images_of)
            figures[method.name] = {name: significant(value) for name, value in found.known().items()}
    return figures


async def _invert(client: AsyncClient, method: Method, images: Bytes, steps: int) -> Inverted:
    waiting, found = list(enumerate(images)), {}

    async def caller() -> None:
        while waiting:
            index, image = waiting.pop(0)
            found[index] = await client.invert(image, method=method.name, steps=steps)

    await client.invert(images[0], method=method.name, steps=min(steps, 2))
    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    seconds = (time.perf_counter() - began) / len(images)
    codes = Codes.joined([_codes(found[index]) for index in range(len(images))])
    return Inverted(codes, steps, seconds)


def _codes(inversion: Inversion) -> Codes:
    latent = inversion.latent
    return Codes(latent.space, {CODE: latent.values[None], **{n: p[None] for n, p in latent.parts.items()}})


def _synthesized(
    client: AsyncClient, pack: Pack, loop: asyncio.AbstractEventLoop
) -> Callable[[Codes], Bytes]:
    """Codes to images by the service, from another thread than its client's."""

    async def images(codes: Codes) -> Bytes:
        chunks = [codes[at : at + BATCH] for at in range(0, len(codes), BATCH)]
        answers = []
        for at in range(0, len(chunks), CALLERS):
            calls = [client.synthesize(_latents(chunk, pack)) for chunk in chunks[at : at + CALLERS]]
            answers += await asyncio.gather(*calls)
        return np.stack([made.image.array for answer in answers for made in answer])

    return lambda codes: asyncio.run_coroutine_threadsafe(images(codes), loop).result()


def _latents(codes: Codes, pack: Pack) -> list[LatentCode]:
    return [
        LatentCode(
            codes.w[index],
            pack.name,
            pack.revision,
            Space(codes.space),
            {name: part[index] for name, part in codes.carried.items()},
        )
        for index in range(len(codes))
    ]
