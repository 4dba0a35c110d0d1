"""What servers share in a real Redis, and what becomes of calls when it fails them."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from relatent_service.caching import remote
from relatent_service.caching.redis_store import PREFIX, RedisStore
from relatent_service.caching.remote import StoreFailed
from relatent_service.settings import read_settings
from tests.fixtures.running import Running, running_server
from tests.fixtures.tiny import write_tiny
from tests.service.rpc.asking import inversions, invert, lookups, options, without_time


class RedisProcess:
    """A Redis of this test's own, on a loopback port that was free."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        self.url = f"redis://:secret@127.0.0.1:{self.port}/0"
        self._folder = folder
        self.start()

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None, "make test-deploy says what to install"
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)]
        settings = ["--requirepass", "secret", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen([program, *where, *settings], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._listens():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", self.port)) == 0

    def hang(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path)
    yield process
    process.go_on()
    process.kill()


@pytest.fixture
async def store(redis: RedisProcess) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis.url, 60)
    yield store
    await store.close()


@pytest.fixture(scope="module")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny")
    write_tiny(root)
    return root


def errors(running: Running) -> dict[str, float]:
    reasons = ("slow", "failed", "not_a_result")
    found = {
        reason: running.metric("relatent_latent_cache_errors_total", reason=reason) for reason in reasons
    }
    return {reason: count for reason, count in found.items() if count}


async def test_what_is_put_is_there_until_its_time_is_up(redis: RedisProcess, store: RedisStore) -> None:
    assert await store.get("key", 100) is None
    await store.put("key", b"\0value\xff")
    assert await store.get("key", 100) == b"\0value\xff"
    assert await store.get("key", 2) == b"\0va", "no more than asked for, and a byte that tells of it"
    assert 0 < await store._redis.ttl(PREFIX + "key") <= 60


@pytest.mark.parametrize("why", ["away", "another password", "another type"])
async def test_whatever_fails_is_told_as_that(redis: RedisProcess, store: RedisStore, why: str) -> None:
    asked = store
    if why == "away":
        redis.kill()
    elif why == "another password":
        asked = RedisStore(redis.url.replace("secret", "guess"), 60)
    else:
        await store._redis.lpush(PREFIX + "key", b"a list")
    with pytest.raises(StoreFailed) as caught:
        await asked.get("key", 100)
    assert "secret" not in str(caught.value)
    assert "guess" not in str(caught.value)
    await asked.close()


async def test_two_servers_invert_a_picture_once(redis: RedisProcess, tiny_root: Path) -> None:
    async with (
        running_server(tiny_root, store=RedisStore(redis.url, 60)) as one,
        running_server(tiny_root, store=RedisStore(redis.url, 60)) as other,
    ):
        first = await invert(one)
        await until_kept(redis)
        second = await invert(other)
        assert (first.cached, second.cached) == (False, True)
        assert without_time(second) == without_time(first)
        assert (inversions(other), lookups(other, "hit_redis")) == (0, 1)
        assert errors(one) | errors(other) == {}


async def until_kept(redis: RedisProcess) -> None:
    store: Any = RedisStore(redis.url, 60)
    async with asyncio.timeout(5):
        while not await store._redis.dbsize():
            await asyncio.sleep(0.01)
    await store.close()


async def test_garbage_is_inverted_anew_and_replaced(redis: RedisProcess, tiny_root: Path) -> None:
    store = RedisStore(redis.url, 60)
    async with running_server(tiny_root, store=store) as one:
        await invert(one)
        await until_kept(redis)
        (key,) = await store._redis.keys()
        await store._redis.set(key, b"garbage")
        assert not (await invert(one)).cached
        assert errors(one) == {"not_a_result": 1}
        await one.server.cache.close()  # once what it sends has arrived
        async with running_server(tiny_root, store=RedisStore(redis.url, 60)) as other:
            assert (await invert(other)).cached


async def test_no_call_fails_or_waits_because_redis_hangs_or_dies(
    redis: RedisProcess, tiny_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "REST_SECONDS", 0.2)
    async with running_server(tiny_root, store=RedisStore(redis.url, 60)) as running:
        await invert(running)
        await until_kept(redis)
        assert (await invert(running)).cached
        redis.hang()
        began = time.monotonic()
        assert not (await invert(running)).cached
        assert time.monotonic() - began < 1.0, "a tenth of a second, and the inversion"
        assert errors(running)["slow"] >= 1
        redis.go_on()
        redis.kill()
        await asyncio.sleep(0.25)
        assert not (await invert(running, options(9))).cached
        assert errors(running)["failed"] >= 1
        redis.start()
        await asyncio.sleep(0.25)
        assert not (await invert(running, options(10))).cached
        await until_kept(redis)
        assert (await invert(running, options(10))).cached, "it is used again"


def test_its_address_is_checked_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for address in ("127.0.0.1:6379", "http://:secret@redis", "redis:secret"):
        with pytest.raises(SystemExit):
            read_settings(["--latent-cache-redis", address], {})
        error = capsys.readouterr().err
        assert "expected redis://, rediss://, unix://" in error
        assert "secret" not in error
    assert read_settings(["--latent-cache-redis", "redis://cache:6379/1"], {}).latent_cache_redis
