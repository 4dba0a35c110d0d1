"""Edits within a region, over the wire: outside nothing changes, attributes are those of the answer."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest

from relatent.v1 import editing_pb2 as v1
from relatent.v1 import inversion_pb2, types_pb2
from tests.fixtures import tiny
from tests.fixtures.requests import code, encoded, image, latent, read_code, read_pixels, violated

pytestmark = pytest.mark.asyncio(loop_scope="function")

BRIGHTER = v1.Operation(
    attribute_target=v1.AttributeTarget(
        goals=[v1.AttributeGoal(attribute="brightness", by=[3.0])], hold=v1.AttributeNames()
    )
)
MOVE = v1.Operation(direction=v1.DirectionMove(direction="detail", strengths=[1.0, 2.0]))
TOP = np.zeros((8, 8), np.uint8)
TOP[:4] = 255


def region(mask: Any = TOP, **fields: Any) -> v1.Region:
    return v1.Region(mask=types_pb2.Image(data=encoded(mask)), **fields)


def request(*operations: v1.Operation, **fields: Any) -> v1.EditRequest:
    given: dict[str, Any] = {"latent": latent(code(1)), "operations": operations, "region": region()}
    given |= fields
    return v1.EditRequest(**given)


async def test_a_strip_changes_within_and_not_one_bit_without(running: Any) -> None:
    response = await running.editing.Edit(request(MOVE), timeout=10)
    before = tiny.generate(code(1)[None])[0]
    for edited in response.images:
        whole = tiny.generate(read_code(edited.latent)[None])[0]
        found = read_pixels(edited.image)
        np.testing.assert_array_equal(found[4:], before[4:])
        np.testing.assert_array_equal(found[:4], whole[:4])
        change = (found[3].astype(float) - before[3]) / 255
        assert edited.border_error == pytest.approx(np.abs(change).mean(), abs=1e-6)


async def test_a_target_reaches_what_the_blended_image_reads(running: Any) -> None:
    response = await running.editing.Edit(request(BRIGHTER), timeout=10)
    (edited,) = response.images
    (outcome,) = edited.targets
    before, after = tiny.generate(code(1)[None]), read_pixels(edited.image)[None]
    np.testing.assert_array_equal(after[0, 4:], before[0, 4:])
    assert outcome.end == v1.TARGET_END_REACHED
    brightness = outcome.attributes[0]
    assert brightness.before == pytest.approx(100 * tiny.readings(before)[0, 0], abs=1e-3)
    assert brightness.reached == pytest.approx(100 * tiny.readings(after)[0, 0], abs=1e-3)
    assert brightness.reached - brightness.before == pytest.approx(3, abs=1.01)


async def test_of_an_image_what_lies_outside_is_its_inversions(running: Any) -> None:
    source = v1.ImageSource(image=image(3), options=inversion_pb2.InversionOptions(pack="tiny"))
    response = await running.editing.Edit(v1.EditRequest(image=source, operations=[MOVE], region=region()))
    inverted = read_pixels(response.inversion.reconstruction)
    np.testing.assert_array_equal(read_pixels(response.images[0].image)[4:], inverted[4:])


async def test_a_mask_that_is_not_square_is_fitted_as_told(running: Any) -> None:
    wide = np.zeros((8, 16), np.uint8)
    wide[:4] = 255
    for fit, rows in ((types_pb2.FIT_UNSPECIFIED, 4), (types_pb2.FIT_PAD, 4)):
        asked = request(MOVE, region=region(wide, fit=fit))
        response = await running.editing.Edit(asked, timeout=10)
        before = tiny.generate(code(1)[None])[0]
        np.testing.assert_array_equal(read_pixels(response.images[0].image)[rows + 1 :], before[rows + 1 :])


async def test_without_a_region_there_is_no_border(running: Any) -> None:
    response = await running.editing.Edit(v1.EditRequest(latent=latent(code(1)), operations=[MOVE]))
    assert not response.images[0].HasField("border_error")


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"region": v1.Region()}, "region.mask.data", "expected an image, got no bytes"),
        ({"region": region(TOP * 0)}, "region.mask", "black everywhere"),
        ({"region": region(feather=3)}, "region.feather", "expected 0 to 2 pixels, got 3"),
        ({"region": region(feather=float("nan"))}, "region.feather", "got nan"),
        ({"region": region(feather=-1)}, "region.feather", "got -1"),
        ({"region": region(fit=77)}, "region.fit", "got 77"),
        ({"region": region(TOP[:4], fit=types_pb2.FIT_REFUSE)}, "region.mask", "expected a square image"),
        (
            {"region": region(TOP[:4]), "image": v1.ImageSource(image=image())},
            "region.mask",
            "expected the image's proportions, 8 x 8, got 8 x 4",
        ),
    ],
)
async def test_a_wrong_region_is_named(running: Any, changes: Any, field: str, why: str) -> None:
    fields = {"latent": None} | changes if "image" in changes else changes
    with pytest.raises(grpc.RpcError) as caught:
        await running.editing.Edit(request(MOVE, **fields), timeout=10)
    assert violated(caught.value) == field
    assert why in caught.value.details()
