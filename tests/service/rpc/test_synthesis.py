import grpc
import numpy as np
import pytest

from relatent.core.noise import noise, spherical_path
from relatent.v1 import synthesis_pb2 as v1
from tests.fixtures import tiny
from tests.fixtures.requests import code, latent, read_code, read_pixels, violated


async def test_codes_come_back_with_their_images_in_order(running):
    request = v1.SynthesizeRequest(latents=[latent(code(1)), latent(code(2)[0])])
    response = await running.synthesis.Synthesize(request, timeout=10)
    wanted = np.stack([code(1), np.tile(code(2)[0], (2, 1))])
    for made, w in zip(response.images, wanted, strict=True):
        np.testing.assert_array_equal(read_code(made.latent), w)
        np.testing.assert_array_equal(read_pixels(made.image), tiny.generate(w[None])[0])
    assert running.engine.calls == [("tiny_synthesize", 2)]


async def test_a_seed_means_the_same_whatever_its_company(running):
    request = v1.SampleRequest(seeds=[7, 2**63, 7], truncation=0.5)
    response = await running.synthesis.Sample(request, timeout=10)
    first, second, third = response.images
    assert first == third
    assert first != second
    expected = tiny.MEAN + 0.5 * np.tanh(noise(7, 4) @ tiny.MAPPING)
    np.testing.assert_allclose(read_code(first.latent), expected, atol=1e-6)


async def test_samples_are_truncated_to_seven_tenths_unless_told_otherwise(running):
    (unset,) = (await running.synthesis.Sample(v1.SampleRequest(seeds=[7]), timeout=10)).images
    (zero,) = (await running.synthesis.Sample(v1.SampleRequest(seeds=[7], truncation=0), timeout=10)).images
    expected = tiny.MEAN + 0.7 * np.tanh(noise(7, 4) @ tiny.MAPPING)
    np.testing.assert_allclose(read_code(unset.latent), expected, atol=1e-6)
    np.testing.assert_allclose(read_code(zero.latent), tiny.MEAN, atol=1e-6)


async def test_a_path_leads_from_one_seeds_image_to_the_others_over_the_sphere(running):
    path = v1.SeedPath(first=7, last=8, amounts=[0, 0.25, 1])
    response = await running.synthesis.Sample(v1.SampleRequest(path=path), timeout=10)
    ends = await running.synthesis.Sample(v1.SampleRequest(seeds=[7, 8]), timeout=10)
    assert [response.images[0], response.images[2]] == list(ends.images)
    z = spherical_path(noise(7, 4), noise(8, 4), [0.25])
    expected = tiny.MEAN + 0.7 * np.tanh(z[0] @ tiny.MAPPING)
    np.testing.assert_allclose(read_code(response.images[1].latent), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (v1.SynthesizeRequest(), "latents"),
        (v1.SynthesizeRequest(latents=[latent(code(1))] * 65), "latents"),
        (v1.SynthesizeRequest(latents=[latent(code(1)), latent(code(1), pack="other")]), "latents[1].pack"),
        (v1.SynthesizeRequest(latents=[latent(code(1), pack="")]), "latents[0].pack"),
        (v1.SynthesizeRequest(latents=[latent(code(1))], output_format=9), "output_format"),  # type: ignore[arg-type]
        (v1.SampleRequest(), "seeds"),
        (v1.SampleRequest(seeds=range(65)), "seeds"),
        (v1.SampleRequest(path=v1.SeedPath()), "path.amounts"),
        (v1.SampleRequest(path=v1.SeedPath(amounts=[0] * 65)), "path.amounts"),
        (v1.SampleRequest(path=v1.SeedPath(amounts=[0, 1.1])), "path.amounts[1]"),
        (v1.SampleRequest(path=v1.SeedPath(amounts=[float("nan")])), "path.amounts[0]"),
        (v1.SampleRequest(path=v1.SeedPath(amounts=[0]), seeds=[1]), "seeds"),
        (v1.SampleRequest(seeds=[1], truncation=-0.1), "truncation"),
        (v1.SampleRequest(seeds=[1], truncation=float("nan")), "truncation"),
    ],
)
async def test_a_wrong_request_is_refused_by_its_field(running, request_, field):
    method = running.synthesis.Sample if "seeds" in request_.DESCRIPTOR.fields_by_name else None
    with pytest.raises(grpc.RpcError) as caught:
        await (method or running.synthesis.Synthesize)(request_, timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated(caught.value) == field
    assert not running.engine.calls
