"""Semantic diffusion over the wire: what is stitched, what counts, what the rest follows, what is refused."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent.v1 import diffusion_pb2 as v1
from relatent.v1 import editing_pb2, inversion_pb2, types_pb2
from relatent_service.catalog import ServedPacks
from relatent_service.rpc.reading.diffusion import ANCHOR_WEIGHT, MOST_STEPS, read_diffusion
from relatent_service.settings import read_settings
from tests.fixtures import tiny
from tests.fixtures.requests import (
    code,
    encoded,
    image,
    latent,
    read_code,
    read_pixels,
    reason,
    violated,
)
from tests.fixtures.running import running_server
from tests.fixtures.tiny import write_tiny

pytestmark = pytest.mark.asyncio(loop_scope="function")

TARGET, CONTEXT = tiny.random_image(1), tiny.random_image(2)
LEFT = np.zeros((8, 8), np.uint8)
LEFT[:, :4] = 255
STITCHED = np.where(LEFT[:, :, None] > 0, TARGET, CONTEXT)
ANCHOR_ALONE = {"pixel": 0.0, "perceptual": 0.0, "anchor": 1.0}


def region(mask: Any = LEFT, **fields: Any) -> editing_pb2.Region:
    return editing_pb2.Region(mask=types_pb2.Image(data=encoded(mask)), **fields)


def refine(**fields: Any) -> inversion_pb2.InversionOptions:
    return inversion_pb2.InversionOptions(refinement=inversion_pb2.Refinement(**fields))


def request(**fields: Any) -> v1.DiffuseRequest:
    given: dict[str, Any] = {"target": image(1), "context": image(2), "region": region()}
    return v1.DiffuseRequest(**(given | fields))


async def diffuse(server: Any, **fields: Any) -> v1.DiffuseResponse:
    response: v1.DiffuseResponse = await server.diffusion.Diffuse(request(**fields), timeout=10)
    return response


async def refused(server: Any, **fields: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await server.diffusion.Diffuse(request(**fields), timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not server.engine.calls
    return caught.value


def encode(picture: NDArray[Any]) -> NDArray[Any]:
    """What the tiny encoder makes of a picture, [2, 4]."""
    pixels = picture.reshape(-1) / 255 - tiny.GREY
    found: NDArray[Any] = (pixels @ tiny.BASIS.T / 4 * tiny.ENCODER_GAIN).reshape(tiny.CODE)
    return found


def border(picture: NDArray[Any]) -> float:
    """How far the change from the context jumps where the left half ends."""
    change = (picture.astype(float) - CONTEXT) / 255
    return float(np.abs(change[:, 4] - change[:, 3]).mean())


async def test_no_steps_answer_with_the_encoders_code_of_the_stitched_image(running: Any) -> None:
    answer = await diffuse(running, options=refine(steps=0))
    np.testing.assert_allclose(read_code(answer.inversion.latent), encode(STITCHED), atol=1e-6)
    made = read_pixels(answer.image)
    np.testing.assert_array_equal(made, tiny.generate(read_code(answer.inversion.latent)[None])[0])
    np.testing.assert_array_equal(made, read_pixels(answer.inversion.reconstruction))
    assert answer.inversion.quality.mse == pytest.approx(
        np.mean(((made - 1.0 * STITCHED) / 255) ** 2), rel=1e-3
    )
    assert answer.border_error == pytest.approx(border(made), abs=1e-6)
    assert answer.stitched_border_error == pytest.approx(border(STITCHED), abs=1e-6)


@pytest.mark.parametrize(
    "start", [{}, {"mean": inversion_pb2.MeanStart()}, {"latent": latent(code(3))}, {"restarts": 3}]
)
async def test_the_anchor_is_the_encoders_code_of_the_context_wherever_it_starts(
    running: Any, start: dict[str, Any]
) -> None:
    options = refine(steps=1, weights=ANCHOR_ALONE)
    options.MergeFrom(inversion_pb2.InversionOptions(**start))
    first = {"mean": tiny.MEAN, "latent": code(3)}.get(next(iter(start), ""), encode(STITCHED))
    losses = (await diffuse(running, options=options)).inversion.losses
    away = np.mean((first - encode(CONTEXT)) ** 2)
    if "restarts" in start:
        assert 0 < losses[0] <= away * 1.00001  # of the start that is nearest
    else:
        assert losses[0] == pytest.approx(away, rel=1e-4)


async def test_pulled_by_the_anchor_alone_it_comes_to_the_context(running: Any) -> None:
    answer = await diffuse(running, options=refine(steps=200, weights=ANCHOR_ALONE))
    np.testing.assert_allclose(read_code(answer.inversion.latent), encode(CONTEXT), atol=5e-3)


async def test_what_lies_outside_the_region_does_not_count(running: Any) -> None:
    spoilt = TARGET.copy()
    spoilt[:, 4:] = 255 - spoilt[:, 4:]
    other = types_pb2.Image(data=encoded(spoilt))
    options = refine(steps=8)
    assert (await diffuse(running, options=options)).inversion.latent == (
        await diffuse(running, options=options, target=other)
    ).inversion.latent
    weights = {"pixel": 1.0, "perceptual": 0.0, "anchor": 0.0}
    fixed = refine(steps=1, weights=weights)
    fixed.latent.CopyFrom(latent(encode(TARGET)))
    made = encode(TARGET).reshape(-1) @ tiny.BASIS + tiny.GREY
    error = (made.reshape(tiny.IMAGE) - TARGET / 255)[:, :4]
    (loss,) = (await diffuse(running, options=fixed)).inversion.losses
    assert loss == pytest.approx(np.square(error).sum() / tiny.PIXELS, rel=1e-3)


async def test_defaults_are_those_of_diffusions_and_a_caller_overrides_them(running: Any) -> None:
    plain = await diffuse(running)
    told = await diffuse(running, options=refine(steps=MOST_STEPS, weights={"anchor": ANCHOR_WEIGHT}))
    assert plain.inversion.losses == told.inversion.losses
    assert plain.inversion.steps == MOST_STEPS
    other = await diffuse(running, options=refine(steps=7, weights={"anchor": 2.0}))
    assert other.inversion.steps == 7
    assert other.inversion.losses[0] > plain.inversion.losses[0]


async def test_a_blend_keeps_what_was_given_but_over_the_border(running: Any) -> None:
    made = read_pixels((await diffuse(running)).image)
    answer = await diffuse(running, region=region(feather=0.5), blend=True)
    blended = read_pixels(answer.image)
    np.testing.assert_array_equal(read_pixels(answer.inversion.reconstruction), made)
    np.testing.assert_array_equal(blended[:, :2], TARGET[:, :2])
    np.testing.assert_array_equal(blended[:, 6:], CONTEXT[:, 6:])
    assert (blended[:, 3:5] != STITCHED[:, 3:5]).any()
    assert answer.border_error == pytest.approx(border(blended), abs=1e-6)


async def test_pictures_that_are_not_square_are_fitted_alike_and_the_mask_with_its_target(
    running: Any,
) -> None:
    wide = np.concatenate([TARGET[:, :4] * 0, TARGET, TARGET[:, :4] * 0], axis=1)
    mask = np.concatenate([LEFT[:, :4] * 0, LEFT, LEFT[:, :4] * 0], axis=1)
    fitted = await diffuse(running, target=types_pb2.Image(data=encoded(wide)), region=region(mask))
    assert fitted.inversion.latent == (await diffuse(running)).inversion.latent


async def test_images_come_in_the_format_that_the_options_say(running: Any) -> None:
    options = inversion_pb2.InversionOptions(output_format=types_pb2.IMAGE_FORMAT_WEBP)
    answer = await diffuse(running, options=options)
    assert answer.image.format == answer.inversion.reconstruction.format == types_pb2.IMAGE_FORMAT_WEBP


async def test_it_ends_with_its_time_budget_and_is_counted_as_an_inversion(running: Any) -> None:
    running.engine.delay = 0.02
    answer = await diffuse(running, options=refine(steps=2000, time_budget=Duration(nanos=200_000_000)))
    assert answer.inversion.stop_reason == inversion_pb2.STOP_REASON_TIME_BUDGET
    assert 0 < answer.inversion.steps < 100
    assert running.metric("relatent_inflight") == 0
    assert running.metric(
        "relatent_inversions_total", pack="tiny", method="hybrid", stop_reason="time_budget"
    )


async def test_admission_is_told_of_every_graph_that_it_runs(running: Any, pack: Pack) -> None:
    parsed = read_diffusion(ServedPacks({"tiny": pack}), read_settings([], {}), request())
    work = dict(parsed.inversion.plan.work.runs)
    await diffuse(running)
    runs = {"tiny_refine": MOST_STEPS}
    for graph, samples in running.engine.calls:
        if graph != "tiny_refine":
            runs[graph] = runs.get(graph, 0) + samples
    assert work == runs
    assert work["tiny_encode"] == 2


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        ({"target": None}, "target.data", "got no bytes"),
        ({"context": None}, "context.data", "got no bytes"),
        ({"context": types_pb2.Image(data=b"hello")}, "context.data", "text file"),
        ({"region": None}, "region", "expected the part of the target that is kept"),
        ({"region": editing_pb2.Region()}, "region.mask.data", "got no bytes"),
        ({"region": region(LEFT * 0)}, "region.mask", "black everywhere"),
        ({"region": region(LEFT * 0 + 255)}, "region.mask", "white everywhere"),
        ({"region": region(LEFT[:4])}, "region.mask", "expected the image's proportions, 8 x 8, got 8 x 4"),
        ({"region": region(feather=3)}, "region.feather", "expected 0 to 2 pixels, got 3"),
        ({"blend": True}, "region.feather", "expected above 0 for a blend"),
        ({"options": refine(mask=image())}, "options.refinement.mask", "what counts is the region"),
        (
            {"options": inversion_pb2.InversionOptions(checkpoint=inversion_pb2.Checkpoint())},
            "options.checkpoint",
            "expected none",
        ),
        (
            {"options": inversion_pb2.InversionOptions(method="momentum")},
            "options.method",
            "expected a method of inverting with a mask and an anchor: hybrid; got 'momentum'",
        ),
        ({"options": refine(weights={"smile": 1.0})}, "options.refinement.weights['smile']", "a term"),
    ],
)
async def test_what_is_wrong_is_named(running: Any, fields: dict[str, Any], field: str, why: str) -> None:
    error = await refused(running, **fields)
    assert violated(error) == field
    assert why in (error.details() or "")


async def test_a_loss_that_is_not_finite_is_told_by_its_cause(running: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await diffuse(running, options=refine(steps=50, learning_rate=1e30))
    assert (violated(caught.value), reason(caught.value)) == (
        "options.refinement.learning_rate",
        "REFINEMENT_DIVERGED",
    )


async def test_a_pack_without_an_encoder_has_nothing_that_the_rest_could_follow(tmp_path: Any) -> None:
    write_tiny(tmp_path, bare=True)
    async with running_server(tmp_path) as bare:
        error = await refused(bare)
    assert (violated(error), reason(error)) == ("options.pack", "NO_ENCODER")
