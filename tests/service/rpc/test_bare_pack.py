"""A pack of a generator alone: no encoder to start from, no features to compare."""

import math

import grpc
import pytest

from relatent.v1 import catalog_pb2, editing_pb2
from relatent.v1 import inversion_pb2 as v1
from tests.fixtures.requests import image, violated
from tests.fixtures.running import running_server
from tests.fixtures.tiny import write_tiny


@pytest.fixture
async def bare(tmp_path):
    write_tiny(tmp_path, bare=True)
    async with running_server(tmp_path) as server:
        yield server


def options(**start):
    return v1.InversionOptions(refinement=v1.Refinement(steps=20), **start)


async def test_inversions_start_from_the_mean_unless_told_otherwise(bare):
    answers = [
        await bare.inversion.Invert(v1.InvertRequest(image=image(), options=wish), timeout=10)
        for wish in (options(), options(mean=v1.MeanStart()))
    ]
    results = [answer.result for answer in answers]
    assert results[0].latent == results[1].latent
    assert list(results[0].losses) == list(results[1].losses)
    assert results[0].losses[-1] < results[0].losses[0]


async def test_what_was_not_measured_is_not_a_number(bare):
    request = v1.InvertRequest(image=image(), options=options())
    quality = (await bare.inversion.Invert(request, timeout=10)).result.quality
    assert quality.psnr > 0
    assert math.isnan(quality.perceptual)
    assert not quality.HasField("identity")
    assert bare.metric("relatent_reconstruction_mse_count", pack="tiny", method="hybrid") == 1
    assert bare.metric("relatent_reconstruction_perceptual_count", pack="tiny", method="hybrid") == 0


async def test_asking_for_the_encoder_is_refused_by_name(bare):
    request = v1.InvertRequest(image=image(), options=options(encoder=v1.EncoderStart()))
    with pytest.raises(grpc.RpcError) as caught:
        await bare.inversion.Invert(request, timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated(caught.value) == "options.encoder"
    assert "pack 'tiny' has no encoder" in caught.value.details()


async def test_an_image_can_be_edited(bare):
    move = editing_pb2.DirectionMove(direction="brightness", strengths=[0, 1])
    source = editing_pb2.ImageSource(image=image(), options=options())
    operations = [editing_pb2.Operation(direction=move)]
    answer = await bare.editing.Edit(editing_pb2.EditRequest(image=source, operations=operations), timeout=10)
    assert len(answer.images) == 2


async def test_the_catalog_tells_what_it_has(bare):
    pack = (await bare.catalog.GetPack(catalog_pb2.GetPackRequest(), timeout=10)).pack
    assert not pack.encoder
    assert list(pack.metrics) == ["mse", "psnr", "ssim"]
    assert pack.compare_side == pack.resolution
