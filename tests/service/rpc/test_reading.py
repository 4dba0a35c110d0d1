"""Attributes read off images over the wire, and expressions transferred, by the real graphs of `tiny`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest

from relatent.v1 import editing_pb2 as v1
from relatent.v1 import types_pb2
from tests.fixtures import tiny
from tests.fixtures.requests import code, image, latent, read_code, reason, violated


def transfer(*amounts: float, **fields: Any) -> v1.Operation:
    made: dict[str, Any] = {"source": latent(code(2)), "target": latent(code(3)), "amounts": amounts} | fields
    return v1.Operation(expression_transfer=v1.ExpressionTransfer(**made))


async def edit(running: Any, *operations: v1.Operation) -> Any:
    return await running.editing.Edit(
        v1.EditRequest(latent=latent(code(1)), operations=operations), timeout=10
    )


async def refused(call: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return caught.value


async def test_an_image_reads_what_the_network_answers_in_the_attributes_units(running: Any) -> None:
    pixels = tiny.generate(code(1)[None])
    sent = types_pb2.Image(
        data=pixels.tobytes(),
        format=types_pb2.IMAGE_FORMAT_RAW_RGB,
        width=pixels.shape[2],
        height=pixels.shape[1],
    )
    response = await running.editing.Read(v1.ReadRequest(image=sent), timeout=10)
    brightness, redness = tiny.readings(pixels)[0]
    assert [each.attribute for each in response.readings] == ["brightness", "redness"]
    assert response.readings[0].value == pytest.approx(100 * brightness, rel=1e-5)
    assert response.readings[0].unit == "%"
    assert response.readings[1].value == pytest.approx(redness, rel=1e-4)
    assert running.engine.calls == [("tiny_attributes", 1)]
    assert response.timings.inference.ToNanoseconds() > 0


async def test_what_is_read_is_what_a_target_arrives_at(running: Any) -> None:
    response = await running.editing.Read(v1.ReadRequest(image=image(3), pack="tiny"), timeout=10)
    goals = [
        v1.AttributeGoal(attribute=each.attribute, to=[each.value], unit=each.unit)
        for each in response.readings
    ]
    edited = await edit(running, v1.Operation(attribute_target=v1.AttributeTarget(goals=goals)))
    (outcome,) = edited.images[0].targets
    assert [each.asked for each in outcome.attributes] == pytest.approx(
        [each.value for each in response.readings]
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "image"),
        ({"image": types_pb2.Image(data=b"no picture")}, "image"),
        ({"image": image(), "fit": 9}, "fit"),
        ({"image": image(), "pack": "other"}, "pack"),
    ],
)
async def test_what_cannot_be_read_is_named(running: Any, fields: dict[str, Any], field: str) -> None:
    error = await refused(running.editing.Read(v1.ReadRequest(**fields), timeout=10))
    assert violated(error).startswith(field)


async def test_a_pack_without_attributes_is_refused_by_name(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs = running.server.readiness._packs
    monkeypatch.setitem(packs.all, "tiny", replace(packs.all["tiny"], attributes=(), controls=None))
    error = await refused(running.editing.Read(v1.ReadRequest(image=image()), timeout=10))
    assert (reason(error), violated(error)) == ("NO_ATTRIBUTES", "pack")
    assert "'tiny' has no attribute network" in error.details()


async def test_an_expression_is_transferred_by_amounts_that_make_a_strip(running: Any) -> None:
    response = await edit(running, transfer(-0.5, 1.0, threshold=0.0))
    difference = code(3) - code(2)
    for edited, amount in zip(response.images, (-0.5, 1.0), strict=True):
        assert edited.strength == amount
        np.testing.assert_allclose(read_code(edited.latent), code(1) + amount * difference, atol=1e-6)


async def test_the_published_threshold_holds_unless_another_is_given(running: Any) -> None:
    loud, quiet = np.array([2, 0, 0, 0], np.float32), np.array([0, 0.5, 0, 0], np.float32)
    operation = transfer(1.0, target=latent(code(2) + loud + quiet))
    (edited,) = (await edit(running, operation)).images
    np.testing.assert_allclose(read_code(edited.latent), code(1) + loud, atol=1e-6)


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        (transfer(), "amounts"),
        (transfer(np.nan), "amounts[0]"),
        (transfer(1, threshold=-1.0), "threshold"),
        (transfer(1, threshold=np.nan), "threshold"),
        (transfer(1, threshold=1e6), "target"),
        (transfer(1, target=latent(code(2))), "target"),
        (transfer(1, source=types_pb2.Latent()), "source.pack"),
    ],
)
async def test_a_transfer_that_has_no_meaning_is_refused_by_its_field(
    running: Any, operation: v1.Operation, field: str
) -> None:
    error = await refused(edit(running, operation))
    assert violated(error) == f"operations[0].expression_transfer.{field}"
