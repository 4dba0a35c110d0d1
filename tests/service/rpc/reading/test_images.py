import asyncio
import threading
import time

import grpc
import numpy as np
import pytest

from relatent.v1 import inversion_pb2 as v1
from relatent.v1 import types_pb2
from relatent_service.catalog import ServedPacks
from relatent_service.errors import InvalidField
from relatent_service.images.codec import read_rgb
from relatent_service.rpc.reading import images as decoding
from relatent_service.rpc.reading.images import AT_ONCE, Decoder
from relatent_service.rpc.reading.options import read_inversion
from relatent_service.settings import read_settings
from tests.fixtures import tiny
from tests.fixtures.requests import encoded, image, reason
from tests.fixtures.running import running_server

DECODER = Decoder(read_settings([], {}).image_limits)


@pytest.fixture
def read(pack):
    def read(options, picture=None):
        return read_inversion(ServedPacks({"tiny": pack}), read_settings([], {}), picture or image(), options)

    return read


def refine(**fields):
    return v1.InversionOptions(refinement=v1.Refinement(**fields))


@pytest.fixture
def decodings(monkeypatch):
    """How many pictures were being decoded, whenever one more began."""
    seen, now, lock = [], [0], threading.Lock()

    def slow(*arguments):
        with lock:
            now[0] += 1
            seen.append(now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return read_rgb(*arguments)

    monkeypatch.setattr(decoding, "read_rgb", slow)
    return seen


async def test_many_pictures_at_once_are_decoded_a_few_at_a_time(running, decodings):
    request = v1.InvertRequest(image=image(), options=refine(steps=0))
    await asyncio.gather(*(running.inversion.Invert(request, timeout=20) for _ in range(12)))
    assert len(decodings) == 12
    assert max(decodings) == AT_ONCE


async def test_callers_that_give_up_do_not_let_more_in(read, decodings):
    decoder = Decoder(read_settings([], {}).image_limits)
    parsed = read(v1.InversionOptions())
    for _ in range(4):
        leaving = [asyncio.create_task(decoder.read_pixels(parsed)) for _ in range(3)]
        await asyncio.sleep(0.01)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
    await decoder.read_pixels(parsed)
    assert max(decodings) == AT_ONCE


async def test_image_and_mask_are_cropped_alike(read):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, 4:12] = 200
    mask = np.zeros((8, 16), np.uint8)
    mask[:, 4:8] = 255
    parsed = read(refine(mask=types_pb2.Image(data=encoded(mask))), types_pb2.Image(data=encoded(pixels)))
    job = await DECODER.read_pixels(parsed)
    assert (job.image == 200).all()
    assert (job.inputs["mask"][:, :4] == 255).all()
    assert (job.inputs["mask"][:, 4:] == 0).all()


@pytest.mark.parametrize(
    ("mask", "why"), [(np.zeros((8, 8), np.uint8), "black"), (np.zeros((8, 16), np.uint8), "proportions")]
)
async def test_a_mask_that_cannot_be_meant_is_refused(read, mask, why):
    parsed = read(refine(mask=types_pb2.Image(data=encoded(mask))))
    with pytest.raises(InvalidField, match=why) as caught:
        await DECODER.read_pixels(parsed)
    assert caught.value.field == "options.refinement.mask"


async def test_without_a_mask_everything_counts(read):
    job = await DECODER.read_pixels(read(v1.InversionOptions()))
    assert job.inputs == {}
    np.testing.assert_array_equal(job.image, tiny.random_image(1))


async def test_decoding_counts_against_the_places_there_are(tiny_root, monkeypatch):
    """However slow it is: what waits for it waits in the queue, and the rest is turned away."""
    let_go = threading.Event()

    def slow(*arguments):
        assert let_go.wait(20)
        return decode(*arguments)

    decode = decoding._decode
    monkeypatch.setattr(decoding, "_decode", slow)
    async with running_server(tiny_root, "--max-inflight", "1", "--max-queue", "2") as running:
        request = v1.InvertRequest(image=image(), options=refine(steps=4))
        calls = [asyncio.ensure_future(running.inversion.Invert(request, timeout=20)) for _ in range(10)]
        await running.until(lambda: running.metric("relatent_rejected_total", reason="queue_full") == 7)
        assert (running.metric("relatent_inflight"), running.metric("relatent_waiting")) == (1, 2)
        let_go.set()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        turned_away = [end for end in ended if isinstance(end, grpc.RpcError)]
        assert len(turned_away) == 7
        assert all(reason(error) == "QUEUE_FULL" for error in turned_away)
