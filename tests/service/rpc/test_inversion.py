import asyncio

import grpc
import numpy as np
import pytest

from relatent.v1 import inversion_pb2 as v1
from relatent.v1 import types_pb2
from relatent_service.engine.engine import EngineRejected, EngineUnavailable
from tests.fixtures import tiny
from tests.fixtures.requests import (
    REVISION,
    code,
    details,
    encoded,
    image,
    latent,
    read_code,
    read_pixels,
    reason,
    violated,
)
from tests.fixtures.running import running_server


def options(**fields):
    return v1.InversionOptions(**{"refinement": v1.Refinement(steps=20), **fields})


def refine(**fields):
    return v1.InversionOptions(refinement=v1.Refinement(**fields))


async def invert(running, chosen=None, seed=1, **call):
    request = v1.InvertRequest(image=image(seed), options=chosen or options())
    return (await running.inversion.Invert(request, timeout=10, **call)).result


async def stream(running, chosen=None, seed=1, **fields):
    request = v1.InvertStreamRequest(image=image(seed), options=chosen or options(), **fields)
    events = [event async for event in running.inversion.InvertStream(request, timeout=10)]
    assert [event.WhichOneof("event") for event in events] == ["progress"] * (len(events) - 1) + ["result"]
    return [event.progress for event in events[:-1]], events[-1].result


async def refused(running, chosen, **fields):
    request = v1.InvertRequest(**{"image": image(), "options": chosen, **fields})
    with pytest.raises(grpc.RpcError) as caught:
        await running.inversion.Invert(request, timeout=10)
    return caught.value


def spoilt(steps):
    """A checkpoint of so many steps whose code no image is made of."""
    values = {"code": 1e30, "zeros": 0.0, "infinity": np.inf}
    state = [
        v1.StateTensor(name=name, shape=shape, values=np.full(shape, values[initial], "<f4").tobytes())
        for name, (shape, initial) in tiny.STATE.items()
    ]
    return v1.Checkpoint(pack="tiny", revision=REVISION, steps=steps, state=state, losses=[1.0] * steps)


async def test_an_answer_holds_the_best_code_its_image_and_their_measured_quality(running):
    result = await invert(running, options(refinement=v1.Refinement(steps=60)))
    target = tiny.random_image(1)
    best = read_code(result.latent)
    pixels = read_pixels(result.reconstruction)
    np.testing.assert_array_equal(pixels, tiny.generate(best[None])[0])
    mse = np.mean((pixels / 255.0 - target / 255.0) ** 2)
    assert result.quality.mse == pytest.approx(mse, rel=1e-3)
    assert result.quality.psnr == pytest.approx(-10 * np.log10(mse), rel=1e-3)
    assert result.quality.ssim > 0.99
    assert len(result.losses) == result.steps == 60
    assert result.stop_reason == v1.STOP_REASON_STEPS
    assert min(result.losses) < result.losses[0] / 10
    assert result.latent.pack == "tiny"
    assert result.latent.space == types_pb2.LATENT_SPACE_W_PLUS
    assert (result.reconstruction.width, result.reconstruction.height) == (8, 8)
    timings = result.timings
    assert 0 < timings.inference.ToNanoseconds() <= timings.total.ToNanoseconds()


async def test_no_steps_answer_with_the_start_itself(running):
    start = code(3)
    given = await invert(running, options(latent=latent(start), refinement=v1.Refinement(steps=0)))
    np.testing.assert_array_equal(read_code(given.latent), start)
    row = start[0]
    from_w = await invert(running, options(latent=latent(row), refinement=v1.Refinement(steps=0)))
    np.testing.assert_array_equal(read_code(from_w.latent), np.tile(row, (2, 1)))
    mean = await invert(running, options(mean=v1.MeanStart(), refinement=v1.Refinement(steps=0)))
    np.testing.assert_array_equal(read_code(mean.latent), tiny.MEAN)
    encoder = await invert(running, options(encoder=v1.EncoderStart(), refinement=v1.Refinement(steps=0)))
    assert encoder.latent == (await invert(running, refine(steps=0))).latent
    assert list(encoder.losses) == []


async def test_unset_options_mean_the_packs_defaults(running):
    result = await invert(running, v1.InversionOptions())
    assert result.steps == 20
    explicit = await invert(
        running,
        refine(steps=20, learning_rate=0.02, weights={"pixel": 1.0, "perceptual": 0.5, "anchor": 0.0}),
    )
    assert result.losses == explicit.losses


async def test_the_weights_reach_the_objective(running):
    plain = await invert(running, refine(steps=1))
    double = await invert(running, refine(steps=1, weights={"pixel": 2.0, "perceptual": 1.0}))
    assert double.losses[0] == pytest.approx(2 * plain.losses[0], rel=1e-5)


async def test_a_mask_says_where_the_image_counts(running):
    half = np.zeros((8, 8), np.uint8)
    half[:, 4:] = 255
    masked = types_pb2.Image(data=encoded(half))
    target = tiny.random_image(1).copy()
    spoilt = target.copy()
    spoilt[:, :4] = 255 - spoilt[:, :4]
    start = latent(code(2))
    chosen = options(latent=start, refinement=v1.Refinement(steps=12, mask=masked))
    results = []
    for pixels in (target, spoilt):
        request = v1.InvertRequest(image=types_pb2.Image(data=encoded(pixels)), options=chosen)
        results.append((await running.inversion.Invert(request, timeout=10)).result)
    assert results[0].losses == results[1].losses


async def test_it_ends_when_the_loss_reaches_the_target(running):
    whole = await invert(running, refine(steps=60))
    target = float(np.median(whole.losses))
    result = await invert(running, refine(steps=60, target_loss=target))
    assert result.stop_reason == v1.STOP_REASON_TARGET_LOSS
    assert min(result.losses) <= target
    assert result.steps < 60
    assert min(result.losses[:-4]) > target  # not a chunk later than needed


async def test_it_ends_when_the_loss_stops_falling(running):
    result = await invert(running, refine(steps=1000, plateau=v1.Plateau(steps=20, min_improvement=0.05)))
    assert result.stop_reason == v1.STOP_REASON_PLATEAU
    assert result.steps < 1000
    before, after = min(result.losses[:-20]), min(result.losses)
    assert before - after < 0.05 * before


async def test_a_loss_that_never_falls_is_a_plateau_and_answers_with_the_start(running):
    start = (await invert(running, refine(steps=400))).latent
    result = await invert(
        running,
        options(
            latent=start,
            refinement=v1.Refinement(
                steps=400, learning_rate=3, plateau=v1.Plateau(steps=8, min_improvement=0.01)
            ),
        ),
    )
    assert result.stop_reason == v1.STOP_REASON_PLATEAU
    assert result.latent.values == start.values


async def test_the_stream_reports_its_place_and_every_chunk(running):
    reports, result = await stream(running, refine(steps=10))
    assert [report.steps for report in reports] == [0, 4, 7, 10]
    assert {report.total_steps for report in reports} == {10}
    assert np.isnan(reports[0].loss)
    for report in reports[1:]:
        assert report.loss == result.losses[report.steps - 1]
        assert report.best_loss == min(result.losses[: report.steps])
    assert [count for graph, count in running.engine.calls if graph == "tiny_refine"] == [1, 1, 1]


async def test_previews_and_checkpoints_come_with_every_nth_report(running):
    reports, result = await stream(running, refine(steps=16), preview_every=2, checkpoint_every=3)
    assert [report.HasField("preview") for report in reports] == [False, True, False, True, False]
    assert [report.HasField("checkpoint") for report in reports] == [False, False, True, False, False]
    checkpoint = reports[2].checkpoint
    assert checkpoint.steps == 8
    assert list(checkpoint.losses) == list(result.losses[:8])
    preview = read_pixels(reports[3].preview)
    assert preview.shape == (8, 8, 3)


@pytest.mark.parametrize("start", [{"encoder": v1.EncoderStart()}, {"mean": v1.MeanStart()}])
async def test_from_a_checkpoint_it_goes_on_as_if_it_had_never_ended(running, start):
    wish = v1.Refinement(steps=24)
    reports, whole = await stream(running, options(**start, refinement=wish), checkpoint_every=1)
    for report in (reports[0], reports[2], reports[-1]):
        resumed = await invert(running, options(checkpoint=report.checkpoint, refinement=wish))
        assert resumed.losses == whole.losses
        assert resumed.latent == whole.latent
        assert resumed.steps == 24


async def test_a_checkpoint_with_more_steps_than_wanted_is_answered_as_it_is(running):
    reports, _ = await stream(running, refine(steps=24), checkpoint_every=1)
    result = await invert(
        running, options(checkpoint=reports[4].checkpoint, refinement=v1.Refinement(steps=4))
    )
    assert result.steps == 16
    assert result.stop_reason == v1.STOP_REASON_STEPS


async def test_a_caller_that_hangs_up_frees_its_place_and_stops_the_work_at_once(running):
    running.engine.hold("tiny_refine")
    call = running.inversion.InvertStream(
        v1.InvertStreamRequest(image=image(), options=refine(steps=2000)), timeout=10
    )
    assert (await call.read()).progress.total_steps == 2000
    await running.engine.held("tiny_refine")
    assert running.server.admission.inflight == 1
    call.cancel()
    await running.until(lambda: running.server.admission.inflight == 0)
    running.engine.release("tiny_refine")
    await asyncio.sleep(0.05)
    assert [graph for graph, _ in running.engine.calls].count("tiny_refine") == 1
    assert running.server.admission.backlog_seconds() == 0
    await running.until(
        lambda: (
            running.metric(
                "grpc_server_handled_total",
                grpc_type="server_stream",
                grpc_service="relatent.v1.InversionService",
                grpc_method="InvertStream",
                grpc_code="CANCELLED",
            )
            == 1
        )
    )


async def test_one_that_hangs_up_does_not_disturb_the_others(running):
    alone = await invert(running, refine(steps=40))
    running.engine.delay = 0.005
    others = [asyncio.create_task(invert(running, refine(steps=40))) for _ in range(4)]
    quitter = running.inversion.InvertStream(
        v1.InvertStreamRequest(image=image(2), options=refine(steps=2000)), timeout=10
    )
    await quitter.read()
    quitter.cancel()
    assert [result.losses for result in await asyncio.gather(*others)] == [alone.losses] * 4


@pytest.mark.parametrize(
    ("start", "field"),
    [
        ({"refinement": v1.Refinement(steps=40, learning_rate=1e30)}, "options.refinement.learning_rate"),
        (
            {"latent": latent(np.full(tiny.CODE, 1e30)), "refinement": v1.Refinement(steps=40)},
            "options.latent",
        ),
        ({"checkpoint": spoilt(0), "refinement": v1.Refinement(steps=40)}, "options.checkpoint"),
        ({"checkpoint": spoilt(4), "refinement": v1.Refinement(steps=40)}, "options.checkpoint"),
    ],
)
async def test_a_loss_that_is_not_finite_is_the_callers_to_mend(running, start, field):
    pixels = np.full((8, 8, 3), 255, np.uint8)
    error = await refused(running, options(**start), image=types_pb2.Image(data=encoded(pixels)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated(error) == field
    assert reason(error) == "REFINEMENT_DIVERGED"


async def test_an_engine_that_is_gone_is_unavailable_and_says_when_to_retry(running):
    running.engine.errors["tiny_refine"] = [EngineUnavailable("gone")]
    error = await refused(running, refine(steps=8))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(error) == "ENGINE_UNAVAILABLE"
    assert details(error)["RetryInfo"].retry_delay.ToMilliseconds() > 0


async def test_an_engine_that_refuses_is_a_fault_of_ours_and_tells_nothing_of_it(running):
    running.engine.errors["tiny_refine"] = [EngineRejected("secret")]
    error = await refused(running, refine(steps=8))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()


async def test_the_pack_may_be_left_out_only_where_there_is_one(tmp_path):
    tiny.write_tiny(tmp_path)
    tiny.write_tiny(tmp_path, name="other", revision="2" * 64)
    async with running_server(tmp_path) as running:
        error = await refused(running, v1.InversionOptions())
        assert violated(error) == "options.pack"
        assert "other, tiny" in error.details()
        assert (await invert(running, v1.InversionOptions(pack="other"))).latent.revision == "2" * 64


async def test_inversions_are_counted_and_measured(running):
    await invert(running, refine(steps=8))
    assert running.metric("relatent_refinement_steps_total", graph="tiny_refine") == 8
    assert running.metric("relatent_inversions_total", pack="tiny", method="hybrid", stop_reason="steps") == 1
    assert running.metric("relatent_chunk_seconds_count", graph="tiny_refine") == 2
    assert running.metric("relatent_reconstruction_psnr_decibels_count", pack="tiny", method="hybrid") == 1
    assert running.metric("relatent_reconstruction_mse_count", pack="tiny", method="hybrid") == 1
    assert running.metric("relatent_reconstruction_perceptual_count", pack="tiny", method="hybrid") == 1
    assert running.metric("relatent_batch_size_count", graph="tiny_encode") >= 1
    assert running.metric("relatent_inflight") == 0
