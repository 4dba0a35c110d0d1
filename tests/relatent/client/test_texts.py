"""Edits and inversions by texts reach the server as they were asked for, and the catalog tells of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import relatent
from relatent.client import decoding
from relatent.client.latents import latent_message
from relatent.client.texts import text_message
from relatent.v1 import catalog_pb2, editing_pb2, inversion_pb2, types_pb2
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer

PIXELS = np.full((8, 8, 3), 7, np.uint8)


def code() -> relatent.LatentCode:
    return relatent.LatentCode(np.full(fake.SHAPE, 0.5), fake.PACK, fake.REVISION)


def test_what_is_not_said_of_a_text_is_left_to_the_pack() -> None:
    assert text_message(relatent.Text("old")) == editing_pb2.TextMove(prompt="old")
    assert not text_message(relatent.Text("old")).HasField("beta")
    said = relatent.Text("old", neutral="a person", strength=2, beta=0.25)
    assert text_message(said) == editing_pb2.TextMove(
        prompt="old", neutral="a person", strengths=[2.0], beta=0.25
    )


async def test_a_text_is_sent_in_its_place_and_its_strengths_make_a_strip(
    call: Call, server: FakeServer
) -> None:
    operations = [relatent.Move("age", 1), relatent.Text("old = grey", strength=(-1, 0.5))]
    edit = await call(server.address, "edit", code(), operations)
    assert [each.strength for each in edit.images] == [-1.0, 0.5]
    move, text = server.requests[0].operations
    assert move.direction.direction == "age"
    assert (text.text.prompt, list(text.text.strengths)) == ("old = grey", [-1.0, 0.5])


async def test_an_inversion_is_told_what_the_image_shall_show(call: Call, server: FakeServer) -> None:
    await call(server.address, "invert", PIXELS, text="old", neutral="a portrait")
    await call(server.address, "invert", PIXELS)
    said, plain = (request.options.refinement for request in server.requests)
    assert (said.text, said.neutral) == ("old", "a portrait")
    assert (plain.text, plain.neutral) == ("", "")
    assert isinstance(server.requests[0], inversion_pb2.InvertStreamRequest)


async def test_an_image_is_inverted_by_a_text_and_edited_by_another(call: Call, server: FakeServer) -> None:
    await call(
        server.address, "edit", PIXELS, [relatent.Text("smiling")], invert={"text": "old", "method": "text"}
    )
    inverted, edited = server.requests
    assert inverted.options.refinement.text == "old"
    assert edited.operations[0].text.prompt == "smiling"


async def test_the_catalog_tells_of_texts_styles_and_learned_directions(
    call: Call, server: FakeServer
) -> None:
    pack = await call(server.address, "pack", "tiny")
    assert pack.text == relatent.TextInfo(tokens=32, neutral="a person", strength=1.5, beta=0.25)
    found = {each.name: each for each in pack.directions}
    assert (found["channel"].space, found["channel"].learned) == (relatent.Space.STYLE, False)
    assert (found["old_mapper"].space, found["old_mapper"].learned) == (relatent.Space.W_PLUS, True)


def test_a_pack_without_texts_has_none() -> None:
    assert decoding.pack_info(catalog_pb2.Pack(name="plain")).text is None


def test_a_code_of_s_is_kept_in_a_file_and_sent_with_its_styles(tmp_path: Path) -> None:
    styles = np.linspace(-1, 1, 5, dtype=np.float32)
    held = relatent.LatentCode(
        np.full(fake.SHAPE, 0.5), fake.PACK, fake.REVISION, relatent.Space.STYLE, {"styles": styles}
    )
    path = tmp_path / "code.safetensors"
    held.save(path)
    read = relatent.LatentCode.load(path)
    assert read.space is relatent.Space.STYLE
    np.testing.assert_array_equal(read.parts["styles"], styles)
    message = latent_message(read)
    assert message.space == types_pb2.LATENT_SPACE_S
    assert [(part.name, list(part.shape)) for part in message.parts] == [("styles", [5])]
    assert latent_message(held) == message
