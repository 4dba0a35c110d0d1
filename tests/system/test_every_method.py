"""Every method of the demo pack through the real service and its Triton."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import relatent
from relatent.core.degradation import GREY
from relatent.core.pack import read_pack
from relatent.core.spaces import PLAIN
from tests.system.processes import ServiceProcess

ROOT = Path(__file__).parents[2]
PACK = read_pack(ROOT / "packs/demo")
REFINING = [name for name, method in PACK.methods.items() if method.graph is not None]
DRAWINGS = sorted((ROOT / "packs/demo/drawings").glob("*.png"))
STEPS = 13
"""More than a call of the graph does, and not a multiple of it."""


def asked(method: str) -> Any:
    """Options: the method, and a text where it takes one."""
    text = {"text": "an old person with glasses"} if PACK.methods[method].takes_text else {}
    return {"method": method, **text}


def mask(side: int = 64) -> NDArray[np.uint8]:
    """The left half counts."""
    half = np.zeros((side, side, 3), np.uint8)
    half[:, : side // 2] = 255
    return half


def same(one: relatent.Inversion, other: relatent.Inversion) -> None:
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-2)
    assert one.latent.space == other.latent.space
    assert one.latent.parts.keys() == other.latent.parts.keys()


@pytest.mark.parametrize("method", REFINING)
def test_it_descends_in_its_own_space_and_the_best_code_is_the_answer(
    client: relatent.Client, method: str
) -> None:
    reports: list[relatent.Progress] = []
    found = client.invert(DRAWINGS[0], **asked(method), steps=STEPS, progress=reports.append)
    assert (found.method, found.steps) == (method, STEPS)
    assert found.latent.space is PACK.methods[method].space
    assert min(found.losses) < 0.9 * found.losses[0]
    assert reports[-1].best_loss == pytest.approx(min(found.losses))
    again = client.synthesize([found.latent])[0]
    np.testing.assert_array_equal(again.image.array, found.reconstruction.array)
    assert (found.beyond is not None) == (
        found.latent.space in (relatent.Space.FEATURE, relatent.Space.LAYERED)
    )
    if found.beyond is not None:
        assert found.beyond.array.max() > 0
    assert found.in_domain is not None
    assert 0.001 < found.in_domain.score < 1
    assert (found.in_domain.code_cycle is None) == (found.latent.space is relatent.Space.MULTI)


@pytest.mark.parametrize("method", REFINING)
async def test_requests_of_other_weights_and_masks_share_its_batches_and_change_nothing(
    demo: ServiceProcess, method: str
) -> None:
    options = [
        dict(**asked(method), steps=STEPS),
        dict(**asked(method), steps=STEPS, weights={"pixel": 3.0}),
        dict(**asked(method), steps=STEPS, mask=mask()),
        dict(**asked(method), steps=STEPS - 4, learning_rate=3e-4),
    ]
    async with relatent.AsyncClient(demo.address, timeout=120) as client:
        alone = [
            await client.invert(drawing, **each) for drawing, each in zip(DRAWINGS[:4], options, strict=True)
        ]
        together = await asyncio.gather(
            *(client.invert(drawing, **each) for drawing, each in zip(DRAWINGS[:4], options, strict=True))
        )
    for one, other in zip(alone, together, strict=True):
        same(one, other)


@pytest.mark.parametrize("method", [name for name in REFINING if not PACK.methods[name].takes_text])
def test_what_the_mask_leaves_out_does_not_count(client: relatent.Client, method: str) -> None:
    drawing = client.invert(DRAWINGS[1], **asked(method), steps=0, start="mean").reconstruction.array
    spoilt = drawing.copy()
    spoilt[:, 32:] = 255 - spoilt[:, 32:]
    one, other = (
        client.invert(
            image, **asked(method), steps=STEPS, start="mean", mask=mask(), weights={"perceptual": 0.0}
        )
        for image in (drawing, spoilt)
    )
    same(one, other)


@pytest.mark.parametrize("method", REFINING)
def test_it_goes_on_from_a_checkpoint_as_if_it_had_not_been_interrupted(
    client: relatent.Client, method: str
) -> None:
    kept: list[relatent.Checkpoint] = []

    def keep(report: relatent.Progress) -> None:
        if report.checkpoint is not None and 0 < report.steps < STEPS:
            kept.append(report.checkpoint)

    whole = client.invert(DRAWINGS[2], **asked(method), steps=STEPS, progress=keep)
    checkpoint = relatent.Checkpoint.from_bytes(kept[-1].to_bytes())
    again = asked(method)
    del again["method"]  # the checkpoint's; image, mask and text are given again
    resumed = client.invert(DRAWINGS[2], **again, start=checkpoint, steps=STEPS)
    assert resumed.method == method
    same(whole, resumed)
    np.testing.assert_allclose(resumed.latent.values, whole.latent.values, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", REFINING)
def test_budgets_deadlines_and_plateaus_end_it_with_the_best_so_far(
    client: relatent.Client, method: str
) -> None:
    ended = {
        "time_budget": client.invert(DRAWINGS[3], **asked(method), steps=2000, time_budget=0.2),
        "deadline": client.invert(
            DRAWINGS[3], **asked(method), steps=2000, best_at_deadline=True, timeout=1.2
        ),
        "plateau": client.invert(
            DRAWINGS[3], **asked(method), steps=2000, plateau=relatent.Plateau(5, 0.999), timeout=60
        ),
        "target_loss": client.invert(DRAWINGS[3], **asked(method), steps=2000, target_loss=1.0),
    }
    for reason, found in ended.items():
        assert found.stop_reason.value == reason
        assert found.steps < 2000


@pytest.mark.parametrize("method", PACK.methods)
def test_its_codes_are_kept_in_files_and_edited_like_any_other(
    client: relatent.Client, method: str, tmp_path: Path
) -> None:
    found = client.invert(DRAWINGS[4], **asked(method), steps=0)
    found.latent.save(tmp_path / "code.safetensors")
    latent = relatent.LatentCode.load(tmp_path / "code.safetensors")
    strip = client.edit(latent, [relatent.Move("hair_tone", [-2.0, 0.0, 2.0])]).images
    assert len(strip) == 3
    np.testing.assert_array_equal(strip[1].image.array, found.reconstruction.array)
    assert np.abs(strip[0].image.array.astype(int) - strip[2].image.array).mean() > 1
    space = found.latent.space
    for edited in strip:
        assert edited.latent.space is (relatent.Space.W_PLUS if space is relatent.Space.W else space)
        for name, part in latent.parts.items():
            np.testing.assert_array_equal(edited.latent.parts[name], part)
    if space is relatent.Space.MULTI:
        with pytest.raises(
            relatent.InvalidArgumentError, match=r"operations\[0\].reduction: a code of multi"
        ):
            client.edit(latent, [relatent.Reduce()])
    else:
        (reduced,) = client.edit(latent, [relatent.Reduce()]).images
        assert reduced.latent.space in PLAIN
        np.testing.assert_array_equal(reduced.latent.values[-1], np.atleast_2d(latent.values)[-1])


@pytest.mark.parametrize("method", PACK.methods)
def test_an_image_is_inverted_by_it_and_edited_in_one_call(client: relatent.Client, method: str) -> None:
    options: Any = {**asked(method), "steps": 0}
    edit = client.edit(DRAWINGS[4], [relatent.Move("hair_tone", 1.0)], invert=options)
    assert edit.inversion is not None
    assert edit.inversion.method == method
    assert edit.images[0].image.array.shape == (64, 64, 3)


def test_the_encoder_alone_takes_no_steps_and_says_so(client: relatent.Client) -> None:
    found = client.invert(DRAWINGS[0], method="encoder")
    assert (found.steps, found.losses) == (0, ())
    with pytest.raises(
        relatent.InvalidArgumentError, match="steps: expected 0: method 'encoder' does not refine"
    ):
        client.invert(DRAWINGS[0], method="encoder", steps=1)


def test_several_starts_share_a_batch_and_the_best_is_kept(client: relatent.Client) -> None:
    alone = client.invert(DRAWINGS[0], method="optimize", steps=STEPS)
    kept: list[relatent.Progress] = []
    best = client.invert(DRAWINGS[0], method="optimize", steps=STEPS, restarts=4, progress=kept.append)
    assert min(best.losses) <= min(alone.losses) * 1.001
    assert best.latent.values.shape == alone.latent.values.shape
    half = next(report.checkpoint for report in kept if report.steps and report.steps < STEPS)
    assert half is not None
    same(best, client.invert(DRAWINGS[0], start=half, steps=STEPS))
    with pytest.raises(
        relatent.InvalidArgumentError, match="restarts: expected the checkpoint's, 4, or 0, got 2"
    ):
        client.invert(DRAWINGS[0], start=half, restarts=2)
    with pytest.raises(relatent.InvalidArgumentError, match="restarts: expected 0 to 8, got 9"):
        client.invert(DRAWINGS[0], method="optimize", restarts=9)


def test_presets_are_methods_and_steps_that_a_person_need_not_know(client: relatent.Client) -> None:
    fast = client.invert(DRAWINGS[0], quality="fast")
    assert (fast.method, fast.steps) == ("encoder", 0)
    balanced = client.invert(DRAWINGS[0], quality="balanced")
    choice = client.pack("demo").presets[relatent.Preset.BALANCED]
    assert (balanced.method, balanced.steps) == (choice.method, choice.steps)
    assert client.invert(DRAWINGS[0], quality="balanced", steps=1).steps == 1
    assert balanced.quality.mse < fast.quality.mse
    with pytest.raises(relatent.InvalidArgumentError, match="preset: expected none beside a method"):
        client.invert(DRAWINGS[0], quality="best", method="hybrid")


def test_an_image_out_of_the_domain_is_refused_with_the_figures_and_before_it_is_refined(
    demo: ServiceProcess, client: relatent.Client
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    graph = PACK.graph("refine")
    before = demo.metric("relatent_refinement_steps_total", graph=graph)
    with pytest.raises(
        relatent.PreconditionError, match=r"image: expected an image of score 0\.01 or more, got one of"
    ):
        client.invert(noise, min_in_domain=0.01)
    assert demo.metric("relatent_refinement_steps_total", graph=graph) == before
    assert client.invert(DRAWINGS[0], min_in_domain=0.01, steps=1).in_domain is not None
    with pytest.raises(relatent.InvalidArgumentError, match="min_in_domain: expected 0 to 1"):
        client.invert(DRAWINGS[0], min_in_domain=1.5)


def test_a_code_with_a_part_amiss_is_refused_by_its_field(client: relatent.Client) -> None:
    latent = client.invert(DRAWINGS[0], method="feature", steps=0).latent
    values, pack, revision, space = latent.values, latent.pack, latent.revision, latent.space
    parts = dict(latent.parts)
    for changed, told in (
        (
            {"offset": parts["offset"]},
            r"latents\[0\].parts: expected offset, origin, each once, got 'offset'",
        ),
        (parts | {"offset": parts["offset"].astype(np.float32)}, "type: expected float16"),
        (parts | {"offset": parts["offset"][:1]}, r"shape: expected \[64, 32, 32\]"),
    ):
        with pytest.raises(relatent.InvalidArgumentError, match=told):
            client.synthesize([relatent.LatentCode(values, pack, revision, space, changed)])
    with pytest.raises(
        relatent.InvalidArgumentError, match=r"latents\[1\].space: expected a code of feature"
    ):
        client.synthesize([latent, latent.reduced()])


def degraded() -> list[tuple[NDArray[np.uint8], relatent.Degraded]]:
    """A drawing that something else was done to each time."""
    picture = Image.open(DRAWINGS[6]).convert("RGB")
    drawing, small, flat = (
        np.asarray(picture.resize(size, Image.Resampling.BOX)) for size in ((64, 64), (16, 16), (32, 8))
    )
    grey = np.repeat(np.rint(drawing @ GREY[0]).astype(np.uint8)[:, :, None], 3, axis=2)
    return [
        (grey, relatent.Degraded(colour=GREY.tolist())),
        (small, relatent.Degraded(fewer=4)),
        (flat, relatent.Degraded(fewer=(8, 2))),
        (np.where(mask() > 0, drawing, 0).astype(np.uint8), relatent.Degraded(mask=mask())),
        (drawing, relatent.Degraded(blur=1.5)),
    ]


def everything(
    client: relatent.AsyncClient, begun: Callable[[str], None]
) -> Iterator[Coroutine[Any, Any, relatent.Inversion | relatent.Restoration]]:
    """Inversions by every method and restorations of different degradations, which tell when they begin."""

    def note(what: str) -> Callable[[relatent.Progress], None]:
        return lambda report: begun(what) if report.steps else None

    for method in REFINING:
        yield client.invert(DRAWINGS[5], **asked(method), steps=3 * STEPS, progress=note(method))
    for image, done in degraded():
        yield client.restore(image, degraded=done, steps=3 * STEPS, progress=note("a restoration"))


async def test_a_triton_killed_amid_refinements_of_every_method_and_restorations_loses_none(
    demo: ServiceProcess,
) -> None:
    async with relatent.AsyncClient(demo.address, timeout=240) as client:
        undisturbed = [await each for each in everything(client, lambda what: None)]
        started = {what: asyncio.Event() for what in (*REFINING, "a restoration")}
        work = [asyncio.create_task(each) for each in everything(client, lambda what: started[what].set())]
        await asyncio.gather(started[REFINING[0]].wait(), started["a restoration"].wait())
        for kind in (work[: len(REFINING)], work[len(REFINING) :]):
            assert not all(task.done() for task in kind), "some of either kind are in their midst"
        killed, retries = demo.triton_pid(), demo.metric("relatent_triton_retries_total")
        demo.kill_triton()
        found = await asyncio.gather(*work)
    assert demo.triton_pid() != killed
    assert demo.metric("relatent_triton_retries_total") > retries
    for one, other in zip(found, undisturbed, strict=True):
        # Where Triton takes longer than the service repeats a call, the client goes on from a checkpoint.
        assert (one.method, one.steps) == (other.method, 3 * STEPS)
        assert len(one.losses) == 3 * STEPS
        np.testing.assert_allclose(one.losses, other.losses, rtol=1e-2)
        if isinstance(one, relatent.Restoration) and isinstance(other, relatent.Restoration):
            assert one.match.psnr == pytest.approx(other.match.psnr, abs=0.1)
            assert min(one.losses) < 0.9 * one.losses[0]
        elif isinstance(one, relatent.Inversion) and isinstance(other, relatent.Inversion):
            same(one, other)
    graph = PACK.graph("refine_restore")
    samples = demo.triton_metric("nv_inference_count_total", model=graph)
    assert 0 < demo.triton_metric("nv_inference_exec_count_total", model=graph) < samples, "they shared runs"
