"""What both clients promise of a server that answers well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

import relatent
from relatent.client import decoding
from relatent.client.images import image_message
from relatent.client.retrying import RetryPolicy
from relatent.v1 import catalog_pb2, editing_pb2, inversion_pb2, types_pb2
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer

PIXELS = np.full((8, 8, 3), 7, np.uint8)


def code(value: float = 0.5) -> relatent.LatentCode:
    return relatent.LatentCode(np.full(fake.SHAPE, value), fake.PACK, fake.REVISION)


async def test_an_inversion_comes_back_typed_and_whole(call: Call, server: FakeServer) -> None:
    inversion = await call(server.address, "invert", PIXELS)

    assert inversion.latent.values.shape == fake.SHAPE
    assert (inversion.latent.pack, inversion.latent.revision) == (fake.PACK, fake.REVISION)
    assert inversion.latent.space is relatent.Space.W_PLUS
    assert inversion.reconstruction.image.getpixel((0, 0)) == (200, 100, 50)
    assert np.asarray(inversion.reconstruction).shape == (8, 8, 3)
    assert inversion.quality.psnr == 20.0
    assert inversion.stop_reason is relatent.StopReason.STEPS
    assert inversion.losses == tuple(fake.loss(step) for step in range(20))
    assert (inversion.steps, inversion.resumed) == (20, 0)


async def test_every_option_reaches_the_server(call: Call, server: FakeServer) -> None:
    await call(
        server.address,
        "invert",
        PIXELS,
        pack="tiny",
        fit="pad",
        start=code(),
        steps=7,
        learning_rate=0.25,
        weights={"pixel": 2.0},
        mask=PIXELS,
        target_loss=0.5,
        plateau=relatent.Plateau(5, 0.25),
        time_budget=1.5,
        best_at_deadline=True,
        output_format="webp",
        no_cache=True,
    )
    options = server.requests[0].options
    refinement = options.refinement
    assert (options.pack, options.fit) == ("tiny", types_pb2.FIT_PAD)
    assert options.latent.values == fake.latent().values
    assert options.output_format == types_pb2.IMAGE_FORMAT_WEBP
    assert (refinement.steps, refinement.learning_rate, refinement.target_loss) == (7, 0.25, 0.5)
    assert dict(refinement.weights) == {"pixel": 2.0}
    assert refinement.mask.data == PIXELS.tobytes()
    assert (refinement.plateau.steps, refinement.plateau.min_improvement) == (5, 0.25)
    assert refinement.time_budget.ToMilliseconds() == 1500
    assert refinement.best_at_deadline
    assert options.no_cache


async def test_options_left_out_are_left_to_the_server(call: Call, server: FakeServer) -> None:
    await call(server.address, "invert", PIXELS)
    request = server.requests[0]
    expected = inversion_pb2.InversionOptions(refinement=inversion_pb2.Refinement())
    assert request.options == expected
    assert request.checkpoint_every == 1


async def test_no_steps_are_asked_for_as_such(call: Call, server: FakeServer) -> None:
    await call(server.address, "invert", PIXELS, steps=0)
    assert server.requests[0].options.refinement.HasField("steps")


async def test_progress_is_reported_with_previews_and_checkpoints(call: Call, server: FakeServer) -> None:
    reports: list[relatent.Progress] = []
    await call(server.address, "invert", PIXELS, progress=reports.append, preview_every=1)

    assert [report.steps for report in reports] == [0, 5, 10, 15, 20]
    assert {report.total_steps for report in reports} == {20}
    assert reports[0].preview is not None
    assert reports[0].preview.array.shape == (8, 8, 3)
    last = reports[-1].checkpoint
    assert last is not None
    assert relatent.Checkpoint.from_bytes(last.to_bytes()).steps == 20


async def test_an_inversion_goes_on_from_a_checkpoint_of_the_callers(call: Call, server: FakeServer) -> None:
    start = relatent.Checkpoint(fake.checkpoint(15))
    reports: list[relatent.Progress] = []
    await call(server.address, "invert", PIXELS, start=start, progress=reports.append)
    assert [report.steps for report in reports] == [15, 20]


async def test_a_code_is_edited_by_every_kind_of_operation(call: Call, server: FakeServer) -> None:
    edit = await call(
        server.address,
        "edit",
        code(),
        [
            relatent.Move("brightness", [-1.0, 2.0], absolute=True, layers=(0, 1), keep=["redness"]),
            relatent.Mix(code(1.0), (1, 1)),
            relatent.Interpolate(code(2.0), 0.25),
            relatent.Truncate(0.5),
        ],
    )
    move, mix, interpolation, truncation = server.requests[0].operations
    assert list(move.direction.strengths) == [-1.0, 2.0]
    assert move.direction.mode == editing_pb2.STRENGTH_MODE_ABSOLUTE
    assert (move.direction.layers.first, move.direction.layers.last) == (0, 1)
    assert list(move.direction.conditions) == ["redness"]
    assert mix.style_mix.other.values == fake.latent(1.0).values
    assert list(interpolation.interpolation.amounts) == [0.25]
    assert truncation.truncation.psi == 0.5
    assert [image.strength for image in edit.images] == [-1.0, 2.0]
    assert edit.inversion is None


async def test_an_image_is_inverted_before_it_is_edited(call: Call, server: FakeServer) -> None:
    edit = await call(
        server.address, "edit", PIXELS, [relatent.Move("brightness", 1.0)], invert={"steps": 20}
    )
    inversion, editing = server.requests
    assert inversion.options.refinement.steps == 20
    assert editing.latent.values == fake.latent().values
    assert edit.inversion.steps == 20
    assert edit.images[0].image.array.shape == (8, 8, 3)


async def test_codes_are_synthesised_in_their_order(call: Call, server: FakeServer) -> None:
    images = await call(server.address, "synthesize", [code(1.0), code(2.0)])
    assert [float(image.latent.values[0, 0]) for image in images] == [1.0, 2.0]


async def test_seeds_are_sampled_in_their_order(call: Call, server: FakeServer) -> None:
    images = await call(server.address, "sample", [5, 3], truncation=0.0)
    assert [float(image.latent.values[0, 0]) for image in images] == [5.0, 3.0]
    assert server.requests[0].HasField("truncation")


async def test_samples_are_moved_along_directions_of_z(call: Call, server: FakeServer) -> None:
    moves = [relatent.Move("age", 1.5), relatent.Move("smile", -2, absolute=True, keep=["age"])]
    await call(server.address, "sample", [5], moves=moves)
    age, smile = server.requests[0].z_moves
    assert (age.direction, list(age.strengths), age.mode) == (
        "age",
        [1.5],
        editing_pb2.STRENGTH_MODE_RELATIVE,
    )
    assert (list(smile.strengths), list(smile.conditions)) == ([-2.0], ["age"])
    assert smile.mode == editing_pb2.STRENGTH_MODE_ABSOLUTE
    much: Any = "much"
    with pytest.raises(relatent.InputError, match=r"Move\(direction='age', strength='much'"):
        await call(server.address, "sample", [5], moves=[relatent.Move("age", much)])


async def test_the_catalog_is_typed(call: Call, server: FakeServer) -> None:
    catalog = await call(server.address, "catalog")
    assert catalog.limits.max_images == 3
    brightness, age, depth, *_ = catalog.packs["tiny"].directions
    assert brightness.calibration == 0.5
    assert brightness.space is relatent.Space.W_PLUS  # what servers had before they told
    assert (age.space, age.licence, age.source) == (relatent.Space.Z, "MIT", "InterFaceGAN")
    assert depth.space is relatent.Space.P
    pack = await call(server.address, "pack", "tiny")
    assert pack == catalog.packs["tiny"]


def test_a_space_of_directions_that_is_not_known_is_told() -> None:
    later: Any = 9
    unknown = catalog_pb2.Pack(directions=[catalog_pb2.Direction(name="age", space=later)])
    with pytest.raises(relatent.ContractError, match=r"direction 'age': space 9 is unknown to this client"):
        decoding.pack_info(unknown)


async def test_what_cannot_be_sent_is_refused_by_name(call: Call, server: FakeServer) -> None:
    address = server.address
    much: Any = "much"
    with pytest.raises(relatent.InputError, match=r"fit: expected one of crop, pad, refuse, got 'squash'"):
        await call(address, "invert", PIXELS, fit="squash")
    with pytest.raises(relatent.InputError, match=r"start: expected 'encoder'"):
        await call(address, "invert", PIXELS, start="middle")
    with pytest.raises(relatent.InputError, match=r"steps: expected 0 or more, got -1"):
        await call(address, "invert", PIXELS, steps=-1)
    with pytest.raises(relatent.InputError, match=r"timeout: expected more than 0"):
        await call(address, "invert", PIXELS, timeout=0)
    with pytest.raises(relatent.InputError, match=r"seeds: expected whole numbers"):
        await call(address, "sample", [-1])
    with pytest.raises(relatent.InputError, match=r"options: .*'weights': \{'pixel': 'much'\}"):
        await call(address, "invert", PIXELS, weights={"pixel": much})
    with pytest.raises(relatent.InputError, match=r"options: .*'time_budget': inf"):
        await call(address, "invert", PIXELS, time_budget=float("inf"))
    with pytest.raises(relatent.InputError, match=r"operation: Move\(direction='a', strength='much'"):
        await call(address, "edit", code(), [relatent.Move("a", much)])
    with pytest.raises(relatent.InputError, match=r"operation: Mix.*layers=\(-1, 3\)"):
        await call(address, "edit", code(), [relatent.Mix(code(), (-1, 3))])
    with pytest.raises(TypeError, match="stepz"):
        await call(address, "invert", PIXELS, stepz=3)
    assert not server.requests


async def test_a_request_beyond_the_message_size_is_not_sent(call: Call, server: FakeServer) -> None:
    large = np.zeros((256, 256, 3), np.uint8)
    with pytest.raises(relatent.InputError, match=r"max_message_bytes is 65,536"):
        await call(server.address, "invert", large, client={"max_message_bytes": 65536})
    assert not server.requests


async def test_an_answer_beyond_the_message_size_says_so(call: Call, server: FakeServer) -> None:
    with pytest.raises(relatent.OverloadedError, match=r"(?i)larger than max"):
        await call(server.address, "sample", list(range(64)), client={"max_message_bytes": 2000})


async def test_a_broken_answer_is_told_from_a_broken_call(call: Call, server: FakeServer) -> None:
    async def nonsense(request: Any, context: Any) -> AsyncIterator[Any]:
        broken = fake.result(20, [])
        broken.result.latent.shape[:] = [3, 3]
        yield broken

    server.scripts = [nonsense]
    with pytest.raises(relatent.ContractError, match="latent"):
        await call(server.address, "invert", PIXELS)


async def test_many_inversions_share_one_client(server: FakeServer) -> None:
    image = Image.new("RGB", (8, 8))
    async with relatent.AsyncClient(server.address) as client:
        inversions = await asyncio.gather(*(client.invert(image) for _ in range(16)))
    assert len(inversions) == 16


def test_a_client_needs_an_address() -> None:
    with pytest.raises(relatent.InputError, match="at least one host:port"):
        relatent.Client(" , ")


def test_a_closed_client_says_so() -> None:
    client = relatent.Client("127.0.0.1:1")
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.catalog()


def test_closing_a_client_ends_a_wait_between_attempts() -> None:
    """Ctrl-C closes it, and must not be held up by a server that asks to be called in an hour."""
    client = relatent.Client("127.0.0.1:1", retry=RetryPolicy(initial=60, maximum=60), timeout=120)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.pack)
        time.sleep(0.5)  # long enough for the refused attempt; the wait after it takes a minute
        began = time.monotonic()
        client.close()
        with pytest.raises(RuntimeError, match="the client is closed"):
            waiting.result(timeout=30)
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("size", [0, 2**31])
def test_a_message_size_beyond_what_grpc_counts_is_refused(size: int) -> None:
    with pytest.raises(relatent.InputError, match="max_message_bytes: expected 1 to"):
        relatent.Client("127.0.0.1:1", max_message_bytes=size)


async def test_an_edit_of_an_image_leaves_time_for_itself_where_the_inversion_takes_all_it_may(
    call: Call, server: FakeServer
) -> None:
    await call(
        server.address,
        "edit",
        PIXELS,
        [relatent.Move("brightness", 1.0)],
        timeout=20.0,
        invert={"best_at_deadline": True},
    )
    inverted, edited = server.timeouts
    assert inverted < 16.5
    assert edited > 16.5


async def test_text_that_no_message_can_hold_is_refused_by_name(call: Call, server: FakeServer) -> None:
    with pytest.raises(relatent.InputError, match="pack: expected text in UTF-8"):
        await call(server.address, "pack", "\udce9")
    with pytest.raises(relatent.InputError, match="pack: expected text in UTF-8"):
        await call(server.address, "sample", [1], pack="\udce9")


async def test_a_picture_that_takes_long_to_convert_does_not_hold_up_the_loop(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(image: Any) -> Any:
        time.sleep(0.3)
        return image_message(image)

    monkeypatch.setattr("relatent.client.flows.image_message", slowly)
    longest = 0.0
    async with relatent.AsyncClient(server.address) as client:
        work = asyncio.create_task(client.invert(PIXELS))
        while not work.done():
            began = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - began)
        await work
    assert longest < 0.25
