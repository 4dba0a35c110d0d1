"""Results in Redis; the one module that knows it."""

from __future__ import annotations

from typing import Any

from relatent_service.caching.remote import GET_SECONDS, MOST_PUTS, Store, StoreFailed

PREFIX = "relatent:latent:"
CONNECTIONS = 2 * MOST_PUTS


class RedisStore:
    """A Redis, or what speaks its protocol.

    Args:
        url: redis://, rediss:// or unix://, as Redis' own clients have it.
        seconds: after which it forgets a value.
    """

    def __init__(self, url: str, seconds: int) -> None:
        from redis.asyncio import BlockingConnectionPool, Redis  # an extra, needed by nobody else
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        self._seconds = seconds
        pool: Any = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=GET_SECONDS,
            socket_connect_timeout=GET_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Any = Redis(connection_pool=pool)
        self._pool = pool

    async def get(self, key: str, most: int) -> bytes | None:
        """See `Store.get`; whatever else lies there, no more than that comes over the wire."""
        value: bytes = await self._do("getrange", PREFIX + key, 0, most)
        return value or None

    async def put(self, key: str, value: bytes) -> None:
        """See `Store.put`."""
        await self._do("set", PREFIX + key, value, ex=self._seconds)

    async def close(self) -> None:
        """Close its connections."""
        await self._redis.aclose()
        await self._pool.aclose()

    async def _do(self, command: str, *words: Any, **options: Any) -> Any:
        from redis.exceptions import RedisError

        try:
            return await getattr(self._redis, command)(*words, **options)
        except (RedisError, OSError) as error:
            raise StoreFailed(f"{type(error).__name__}: {error}") from error


def open_redis(url: str, seconds: int) -> Store | None:
    """A Redis at an address, not connected yet; None where the address is empty."""
    return RedisStore(url, seconds) if url else None
