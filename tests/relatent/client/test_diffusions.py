"""A diffusion is sent whole and comes back whole, by either client."""

from __future__ import annotations

import numpy as np
import pytest

import relatent
from relatent.v1 import diffusion_pb2, types_pb2
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer

TARGET, CONTEXT, MASK = (np.full((8, 8, 3), level, np.uint8) for level in (7, 9, 255))


async def test_it_is_sent_with_its_images_its_region_and_its_options(call: Call, server: FakeServer) -> None:
    made = await call(
        server.address,
        "diffuse",
        TARGET,
        relatent.Within(MASK, 1.5),
        CONTEXT,
        blend=True,
        steps=3,
        fit="pad",
        weights={"anchor": 0.5},
    )
    (request,) = server.requests
    assert isinstance(request, diffusion_pb2.DiffuseRequest)
    sent = (request.target.data, request.region.mask.data, request.context.data)
    assert sent == (TARGET.tobytes(), MASK.tobytes(), CONTEXT.tobytes())
    assert (request.region.feather, request.blend) == (1.5, True)
    assert request.region.fit == request.options.fit == types_pb2.FIT_PAD
    assert (request.options.refinement.steps, request.options.refinement.weights["anchor"]) == (3, 0.5)
    assert made.image.array[0, 0].tolist() == [1, 2, 3]
    assert (made.border_error, made.stitched_border_error) == (0.125, 0.25)
    assert made.inversion.steps == len(made.inversion.losses) == 5
    assert made.inversion.latent.values.shape == fake.SHAPE


async def test_nothing_is_blended_unless_asked_for(call: Call, server: FakeServer) -> None:
    await call(server.address, "diffuse", TARGET, relatent.Within(MASK), CONTEXT)
    assert not server.requests[0].blend


@pytest.mark.parametrize(
    ("target", "mask", "context", "why"),
    [
        ("nowhere.png", MASK, CONTEXT, r"nowhere\.png: No such file"),
        (TARGET, MASK[:4], CONTEXT, r"within\.mask: expected the image's proportions, 8 x 8, got 8 x 4"),
        (TARGET, MASK, np.zeros(3), "context: expected"),
    ],
)
async def test_what_cannot_be_sent_is_refused_here(
    call: Call, server: FakeServer, target: object, mask: object, context: object, why: str
) -> None:
    with pytest.raises(relatent.InputError, match=why):
        await call(server.address, "diffuse", target, relatent.Within(mask), context)  # type: ignore[arg-type]
    assert server.requests == []
