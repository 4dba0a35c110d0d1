import grpc
import pytest

from relatent.v1 import catalog_pb2 as v1
from tests.fixtures import tiny
from tests.fixtures.requests import reason, violated


async def test_the_catalog_tells_all_that_a_caller_needs(running):
    response = await running.catalog.ListPacks(v1.ListPacksRequest(), timeout=10)
    (pack,) = response.packs
    assert (pack.name, pack.revision, pack.resolution) == ("tiny", "1" * 64, 8)
    assert (pack.layers, pack.width) == tiny.CODE
    assert pack.licence == "Apache-2.0"
    assert pack.default_steps == 20
    assert list(pack.attributes) == list(tiny.ATTRIBUTES)
    assert {term.name: term.default_weight for term in pack.losses} == tiny.WEIGHTS
    directions = {direction.name: direction for direction in pack.directions}
    assert directions.keys() == tiny.directions().keys()
    assert directions["brightness"].calibration == 100 * 0.125  # in percent, the attribute's unit
    assert directions["brightness"].attribute == "brightness"
    assert (directions["detail"].first_layer, directions["detail"].last_layer) == (1, 1)
    assert (directions["detail"].min_strength, directions["detail"].max_strength) == (-3, 3)
    settings = running.server.settings
    assert response.limits == v1.Limits(
        max_message_bytes=settings.max_message_bytes,
        max_image_bytes=settings.max_image_bytes,
        max_image_pixels=settings.max_image_pixels,
        max_steps=settings.max_steps,
        max_images=settings.max_images,
    )
    for name in ("tiny", ""):
        one = await running.catalog.GetPack(v1.GetPackRequest(pack=name), timeout=10)
        assert one.pack == pack
        assert one.limits == response.limits


async def test_an_unknown_pack_is_not_found_and_what_exists_is_listed(running):
    with pytest.raises(grpc.RpcError) as caught:
        await running.catalog.GetPack(v1.GetPackRequest(pack="x" * 10_000), timeout=10)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert reason(caught.value) == "UNKNOWN_PACK"
    assert violated(caught.value) == "pack"
    assert caught.value.details().endswith("there are: tiny")
