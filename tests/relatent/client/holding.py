"""A session of either client, driven from a test's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

import relatent
from relatent.client.retrying import RetryPolicy
from tests.relatent.client import fake

CODE = relatent.LatentCode(np.full(fake.SHAPE, 0.5, np.float32), fake.PACK, fake.REVISION)
PIXELS = np.full((8, 8, 3), 9, np.uint8)
SMILE = relatent.Move("smile", 1.0)
QUICK = RetryPolicy(initial=0.02, maximum=0.1)


class Held:
    """The same methods for both kinds; a blocking one waits in threads, as the server lives in this loop."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.inversion = session.inversion

    def change(self, *operations: relatent.Operation) -> int:
        number: int = self.session.change(operations)
        return number

    def finish(self) -> None:
        self.session.finish()

    @property
    def has_unread(self) -> bool:
        """Whether an answer waits to be read."""
        return self.session._talk._exchange.can_be_read

    async def answer(self, timeout: float | None = 10) -> relatent.SessionAnswer:
        if isinstance(self.session, relatent.EditSession):
            return await asyncio.to_thread(self.session.answer, timeout)
        answer: relatent.SessionAnswer = await self.session.answer(timeout)
        return answer

    async def rest(self) -> list[relatent.SessionAnswer]:
        """All answers to the session's end."""
        if isinstance(self.session, relatent.EditSession):
            return await asyncio.to_thread(list, self.session)
        return [answer async for answer in self.session]

    async def close(self) -> None:
        if isinstance(self.session, relatent.EditSession):
            self.session.close()
        else:
            await self.session.close()


@asynccontextmanager
async def holding(
    kind: str, addresses: str | Sequence[str], source: Any, *, client: Any = None, **fields: Any
) -> AsyncIterator[Held]:
    """Hold a session by a client of a kind."""
    settings: dict[str, Any] = {"retry": QUICK, "timeout": 10.0, **(client or {})}
    if kind == "async":
        async with (
            relatent.AsyncClient(addresses, **settings) as made,
            made.edit_session(source, **fields) as session,
        ):
            yield Held(session)
        return
    with relatent.Client(addresses, **settings) as blocking:
        opening = blocking.edit_session(source, **fields)
        await asyncio.to_thread(opening.__enter__)
        try:
            yield Held(opening)
        finally:
            opening.close()
