"""Restorations through the service: of a linear generator, so that what they ought to find is known."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from relatent.core.degradation import GREY
from relatent.v1 import inversion_pb2, types_pb2
from relatent.v1 import restoration_pb2 as v1
from relatent_service.engine.engine import Engine
from tests.fixtures import tiny
from tests.fixtures.degraded import (
    DONE,
    KNOWN,
    MASK,
    STEPS,
    TRUTH,
    Pixels,
    asked,
    degraded,
    picture,
    restore,
    shrunk,
    stream,
    to_bytes,
)
from tests.fixtures.engines import BatchingEngine
from tests.fixtures.requests import read_code, read_pixels, reason, violated
from tests.fixtures.running import Running, running_server

PRESETS: dict[str, tuple[Any, dict[str, Any]]] = {
    "colorize": (lambda x: x @ GREY.T, {"preset": v1.RESTORATION_PRESET_COLORIZE}),
    "upscale": (lambda x: shrunk(x, 2, 2), {"preset": v1.RESTORATION_PRESET_UPSCALE}),
    "inpaint": (
        lambda x: x * KNOWN[:, :, None],
        {"preset": v1.RESTORATION_PRESET_INPAINT, "degradation": v1.Degradation(mask=MASK)},
    ),
    "denoise": (lambda x: x, {"preset": v1.RESTORATION_PRESET_DENOISE}),
}


def off(one: Pixels, other: Pixels) -> float:
    """Root mean square, in levels of 256."""
    return float(np.sqrt(np.mean((np.asarray(one, float) - other) ** 2)))


async def test_what_was_done_to_an_image_is_undone(restoring: Running) -> None:
    for name in DONE:
        given, options = degraded(name)
        result = await restore(restoring, given, options)
        pixels = read_pixels(result.image)
        assert pixels.shape == (8, 8, 3)
        np.testing.assert_array_equal(pixels, tiny.generate(read_code(result.latent)[None])[0])
        assert off(pixels, TRUTH) < 2, f"{name}: eight numbers are determined by what is left"
        assert (result.method, result.steps, len(result.losses)) == ("restore", STEPS, STEPS)
        assert result.stop_reason == inversion_pb2.STOP_REASON_STEPS
        assert 0 < result.timings.inference.ToNanoseconds() <= result.timings.total.ToNanoseconds()


async def test_the_match_is_of_the_answer_degraded_and_what_was_given(restoring: Running) -> None:
    for name, (do, _) in DONE.items():
        given, options = degraded(name, steps=2)
        result = await restore(restoring, given, options)
        away = (do(read_pixels(result.image)) - given.astype(float)) / 255
        away = away[:, : {"half unknown": 4, "all at once": 3}.get(name, 8)]
        assert result.match.mse == pytest.approx(np.mean(away**2), rel=1e-3, abs=1e-7), name
        assert result.match.psnr == pytest.approx(-10 * np.log10(result.match.mse), rel=1e-4)


async def test_a_word_for_what_an_image_lacks_is_enough(restoring: Running) -> None:
    for name, (do, options) in PRESETS.items():
        noise = np.random.default_rng(0).normal(scale=25 if name == "denoise" else 0, size=TRUTH.shape)
        given = to_bytes(do(TRUTH + noise))
        result = await restore(restoring, given, asked(**options))
        found = read_pixels(result.image)
        if name == "denoise":
            assert off(found, TRUTH) < 0.25 * off(given, TRUTH)
        else:
            assert off(found, TRUTH) < 2, name
            assert result.match.psnr > 45, name


async def test_an_image_is_upscaled_from_its_own_size(restoring: Running) -> None:
    for side in (1, 3, 4, 5):
        given = to_bytes(of_size(TRUTH, side))
        result = await restore(restoring, given, asked(preset=v1.RESTORATION_PRESET_UPSCALE))
        assert result.match.psnr > 45
        if side > 1:
            assert off(read_pixels(result.image), TRUTH) < 3
        else:
            assert np.abs(read_pixels(result.image).mean((0, 1)) - given[0, 0]).max() < 1


def of_size(pixels: Pixels, side: int) -> Pixels:
    """Means of areas that need not divide: of an image that is first made so many times as fine."""
    fine = pixels.repeat(side, 0).repeat(side, 1)
    return shrunk(fine, 8, 8)


async def test_an_image_that_is_not_square_is_cropped_or_padded(restoring: Running) -> None:
    """What the fit makes of it is what is restored."""
    wide = to_bytes(np.random.default_rng(2).normal(128, 30, (4, 6, 3)))
    padded = np.pad(wide, [(1, 1), (0, 0), (0, 0)], mode="edge")
    for fit, made in ((types_pb2.FIT_CROP, wide[:, 1:5]), (types_pb2.FIT_PAD, padded)):
        options = asked(steps=8, preset=v1.RESTORATION_PRESET_UPSCALE, fit=fit)
        one, other = [await restore(restoring, each, options) for each in (wide, made)]
        assert (one.image, one.latent, one.match) == (other.image, other.latent, other.match)


async def test_what_is_known_is_put_back_on_request(restoring: Running) -> None:
    for name in ("half unknown", "grey", "fewer rows", "all at once"):
        given, options = degraded(name, steps=1, keep_known=True)
        result = await restore(restoring, given, options)
        pixels, found = read_pixels(result.image), tiny.generate(read_code(result.latent)[None])[0]
        assert off(found, TRUTH) > 5, "it is far from done"
        assert result.match.psnr > (45 if name == "all at once" else 50), name
        if name == "half unknown":
            np.testing.assert_array_equal(pixels[KNOWN], given[KNOWN])
            np.testing.assert_array_equal(pixels[~KNOWN], found[~KNOWN])
            assert (result.match.mse, result.match.psnr) == (0, 100)
        if name == "grey":
            np.testing.assert_allclose(pixels @ GREY[0], given[:, :, 0], atol=1.5)


async def test_an_image_larger_than_what_remains_of_it_is_brought_to_that(restoring: Running) -> None:
    fine = np.kron(tiny.random_image(1), np.ones((3, 3, 1))).astype(np.uint8)
    options = asked(degradation=v1.Degradation(resampling=v1.Resampling(rows=2)))
    result = await restore(restoring, fine, options)
    assert off(read_pixels(result.image), TRUTH) < 2


async def test_restorations_of_different_degradations_share_batches_and_change_nothing(
    restoring: Running, restoring_root: Path
) -> None:
    work = [degraded(name) for name in DONE]
    alone = [await restore(restoring, *each) for each in work]
    made: list[BatchingEngine] = []

    def batching(engine: Engine) -> Engine:
        made.append(BatchingEngine(engine))
        return made[0]

    async with running_server(restoring_root, wrap=batching) as together:
        results = await asyncio.gather(*(restore(together, *each) for each in work))
    sizes = [size for graph, size in made[0].batches if graph == "tiny_refine_restore"]
    assert sizes.count(len(DONE)) > 0.8 * STEPS / tiny.MAX_STEPS
    for one, other in zip(alone, results, strict=True):
        np.testing.assert_allclose(one.losses, other.losses, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(read_code(one.latent), read_code(other.latent), atol=1e-3)


async def test_the_stream_reports_previews_and_checkpoints(restoring: Running) -> None:
    given, options = degraded("grey", steps=10)
    reports, result = await stream(restoring, given, options, preview_every=2, checkpoint_every=1)
    assert [report.steps for report in reports] == [0, 4, 7, 10]
    assert [report.HasField("preview") for report in reports] == [False, True, False, True]
    assert {report.checkpoint.method for report in reports} == {"restore"}
    np.testing.assert_array_equal(read_pixels(reports[-1].preview), read_pixels(result.image))
    plain = await restore(restoring, given, options)
    assert (plain.image, plain.latent, plain.losses) == (result.image, result.latent, result.losses)


async def test_several_starts_are_degraded_alike(restoring: Running) -> None:
    given, options = degraded("grey", steps=12)
    alone = await restore(restoring, given, options)
    restoring.engine.calls.clear()
    options.inversion.restarts = 3
    best = await restore(restoring, given, options)
    assert [size for graph, size in restoring.engine.calls if graph == "tiny_refine_restore"] == [3] * 3
    assert min(best.losses) <= min(alone.losses)


async def test_an_image_is_inverted_by_the_same_method_where_nothing_was_done_to_it(
    restoring: Running,
) -> None:
    options = inversion_pb2.InversionOptions(
        method="restore", refinement=inversion_pb2.Refinement(steps=STEPS)
    )
    request = inversion_pb2.InvertRequest(image=picture(TRUTH), options=options)
    result = (await restoring.inversion.Invert(request, timeout=10)).result
    assert off(read_pixels(result.reconstruction), TRUTH) < 2


async def test_restorations_are_counted_and_measured_on_what_is_seen_of_them(restoring: Running) -> None:
    given, options = degraded("grey")
    result = await restore(restoring, given, options)
    labels = {"pack": "tiny", "method": "restore"}
    assert restoring.metric("relatent_inversions_total", stop_reason="steps", **labels) == 1
    assert restoring.metric("relatent_refinement_steps_total", graph="tiny_refine_restore") == STEPS
    assert restoring.metric("relatent_reconstruction_mse_sum", **labels) == pytest.approx(
        result.match.mse, abs=1e-5
    )
    handled = {"grpc_service": "relatent.v1.RestorationService", "grpc_method": "Restore", "grpc_code": "OK"}
    assert restoring.metric("grpc_server_handled_total", grpc_type="unary", **handled) == 1


async def test_what_is_wrong_is_told_by_both_calls(restoring: Running) -> None:
    denoise = {"preset": v1.RESTORATION_PRESET_DENOISE}
    rate = "options.inversion.refinement.learning_rate"
    for options, field, why in (
        (asked(), "options.degradation", "INVALID_FIELD"),
        (asked(preset=v1.RESTORATION_PRESET_UPSCALE), "image", "NOT_SMALLER"),
        (asked(degradation=v1.Degradation(colour=[0] * 9)), "options.degradation.colour", "SINGULAR"),
        (asked(**denoise, refinement={"learning_rate": 1e30}), rate, "REFINEMENT_DIVERGED"),
    ):
        for work in (restore(restoring, TRUTH, options), stream(restoring, TRUTH, options)):
            with pytest.raises(grpc.RpcError) as caught:
                await work
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert (violated(caught.value), reason(caught.value)) == (field, why)


async def test_a_pack_that_has_no_such_method_says_so(running: Running) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await restore(running, TRUTH, asked(preset=v1.RESTORATION_PRESET_DENOISE))
    assert (violated(caught.value), reason(caught.value)) == ("options.inversion.pack", "NO_RESTORATION")
