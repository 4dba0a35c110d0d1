"""What was inverted is not inverted again, and nobody can tell but by the time."""

import tomllib

import grpc
import numpy as np
import pytest
import tomli_w
from google.protobuf.duration_pb2 import Duration

from relatent.core.manifest import MANIFEST
from relatent.v1 import editing_pb2, types_pb2
from relatent.v1 import inversion_pb2 as v1
from relatent_service.caching.remote import StoreFailed
from tests.fixtures import tiny
from tests.fixtures.requests import encoded, image, latent, reason
from tests.fixtures.running import running_server
from tests.fixtures.sessions import open_session
from tests.fixtures.stores import DictStore
from tests.service.rpc.asking import ROOM, edit, inversions, invert, lookups, options, stream, without_time

CHOICES = {
    "its defaults": options(),
    "no steps": options(0),
    "the mean": options(mean=v1.MeanStart()),
    "several starts": options(restarts=3),
    "another method": options(method="momentum"),
    "a format of its own": options(output_format=types_pb2.IMAGE_FORMAT_RAW_RGB),
    "a target": options(60, {"target_loss": 0.01}),
}


@pytest.mark.parametrize("chosen", CHOICES.values(), ids=CHOICES)
async def test_a_hit_answers_byte_for_byte_what_the_inversion_did(caching, chosen):
    first = await invert(caching, chosen)
    calls = len(caching.engine.calls)
    second = await invert(caching, chosen)
    assert (first.cached, second.cached) == (False, True)
    assert without_time(second) == without_time(first)
    assert len(caching.engine.calls) == calls, "the engine does nothing for it"
    assert (lookups(caching, "miss"), lookups(caching, "hit")) == (1, 1)
    assert caching.metric("relatent_latent_cache_bytes") > 0


async def test_edit_after_edit_of_one_picture_inverts_once(caching):
    made = [await edit(caching, strength) for strength in (0.0, 0.5, 1.0)]
    async with open_session(
        caching.editing, image=editing_pb2.ImageSource(image=image(), options=options())
    ) as session:
        opened = session.opened.inversion
    _, streamed = await stream(caching)
    found = [*(answer.inversion for answer in made), opened, streamed, await invert(caching)]
    assert [each.cached for each in found] == [False, True, True, True, True, True]
    assert len({without_time(each) for each in found}) == 1
    graphs = [graph for graph, _ in caching.engine.calls]
    assert (graphs.count("tiny_encode"), graphs.count("tiny_refine")) == (1, 2)
    assert inversions(caching) == 1
    assert made[1].images[0].image != made[0].images[0].image


async def test_an_edit_of_what_was_found_is_the_edit_of_what_was_inverted(caching):
    half = np.zeros((8, 8), np.uint8)
    half[:4] = 255
    mask = encoded(half)
    region = editing_pb2.Region(mask=types_pb2.Image(data=mask))
    for fields in ({}, {"region": region}):
        first, second = [
            await edit(caching, 0.5, chosen=options(no_cache=no_cache), **fields)
            for no_cache in (True, False)
        ]
        assert list(second.images) == list(first.images)
    assert second.inversion.cached


async def test_a_stream_of_what_is_found_is_its_result_alone(caching):
    reports, first = await stream(caching)
    assert len(reports) == 3
    again, second = await stream(caching)
    assert again == []
    assert without_time(second) == without_time(first)


async def test_the_same_picture_in_other_bytes_is_found(caching):
    pixels = tiny.random_image(1)
    raw = types_pb2.Image(data=pixels.tobytes(), format=types_pb2.IMAGE_FORMAT_RAW_RGB, width=8, height=8)
    first = await invert(caching)
    second = await invert(caching, picture=raw)
    assert second.cached
    assert without_time(second) == without_time(first)
    assert caching.server.admission.inflight == 0


async def test_another_picture_mask_or_option_is_not(caching):
    half = types_pb2.Image(data=encoded(tiny.random_image(4)[:, :, 0]))
    asked = [
        await invert(caching),
        await invert(caching, picture=image(2)),
        await invert(caching, options(12)),
        await invert(caching, options(refinement={"mask": half})),
        await invert(caching, options(refinement={"learning_rate": 0.5})),
    ]
    assert [each.cached for each in asked] == [False] * 5
    assert (await invert(caching, options(refinement={"mask": half}))).cached


async def test_who_wants_no_cache_neither_takes_nor_leaves_anything(caching):
    alone = options(no_cache=True)
    for _ in range(2):
        assert not (await invert(caching, alone)).cached
    assert caching.metric("relatent_latent_cache_bytes") == 0
    assert not (await invert(caching)).cached
    assert not (await invert(caching, alone)).cached
    assert inversions(caching) == 4


async def test_what_a_clock_ended_is_not_kept_for_the_whole(caching):
    caching.engine.delay = 0.02
    short = {"time_budget": Duration(nanos=150_000_000)}
    cut = await invert(caching, options(2000, short))
    assert cut.stop_reason == v1.STOP_REASON_TIME_BUDGET
    again = await invert(caching, options(2000, short))
    assert not again.cached
    caching.engine.delay = 0.0
    whole = await invert(caching, options(40))
    found = await invert(caching, options(40, short))
    assert found.cached, "who would take less gets all that there is"
    assert without_time(found) == without_time(whole)


async def test_a_graph_that_was_exported_anew_finds_nothing_of_the_old_one(tmp_path):
    tiny.write_tiny(tmp_path)
    store = DictStore()
    async with running_server(tmp_path, *ROOM, store=store) as running:
        await invert(running)
    config = tmp_path / "model_repository" / "tiny_refine" / "config.pbtxt"
    text = config.read_text()
    digest = text.split('key: "relatent.digest"')[1].split('string_value: "')[1][:64]
    config.write_text(text.replace(digest, "0" * 64))
    async with running_server(tmp_path, *ROOM, store=store) as running:
        assert not (await invert(running)).cached
    config.write_text(text)
    async with running_server(tmp_path, *ROOM, store=store) as running:
        assert (await invert(running)).cached


async def test_graphs_that_do_not_say_which_they_are_are_not_cached(tmp_path, caplog):
    tiny.write_tiny(tmp_path)
    config = tmp_path / "model_repository" / "tiny_refine" / "config.pbtxt"
    config.write_text(config.read_text().replace("relatent.digest", "something.else"))
    async with running_server(tmp_path, *ROOM) as running:
        for _ in range(2):
            assert not (await invert(running)).cached
    told = [message for message in caplog.messages if "latents are not cached" in message]
    assert len(told) == 1
    assert "tiny_refine" in told[0]


async def test_the_least_score_is_held_against_what_is_found(tmp_path):
    packs, _ = tiny.write_tiny(tmp_path)
    _add_domain(packs / "tiny")
    async with running_server(tmp_path, *ROOM) as running:
        first = await invert(running)
        score = first.in_domain.score
        assert 0 < score < 1
        found = await invert(running, options(min_in_domain=score / 2))
        assert found.cached
        assert without_time(found) == without_time(first)
        calls = len(running.engine.calls)
        with pytest.raises(grpc.RpcError) as caught:
            await invert(running, options(min_in_domain=(1 + score) / 2))
        assert reason(caught.value) == "OUT_OF_DOMAIN"
        assert len(running.engine.calls) == calls


def _add_domain(folder):
    manifest = tomllib.loads((folder / MANIFEST).read_text())
    manifest["domain"] = {"typical_cycle": 0.05, "deviation": 2.0, "images": 100}
    (folder / MANIFEST).write_text(tomli_w.dumps(manifest))


async def test_what_there_is_no_room_for_goes_the_oldest_first(tiny_root):
    async with running_server(tiny_root, "--latent-cache-bytes", "10000") as running:
        for seed in (1, 2, 3):
            await invert(running, picture=image(seed))
        assert running.metric("relatent_latent_cache_bytes") <= 10000
        assert [(await invert(running, picture=image(seed))).cached for seed in (3, 2, 1)] == [
            True,
            True,
            False,
        ]


async def test_servers_share_what_they_find(tiny_root):
    store = DictStore()
    async with running_server(tiny_root, *ROOM, store=store) as one:
        first = await invert(one)
    assert store.closed
    async with running_server(tiny_root, store=store) as other:
        second = await invert(other)
        assert (lookups(other, "hit_redis"), inversions(other)) == (1, 0)
    assert second.cached
    assert without_time(second) == without_time(first)


@pytest.mark.parametrize("garbage", [False, True])
async def test_a_store_that_fails_or_lies_costs_no_call_its_answer(tiny_root, garbage):
    store = DictStore()
    async with running_server(tiny_root, *ROOM, store=store) as one:
        first = await invert(one)
    if garbage:
        store.values = dict.fromkeys(store.values, b"garbage")
    else:
        store.error = StoreFailed("gone")
    async with running_server(tiny_root, *ROOM, store=store) as other:
        second = await invert(other)
        assert (await invert(other)).cached, "there is still what it has itself"
    assert not second.cached
    assert without_time(second) == without_time(first)


async def test_a_checkpoint_to_go_on_from_counts_as_a_start(caching):
    reports, _ = await stream(caching)
    checkpoint = reports[1].progress.checkpoint
    first, second = [await invert(caching, options(checkpoint=checkpoint)) for _ in range(2)]
    assert (first.cached, second.cached) == (False, True)
    code = [await invert(caching, options(latent=latent(tiny.MEAN))) for _ in range(2)]
    assert [each.cached for each in code] == [False, True]
