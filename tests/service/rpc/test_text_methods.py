"""A method that takes a text: where an image is taken to from where it is, embedded once an inversion."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent.core.spaces import Space
from relatent.core.text import AIM
from relatent.v1 import editing_pb2
from relatent.v1 import inversion_pb2 as v1
from relatent_service.catalog import ServedPacks
from relatent_service.editing.synthesizer import edit_work
from relatent_service.rpc.reading.operations import read_edit
from relatent_service.rpc.reading.options import read_inversion
from relatent_service.settings import read_settings
from tests.fixtures import texts, tiny
from tests.fixtures.requests import image, latent, read_code, reason, violated

pytestmark = pytest.mark.asyncio(loop_scope="function")

NAMES: dict[str, Any] = {"text": "old person", "neutral": "person"}


async def invert(server: Any, method: str = "text", **fields: Any) -> Any:
    restarts = fields.pop("restarts", 0)
    options = v1.InversionOptions(method=method, refinement=v1.Refinement(**fields), restarts=restarts)
    return (
        await server.inversion.Invert(v1.InvertRequest(image=image(), options=options), timeout=10)
    ).result


async def refused(server: Any, method: str = "text", **fields: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await invert(server, method, **fields)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not server.engine.calls
    return caught.value


def by_hand(prompt: str, neutral: str, steps: int, rate: float = 0.5) -> NDArray[Any]:
    """Where the graph goes from the mean: what is left of the way to the text halves with each step."""
    w = tiny.MEAN.reshape(-1).astype(np.float64)
    goal = AIM * (texts.embedded(prompt) - texts.embedded(neutral))
    for _ in range(steps):
        w[: texts.WIDTH] -= rate * (w[: texts.WIDTH] - goal)
    return w.reshape(tiny.CODE)


async def test_the_graph_is_given_the_way_from_what_is_shown_to_what_shall_be(worded: Any) -> None:
    for fields, prompt, neutral in (
        (NAMES, "old person", "person"),
        ({"text": "smiling"}, "smiling", texts.NEUTRAL),
    ):
        result = await invert(worded, **fields, steps=5)
        assert result.method == "text"
        np.testing.assert_allclose(read_code(result.latent), by_hand(prompt, neutral, 5), atol=1e-6)


async def test_texts_are_embedded_once_whatever_the_steps_and_the_starts(worded: Any) -> None:
    for restarts in (0, 3):
        worded.engine.calls.clear()
        await invert(worded, **NAMES, steps=7, restarts=restarts)
        calls = [call for call in worded.engine.calls if call[0] == "tiny_text"]
        assert calls == [("tiny_text", 2)]
        chunks = [size for graph, size in worded.engine.calls if graph == "tiny_refine_text"]
        assert chunks == [restarts or 1] * 4


async def test_admission_is_asked_for_both_texts_beside_the_steps(worded_pack: Pack) -> None:
    options = v1.InversionOptions(method="text", refinement=v1.Refinement(**NAMES, steps=6))
    served = ServedPacks({"tiny": worded_pack})
    work = read_inversion(served, read_settings([], {}), image(), options).plan.work
    asked = {"tiny_text": 2, "tiny_refine_text": 6, "tiny_synthesize": 1, "tiny_assess": 1}
    assert (work.runs, work.least) == (asked, None)


async def test_it_goes_on_from_a_checkpoint_with_its_text_told_again(worded: Any) -> None:
    options = v1.InversionOptions(method="text", refinement=v1.Refinement(**NAMES, steps=6))
    request = v1.InvertStreamRequest(image=image(), options=options, checkpoint_every=1)
    events = [event async for event in worded.inversion.InvertStream(request, timeout=10)]
    whole, checkpoint = events[-1].result, events[1].progress.checkpoint
    options.checkpoint.CopyFrom(checkpoint)
    again = await worded.inversion.Invert(v1.InvertRequest(image=image(), options=options), timeout=10)
    np.testing.assert_array_equal(read_code(again.result.latent), read_code(whole.latent))
    options.refinement.ClearField("text")
    with pytest.raises(grpc.RpcError) as caught:
        await worded.inversion.Invert(v1.InvertRequest(image=image(), options=options), timeout=10)
    assert violated(caught.value) == "options.refinement.text"


async def test_a_start_of_the_callers_own_needs_no_other_graph(worded: Any) -> None:
    options = v1.InversionOptions(
        method="text", latent=latent(tiny.MEAN), refinement=v1.Refinement(**NAMES, steps=2)
    )
    request = v1.InvertRequest(image=image(), options=options)
    result = (await worded.inversion.Invert(request, timeout=10)).result
    np.testing.assert_allclose(read_code(result.latent), by_hand("old person", "person", 2), atol=1e-6)
    graphs = [graph for graph, _ in worded.engine.calls]
    assert graphs == ["tiny_text", "tiny_refine_text", "tiny_synthesize", "tiny_assess"]


@pytest.mark.parametrize(
    ("fields", "where", "says"),
    [
        ({}, "text", "expected a text, got none"),
        ({"text": " "}, "text", "expected a text, got none"),
        ({"text": "old", "neutral": " "}, "neutral", "expected a text, got none"),
        ({"text": "old " * 6}, "text", "expected 5 tokens at most, got 6"),
        ({"text": "old", "neutral": "old " * 6}, "neutral", "expected 5 tokens at most, got 6"),
        ({"text": texts.NEUTRAL}, "text", "says another thing than 'a person'"),
        ({"text": "old", "neutral": "old"}, "text", "says another thing than 'old'"),
    ],
)
async def test_a_method_with_a_text_needs_one_that_says_something(
    worded: Any, fields: dict[str, Any], where: str, says: str
) -> None:
    error = await refused(worded, **fields)
    assert violated(error) == f"options.refinement.{where}"
    assert says in error.details()


@pytest.mark.parametrize("name", ["text", "neutral"])
@pytest.mark.parametrize("method", ["hybrid", "momentum"])
async def test_other_methods_refuse_one(worded: Any, method: str, name: str) -> None:
    error = await refused(worded, method, **{name: "old"})
    assert (violated(error), reason(error)) == (f"options.refinement.{name}", "INVALID_FIELD")
    assert f"expected none: method '{method}' takes no text" in error.details()


async def test_an_edit_of_an_image_is_forecast_with_its_texts_and_their_images(worded_pack: Pack) -> None:
    served = ServedPacks({"tiny": worded_pack})
    parsed = read_inversion(served, read_settings([], {}), image(), v1.InversionOptions())
    operations = [
        editing_pb2.Operation(text=editing_pb2.TextMove(prompt=prompt)) for prompt in ("old", "smiling")
    ]
    edit = read_edit(worded_pack, operations, 8, Space.W_PLUS).edit
    after = edit_work(worded_pack, Space.W_PLUS, edit, within=False)
    runs = parsed.followed_by(edit.least_images, after).plan.work.runs
    assert (runs["tiny_text"], runs["tiny_synthesize_style"]) == (4, 1)
    assert runs["tiny_synthesize"] == parsed.plan.work.runs["tiny_synthesize"]
