"""What is taken over from other pictures reaches the server, and comes back, as it should."""

from __future__ import annotations

import numpy as np
import pytest

import relatent
from relatent.v1 import types_pb2
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer

PIXELS = np.full((8, 8, 3), 7, np.uint8)


def code(value: float) -> relatent.LatentCode:
    return relatent.LatentCode(np.full(fake.SHAPE, value), fake.PACK, fake.REVISION)


async def test_readings_come_back_by_name_in_their_units(call: Call, server: FakeServer) -> None:
    readings = await call(server.address, "read", PIXELS, pack="tiny", fit="pad")
    assert readings == {
        "smile": relatent.AttributeReading(0.75, ""),
        "yaw": relatent.AttributeReading(-12.5, "deg"),
    }
    (request,) = server.requests
    assert (request.pack, request.fit, request.image.data) == ("tiny", types_pb2.FIT_PAD, PIXELS.tobytes())


async def test_an_image_that_cannot_be_read_is_refused_here(call: Call, server: FakeServer) -> None:
    with pytest.raises(relatent.InputError, match=r"nowhere\.png: No such file"):
        await call(server.address, "read", "nowhere.png")
    assert server.requests == []


@pytest.mark.parametrize("threshold", [None, 0.0, 2.5])
async def test_a_transfer_is_sent_with_its_codes_and_its_threshold(
    call: Call, server: FakeServer, threshold: float | None
) -> None:
    transfer = relatent.Transfer(code(0.25), code(0.5), [0.5, 1], threshold)
    edit = await call(server.address, "edit", code(0), [transfer])
    assert len(edit.images) == 2
    sent = server.requests[0].operations[0].expression_transfer
    assert (sent.source.values, sent.target.values) == (fake.latent(0.25).values, fake.latent(0.5).values)
    assert list(sent.amounts) == [0.5, 1.0]
    assert (sent.threshold if sent.HasField("threshold") else None) == threshold


async def test_a_path_between_seeds_is_sent_instead_of_seeds(call: Call, server: FakeServer) -> None:
    images = await call(server.address, "sample", relatent.SeedPath(3, 2**63, [0, 0.5, 1]))
    assert len(images) == 3
    sent = server.requests[0]
    assert (list(sent.seeds), sent.path.first, sent.path.last) == ([], 3, 2**63)
    assert list(sent.path.amounts) == [0, 0.5, 1]
    with pytest.raises(relatent.InputError, match="seeds: expected whole numbers"):
        await call(server.address, "sample", relatent.SeedPath(-1, 2, [0]))
