"""A second method, which no line of the service names: what it is stands in the pack's manifest alone."""

import asyncio
from pathlib import Path

import grpc
import numpy as np
import pytest

import relatent_service
from relatent.v1 import catalog_pb2, editing_pb2, types_pb2
from relatent.v1 import inversion_pb2 as v1
from tests.fixtures import tiny
from tests.fixtures.requests import encoded, image, latent, read_code, reason, violated

STEPS = 11


def momentum(**fields):
    refinement = v1.Refinement(steps=STEPS)
    return v1.InversionOptions(**{"method": "momentum", "refinement": refinement, **fields})


async def invert(running, options, seed=1):
    request = v1.InvertRequest(image=image(seed), options=options)
    return (await running.inversion.Invert(request, timeout=10)).result


async def stream(running, options):
    request = v1.InvertStreamRequest(image=image(), options=options, checkpoint_every=1)
    events = [event async for event in running.inversion.InvertStream(request, timeout=10)]
    return [event.progress for event in events[:-1]], events[-1].result


async def refused(running, options):
    with pytest.raises(grpc.RpcError) as caught:
        await invert(running, options)
    return caught.value


def by_hand(steps=STEPS, rate=4.0):
    """The losses and the best code from the mean, by NumPy."""
    target = tiny.random_image(1).reshape(-1).astype(np.float64) / 255
    w, velocity = tiny.MEAN.reshape(-1).astype(np.float64), np.zeros(tiny.NUMBERS)
    losses, codes = [], []
    for _ in range(steps):
        residual = w @ tiny.BASIS + tiny.GREY - target
        losses.append((residual**2).mean())
        codes.append(w)
        velocity = tiny.MOMENTUM * velocity - rate * (2 / tiny.PIXELS) * residual @ tiny.BASIS.T
        w = w + velocity
    return losses, codes[int(np.argmin(losses))].reshape(tiny.CODE)


async def test_the_catalog_lists_methods_the_default_first(running):
    pack = (await running.catalog.GetPack(catalog_pb2.GetPackRequest(), timeout=10)).pack
    hybrid, other = pack.methods
    assert (hybrid.name, list(hybrid.starts), list(hybrid.inputs)) == (
        "hybrid",
        ["encoder", "mean", "latent"],
        ["mask"],
    )
    assert (other.name, list(other.starts), list(other.inputs)) == ("momentum", ["mean", "latent"], ["gain"])
    assert (other.space, other.default_steps) == (types_pb2.LATENT_SPACE_W_PLUS, 12)
    assert [(term.name, term.default_weight) for term in other.losses] == [("pixel", 1.0)]
    assert list(pack.losses) == list(hybrid.losses)
    assert pack.default_steps == hybrid.default_steps


async def test_it_descends_as_its_own_graph_does_from_its_own_start(running):
    result = await invert(running, momentum())
    losses, code = by_hand()
    np.testing.assert_allclose(result.losses, losses, rtol=1e-4)
    np.testing.assert_allclose(read_code(result.latent), code, atol=1e-5)
    assert result.method == "momentum"
    assert (await invert(running, v1.InversionOptions())).method == "hybrid"


async def test_its_defaults_are_its_own(running):
    result = await invert(running, v1.InversionOptions(method="momentum"))
    assert result.steps == 12
    np.testing.assert_allclose(result.losses, by_hand(12)[0], rtol=1e-4)
    from_code = await invert(running, momentum(latent=latent(tiny.MEAN)))
    np.testing.assert_allclose(from_code.losses, by_hand(rate=2.0)[0], rtol=1e-4)


async def test_chunks_are_as_long_as_its_graph_allows(running):
    reports, _ = await stream(running, momentum())
    assert [report.steps for report in reports] == [0, 3, 6, 9, 11]


async def test_it_goes_on_from_its_checkpoints_named_or_not(running):
    reports, whole = await stream(running, momentum())
    checkpoint = reports[2].checkpoint
    assert (checkpoint.method, checkpoint.steps) == ("momentum", 6)
    assert {tensor.name for tensor in checkpoint.state} == tiny.MOMENTUM_STATE.keys()
    for name in ("momentum", ""):
        result = await invert(running, momentum(method=name, checkpoint=checkpoint))
        assert result.method == "momentum"
        np.testing.assert_allclose(result.losses, whole.losses, rtol=1e-6)
        np.testing.assert_array_equal(read_code(result.latent), read_code(whole.latent))


async def test_an_image_is_edited_by_it(running):
    source = editing_pb2.ImageSource(image=image(), options=momentum())
    move = editing_pb2.DirectionMove(direction="brightness", strengths=[1])
    operations = [editing_pb2.Operation(direction=move)]
    answer = await running.editing.Edit(
        editing_pb2.EditRequest(image=source, operations=operations), timeout=10
    )
    assert answer.inversion.method == "momentum"
    moved = read_code(answer.images[0].latent) - read_code(answer.inversion.latent)
    np.testing.assert_allclose(moved, tiny.directions()["brightness"], atol=1e-6)


async def test_both_run_side_by_side_each_on_its_own_graph(running):
    results = await asyncio.gather(
        *(invert(running, momentum(), seed) for seed in range(4)),
        *(invert(running, v1.InversionOptions(refinement=v1.Refinement(steps=8))) for _ in range(4)),
    )
    assert [result.method for result in results] == ["momentum"] * 4 + ["hybrid"] * 4
    assert running.metric("relatent_refinement_steps_total", graph="tiny_refine_momentum") == 4 * STEPS
    assert running.metric("relatent_refinement_steps_total", graph="tiny_refine") == 4 * 8
    assert running.metric("relatent_chunk_seconds_count", graph="tiny_refine_momentum") == 4 * 4
    labels = {"pack": "tiny", "method": "momentum"}
    assert running.metric("relatent_inversions_total", stop_reason="steps", **labels) == 4
    assert running.metric("relatent_reconstruction_mse_count", **labels) == 4


async def test_what_it_costs_is_learnt_apart_from_the_other(running):
    running.engine.delay = 0.25
    await invert(running, momentum())
    pace = running.server.admission.pace
    assert pace.cost("tiny_refine_momentum") > 5 * pace.cost("tiny_refine")


async def test_an_unknown_method_is_refused_and_those_there_are_told(running):
    error = await refused(running, momentum(method="lbfgs"))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert (reason(error), violated(error)) == ("UNKNOWN_INVERSION_METHOD", "options.method")
    assert "hybrid, momentum" in error.details()


async def test_a_checkpoint_of_one_method_is_not_taken_for_anothers(running):
    reports, _ = await stream(running, momentum())
    checkpoint = reports[1].checkpoint
    error = await refused(running, momentum(method="hybrid", checkpoint=checkpoint))
    assert (reason(error), violated(error)) == ("WRONG_METHOD", "options.method")
    checkpoint.method = "hybrid"
    error = await refused(running, momentum(method="", checkpoint=checkpoint))
    assert violated(error) == "options.checkpoint.state"
    checkpoint.method = "lbfgs"
    error = await refused(running, momentum(method="", checkpoint=checkpoint))
    assert violated(error) == "options.checkpoint.method"


@pytest.mark.parametrize(
    ("options", "field", "why"),
    [
        (momentum(encoder=v1.EncoderStart()), "options.encoder", "mean, latent"),
        (
            momentum(
                refinement=v1.Refinement(mask=types_pb2.Image(data=encoded(np.zeros((8, 8), np.uint8))))
            ),
            "options.refinement.mask",
            "takes no mask",
        ),
        (
            momentum(refinement=v1.Refinement(weights={"anchor": 1})),
            "options.refinement.weights['anchor']",
            "pixel",
        ),
    ],
)
async def test_what_it_does_not_have_is_refused_by_name(running, options, field, why):
    error = await refused(running, options)
    assert violated(error) == field
    assert why in error.details()


def test_no_line_of_the_service_names_a_method():
    files = [*Path(relatent_service.__file__).parent.rglob("*.py")]
    assert len(files) > 50
    named = [file for file in files if "momentum" in file.read_text() or "hybrid" in file.read_text()]
    assert named == []
