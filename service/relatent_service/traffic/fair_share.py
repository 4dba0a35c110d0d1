"""What bulk calls have of the engine while interactive ones want it: turns, by what was charged.

An interactive call goes to the engine whenever it is ready to. A bulk call waits for its turn before each
chunk, or other visit. It has it

- where no interactive call is here: as long as what is at the engine of its class is not more than an
  interactive call that comes should find there;
- else while bulk calls were charged less than their share, since both classes are here;
- or while the engine has nothing to do, since all interactive calls are busy elsewhere.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass, field

from relatent.core.traffic import TrafficClass
from relatent_service.traffic.account import Account
from relatent_service.traffic.call import Call
from relatent_service.traffic.sharing import BULK_SHARE

AHEAD_SECONDS = 0.25
"""Of the engine's time, what bulk calls may have under way there, at least one of them: so long does an
interactive call wait that finds nothing else."""
IDLE_SECONDS = 0.05
"""How long the engine has had nothing to do before bulk calls go though interactive ones are at work: longer
than these take from chunk to chunk."""


@dataclass(eq=False)
class _TurnTaker:
    """A call's place among those that wait for their turn.

    Attributes:
        seconds: that it will be charged.
        around: closed as soon as it has its turn, a moment before the call is told.
        ready: done then.
    """

    seconds: float
    around: ExitStack
    ready: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def is_given(self) -> bool:
        """Whether the call has its turn."""
        return self.ready.done() and not self.ready.cancelled()


class FairShare:
    """The one owner of the bulk calls that wait for their turn."""

    def __init__(self) -> None:
        self._account = Account(_now)
        self._here = 0
        self._ahead = 0.0
        """What the bulk calls that have their turn will be charged for it."""
        self._turns = 0
        self._waiting: deque[_TurnTaker] = deque()
        self._last_seen = -math.inf
        """When an interactive call was last seen on its way to the engine, or there."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_owed(self) -> bool:
        """Whether bulk calls have had less than their share, since both classes are here."""
        return self._account.credit() > 0

    @property
    def bulk_rate(self) -> float:
        """Of the engine's time, what bulk calls will have if interactive ones come as they did of late."""
        return max(BULK_SHARE, 1 - self._account.load())

    def want(self, *, interactive: int, kept_out: bool, bulk: int) -> None:
        """Tell how many calls of each class are here; see `Account.want`."""
        self._account.want(interactive=interactive > 0, kept_out=kept_out, bulk=bulk > 0)
        if interactive > self._here:
            self._last_seen = time.monotonic()
        self._here = interactive
        self._let_go()

    @contextmanager
    def at_engine(self, call: Call) -> Iterator[None]:
        """Charge a call for its time at the engine."""
        self._account.enter(call.traffic_class)
        try:
            yield
        finally:
            self._account.leave(call.traffic_class)
            if call.traffic_class is TrafficClass.INTERACTIVE:
                self._last_seen = time.monotonic()
            self._let_go()

    @asynccontextmanager
    async def turn(
        self,
        call: Call,
        seconds: float,
        timeout: float | None = None,
        meanwhile: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> AsyncIterator[None]:
        """Wait until a call may go to the engine; to be left when it is back.

        Interactive calls do not wait, and neither does any for its answer once all else is done.

        Args:
            call: whose `turn_seconds` is set.
            seconds: that it will be charged, by estimate.
            timeout: seconds after which it goes anyway, to fail or end there as calls without time do; None
                for no end.
            meanwhile: to be around the wait, where there is one; left at once when the turn is given.
        """
        if call.traffic_class is TrafficClass.INTERACTIVE or call.is_answering:
            yield
            return
        if not self._waiting and self._may_go(seconds):
            self._give(seconds)
        else:
            began = time.monotonic()
            with ExitStack() as around:
                around.enter_context(meanwhile())
                await self._wait(_TurnTaker(seconds, around), timeout)
            call.turn_seconds += time.monotonic() - began
        try:
            yield
        finally:
            self._take_back(seconds)

    async def _wait(self, taker: _TurnTaker, timeout: float | None) -> None:
        """Return with a turn that was given, or, after the timeout, taken."""
        self._waiting.append(taker)
        self._let_go()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await taker.ready
        except asyncio.CancelledError:
            if taker.is_given:
                self._take_back(taker.seconds)
            raise
        finally:
            if taker in self._waiting:
                self._waiting.remove(taker)
                self._let_go()
        if not taker.is_given:
            self._give(taker.seconds)

    def _give(self, seconds: float) -> None:
        self._turns += 1
        self._ahead += seconds

    def _take_back(self, seconds: float) -> None:
        self._turns -= 1
        self._ahead = self._ahead - seconds if self._turns else 0.0  # no rounding is carried on
        self._let_go()

    def _let_go(self) -> None:
        """Give those who wait their turn, in their order, as long as there is one to be had."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            taker = self._waiting[0]
            if not self._may_go(taker.seconds):
                self._look_again()
                return
            self._waiting.popleft()
            if not taker.ready.done():
                self._give(taker.seconds)
                taker.around.close()
                taker.ready.set_result(None)

    def _may_go(self, seconds: float) -> bool:
        if not self._here:
            return not self._turns or self._ahead + seconds <= AHEAD_SECONDS
        return self._account.credit() > self._ahead or (not self._turns and self._is_idle())

    def _is_idle(self) -> bool:
        """Whether no interactive call has been near the engine for long enough."""
        if self._account.present[TrafficClass.INTERACTIVE]:
            return False
        return time.monotonic() - self._last_seen >= IDLE_SECONDS

    def _look_again(self) -> None:
        """See to it that the engine is not left idle."""
        if self._turns or self._account.present[TrafficClass.INTERACTIVE]:
            return  # whoever comes back lets go
        wait = max(0.0, self._last_seen + IDLE_SECONDS - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(wait, self._let_go)


def _now() -> float:
    return time.monotonic()
