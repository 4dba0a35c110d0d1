"""Texts, styles and learned directions over the wire, by the real graphs of a pack that knows texts."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from relatent.v1 import catalog_pb2, inversion_pb2, synthesis_pb2, types_pb2
from relatent.v1 import editing_pb2 as v1
from tests.fixtures import texts, tiny
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

pytestmark = pytest.mark.asyncio(loop_scope="function")

WAY = texts.embedded("old person") - texts.embedded("person")
RELEVANCE = texts.RELEVANCE @ (WAY / np.linalg.norm(WAY))
CHANGE = texts.DEVIATION * np.where(np.abs(RELEVANCE) >= 0.2, RELEVANCE, 0) / np.abs(RELEVANCE).max()


def text(prompt: str = "old person", *strengths: float, **fields: Any) -> v1.Operation:
    return v1.Operation(
        text=v1.TextMove(prompt=prompt, strengths=strengths, **{"neutral": "person", **fields})
    )


def move(name: str, *strengths: float, **fields: Any) -> v1.Operation:
    return v1.Operation(direction=v1.DirectionMove(direction=name, strengths=strengths, **fields))


def styled(w: NDArray[Any], styles: NDArray[Any]) -> types_pb2.Latent:
    part = types_pb2.LatentPart(
        name="styles",
        type=types_pb2.ELEMENT_TYPE_FLOAT32,
        shape=styles.shape,
        values=styles.astype("<f4").tobytes(),
    )
    return latent(w, space=types_pb2.LATENT_SPACE_S, parts=[part])


def styles_of(message: types_pb2.Latent) -> NDArray[Any]:
    (part,) = message.parts
    assert (part.name, message.space) == ("styles", types_pb2.LATENT_SPACE_S)
    return np.frombuffer(part.values, "<f4")


async def edit(server: Any, *operations: v1.Operation, start: Any = None, **fields: Any) -> Any:
    start = latent(code(1)) if start is None else start
    return await server.editing.Edit(
        v1.EditRequest(latent=start, operations=operations, **fields), timeout=10
    )


async def refused(server: Any, *operations: v1.Operation, **fields: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await edit(server, *operations, **fields)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return caught.value


async def test_a_text_changes_styles_as_styleclip_has_it_and_its_code_edits_on(worded: Any) -> None:
    response = await edit(worded, text("old person", -1, 0.5))
    for edited, strength in zip(response.images, (-1, 0.5), strict=True):
        assert edited.strength == strength
        np.testing.assert_array_equal(read_code(edited.latent), code(1))
        np.testing.assert_allclose(styles_of(edited.latent), strength * CHANGE, atol=1e-6)
        shown = texts.generate_styled(code(1)[None], strength * CHANGE[None])[0]
        assert np.abs(read_pixels(edited.image).astype(int) - shown).max() <= 1
    assert worded.engine.calls == [("tiny_text", 2), ("tiny_synthesize_style", 2)]
    again = await edit(worded, text(), start=response.images[0].latent)
    expected = (texts.STRENGTH - 1) * CHANGE
    np.testing.assert_allclose(styles_of(again.images[0].latent), expected, atol=1e-6)


async def test_a_direction_of_s_moves_its_channel_of_codes_of_w_w_plus_and_s(worded: Any) -> None:
    before = np.array([0.1, 0.2, 0, -0.1], np.float32)
    for start, styles in ((latent(code(1)[0]), 0 * before), (styled(code(1), before), before)):
        (edited,) = (await edit(worded, move("channel", 2), start=start)).images
        moved = styles + 2 * texts.CHANNEL_LENGTH * texts.CHANNEL[0]
        np.testing.assert_allclose(styles_of(edited.latent), moved, atol=1e-6)


async def test_a_learned_direction_makes_a_strip(worded: Any) -> None:
    response = await edit(worded, move("grow", -1, 0, 1))
    found = np.stack([read_code(each.latent) for each in response.images])
    np.testing.assert_allclose(found, [0.5 * code(1), code(1), 1.5 * code(1)], atol=1e-6)
    assert worded.engine.calls == [("tiny_move_grow", 3), ("tiny_synthesize", 3)]


async def test_a_target_after_a_text_is_reached_with_the_styles_kept(worded: Any) -> None:
    goals = [v1.AttributeGoal(attribute="brightness", by=[3.0])]
    target = v1.Operation(attribute_target=v1.AttributeTarget(goals=goals, hold=v1.AttributeNames()))
    (edited,) = (await edit(worded, text(), target)).images
    (outcome,) = edited.targets
    assert outcome.end == v1.TARGET_END_REACHED
    np.testing.assert_allclose(styles_of(edited.latent), texts.STRENGTH * CHANGE, atol=1e-6)
    before = tiny.readings(texts.generate_styled(code(1)[None], texts.STRENGTH * CHANGE[None]))[0, 0]
    assert outcome.attributes[0].before == pytest.approx(100 * before, abs=0.2)
    assert {graph for graph, _ in worded.engine.calls} == {"tiny_text", "tiny_read_style"}


async def test_codes_of_s_are_drawn_morphed_and_reduced(worded: Any) -> None:
    whole = styled(code(1), np.array([0.4, 0, 0, 0.2]))
    request = synthesis_pb2.SynthesizeRequest(latents=[whole])
    drawn = (await worded.synthesis.Synthesize(request, timeout=10)).images[0]
    shown = texts.generate_styled(code(1)[None], styles_of(whole)[None])[0]
    assert np.abs(read_pixels(drawn.image).astype(int) - shown).max() <= 1
    halfway = v1.Operation(interpolation=v1.Interpolation(other=whole, amounts=[0.5]))
    (between,) = (await edit(worded, halfway)).images
    np.testing.assert_allclose(styles_of(between.latent), 0.5 * styles_of(whole), atol=1e-6)
    (plain,) = (await edit(worded, v1.Operation(reduction=v1.Reduction()), start=whole)).images
    assert plain.latent.space == types_pb2.LATENT_SPACE_W_PLUS


async def test_what_no_channel_is_relevant_to_is_refused_by_the_beta_of_its_own_text(worded: Any) -> None:
    error = await refused(worded, text(beta=0.8), move("grow", 1), text("smiling person smiling", beta=0.8))
    assert (violated(error), reason(error)) == ("operations[2].text.beta", "NOTHING_LEFT")
    assert "none has 0.8 or more" in error.details()
    error = await refused(worded, text(beta=0.95))
    assert violated(error) == "operations[0].text.beta"


async def test_a_text_out_of_float32_and_a_second_strip_are_refused_by_their_fields(worded: Any) -> None:
    error = await refused(worded, *[text("old person", 3e38)] * 4)
    assert (violated(error), reason(error)) == ("operations[2].text.strengths", "NOT_FINITE")
    error = await refused(worded, text("old person", 1, 2), move("grow", 1, 2))
    assert violated(error) == "operations[1]"


async def test_a_pack_without_texts_refuses_them_and_codes_of_s(running: Any) -> None:
    error = await refused(running, text())
    assert (violated(error), reason(error)) == ("operations[0].text", "NO_TEXT_MODEL")
    error = await refused(running, start=styled(code(1), np.zeros(4)))
    assert violated(error) == "latent.space"
    assert not running.engine.calls


@pytest.mark.parametrize("styles", [np.zeros(3), np.array([0, np.nan, 0, 0])])
async def test_a_code_of_s_whose_styles_are_none_is_refused(worded: Any, styles: NDArray[Any]) -> None:
    error = await refused(worded, start=styled(code(1), styles))
    assert violated(error).startswith("latent.parts[0]")


async def test_a_region_confines_a_text(worded: Any) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 255
    region = v1.Region(mask=types_pb2.Image(data=encoded(mask)))
    (edited,) = (await edit(worded, text("old person", 3), region=region)).images
    before, found = tiny.generate(code(1)[None])[0], read_pixels(edited.image)
    np.testing.assert_array_equal(found[4:], before[4:])
    assert (found[:4] != before[:4]).any()
    assert edited.border_error > 0


async def test_an_image_is_inverted_and_then_edited_by_a_text(worded: Any) -> None:
    refinement = inversion_pb2.Refinement(steps=4)
    source = v1.ImageSource(image=image(), options=inversion_pb2.InversionOptions(refinement=refinement))
    response = await worded.editing.Edit(v1.EditRequest(image=source, operations=[text()]), timeout=10)
    assert response.inversion.steps == 4
    np.testing.assert_array_equal(read_code(response.images[0].latent), read_code(response.inversion.latent))


async def test_the_catalog_tells_of_texts_styles_and_learned_directions(worded: Any, running: Any) -> None:
    pack = (await worded.catalog.GetPack(catalog_pb2.GetPackRequest(), timeout=10)).pack
    assert pack.text.neutral == "a person"
    assert (pack.text.tokens, pack.text.strength, round(pack.text.beta, 6)) == (5, 1.5, 0.2)
    found = {each.name: each for each in pack.directions}
    assert found["channel"].space == catalog_pb2.DIRECTION_SPACE_S
    assert (found["grow"].space, found["grow"].learned) == (catalog_pb2.DIRECTION_SPACE_W_PLUS, True)
    assert not found["channel"].learned
    (method,) = (each for each in pack.methods if each.name == "text")
    assert list(method.inputs) == ["text"]
    plain = (await running.catalog.GetPack(catalog_pb2.GetPackRequest(), timeout=10)).pack
    assert not plain.HasField("text")
