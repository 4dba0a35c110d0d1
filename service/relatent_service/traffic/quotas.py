"""What the calls of each API key have had of this server, held against what they may have.

Steps are kept as what was used and is not forgiven yet: a quota of N a minute forgives N/60 each second, and
lets in what then makes N at most. So a key that was quiet has a minute's worth at once, and in t seconds no
more than N (1 + t/60) steps are done for it. A quota that changes leaves what was used as it is.

A step is one of refinement, of each of several starts, or one sample through any other graph. A call takes
all that it may ask of the engine when it is let in, and gives back what was not done when it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from relatent.core.access_keys import UNLIMITED, Quota
from relatent_service.access.caller import CALLER, Caller
from relatent_service.errors import CallsQuotaUsed, OverWholeQuota, StepsQuotaUsed
from relatent_service.traffic.call import Call
from relatent_service.traffic.running_mean import RunningMean

MINUTE = 60.0
MIN_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.1, 60.0
ROUNDING = 0.001
"""What is added to a wait, so that it is enough when it has been rounded to milliseconds."""
INITIAL_CALL_SECONDS, CALL_SMOOTHING = 1.0, 0.2
"""How long a key's calls are taken to last before one has ended, and the newest one's weight."""


@dataclass(frozen=True)
class Balance:
    """What a key may have now.

    Attributes:
        steps: None: any number.
        calls: beside those in flight; None: any number.
    """

    steps: int | None = None
    calls: int | None = None


class _Steps:
    """Steps that were used and are not forgiven yet."""

    def __init__(self) -> None:
        self._used = 0.0
        self._since = 0.0

    def used(self, most: int, now: float) -> float:
        """The same now, with so many forgiven a minute."""
        self._used = max(0.0, self._used - (now - self._since) * most / MINUTE)
        self._since = now
        return self._used

    def add(self, steps: int) -> None:
        """Use so many; fewer than none gives back."""
        self._used = max(0.0, self._used + steps)


@dataclass
class _KeyAccount:
    """What one key has had.

    Attributes:
        quota: of its newest call.
        steps: that it used.
        began: when each of its calls in flight began.
        seconds: that its calls last, sessions left out.
    """

    quota: Quota = UNLIMITED
    steps: _Steps = field(default_factory=_Steps)
    began: dict[object, float] = field(default_factory=dict)
    seconds: RunningMean = field(default_factory=lambda: RunningMean(INITIAL_CALL_SECONDS, CALL_SMOOTHING))

    def left(self, now: float) -> Balance:
        most, calls = self.quota.steps_a_minute, self.quota.calls_in_flight
        return Balance(
            steps=None if most is None else max(0, int(most - self.steps.used(most, now))),
            calls=None if calls is None else max(0, calls - len(self.began)),
        )

    def next_end(self, now: float) -> float:
        """Seconds until one of its calls ends, by guess: one that lasts long goes on as long."""
        lasted = [now - began for began in self.began.values()]
        mean = self.seconds.value
        return min(mean - each if each < mean else each for each in lasted)


class Quotas:
    """The one owner of what each key has had, by its name; what has no key has no quota.

    Args:
        on_steps: told of the steps that were done for a key, by its name.
        clock: seconds, from anywhere.
    """

    def __init__(
        self,
        on_steps: Callable[[str, int], None] = lambda _name, _steps: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_steps = on_steps
        self._clock = clock
        self._accounts: dict[str, _KeyAccount] = {}
        """As many as the file of keys has had names."""

    def follow(self, caller: Caller) -> None:
        """Hold a key against the quota that it has now."""
        if caller.name:
            self._accounts.setdefault(caller.name, _KeyAccount()).quota = caller.quota

    @contextmanager
    def call(self, *, lasts: bool = False) -> Iterator[None]:
        """Count a call of the caller at hand while it is in flight.

        Args:
            lasts: whether it is a session, which tells nothing of how long other calls take.

        Raises:
            CallsQuotaUsed: there are as many as may be.
        """
        account = self._account()
        if account is None:
            yield
            return
        self._check_calls(account)
        token, began = object(), self._clock()
        account.began[token] = began
        try:
            yield
        finally:
            del account.began[token]
            if not lasts:
                account.seconds.measure(self._clock() - began)

    def check(self, steps: int) -> None:
        """See whether the caller at hand may have so many steps now.

        Raises:
            OverWholeQuota: it may never have so many at once.
            StepsQuotaUsed: not yet.
        """
        account = self._account()
        if account is None or (most := account.quota.steps_a_minute) is None:
            return
        name = CALLER.get().name
        if steps > most:
            raise OverWholeQuota(
                f"the call asks for {steps} steps, and the API key {name!r} may have {most} a minute; "
                "ask for fewer"
            )
        left = most - account.steps.used(most, self._clock())
        if steps > left:
            seconds = max((steps - left) * MINUTE / most + ROUNDING, MIN_RETRY_SECONDS)
            raise StepsQuotaUsed(
                f"the call asks for {steps} steps, and the API key {name!r} has {int(max(0.0, left))} left "
                f"of {most} a minute; enough in {seconds:.1f} s",
                seconds,
            )

    def check_call(self) -> None:
        """See whether the caller at hand may have one more call in flight.

        Raises:
            CallsQuotaUsed: there are as many as may be.
        """
        account = self._account()
        if account is not None:
            self._check_calls(account)

    def take(self, steps: int, call: Call) -> Callable[[], None]:
        """Take steps for a call of the caller at hand.

        Returns:
            What gives back those that were not done; to be called once, when it asks no more of the engine.

        Raises:
            OverWholeQuota, StepsQuotaUsed: see `check`.
        """
        self.check(steps)
        account, name, before = self._account(), CALLER.get().name, call.steps
        if account is None:
            return lambda: None
        is_held = self._use(account, steps)

        def settle() -> None:
            done = call.steps - before
            if is_held:
                self._give_back(account, steps - done)
            self._on_steps(name, done)

        return settle

    def left(self) -> Balance | None:
        """What the caller at hand may have now; None where it has no quota."""
        account = self._account()
        if account is None or account.quota == UNLIMITED:
            return None
        return account.left(self._clock())

    def _use(self, account: _KeyAccount, steps: int) -> bool:
        """Use steps; whether that is kept: without a quota nothing would ever be forgiven."""
        if (most := account.quota.steps_a_minute) is None:
            return False
        account.steps.used(most, self._clock())
        account.steps.add(steps)
        return True

    def _give_back(self, account: _KeyAccount, steps: int) -> None:
        """Give back steps that were used and kept; fewer than none: use more of them."""
        if (most := account.quota.steps_a_minute) is not None:
            account.steps.used(most, self._clock())
        account.steps.add(-steps)

    def _check_calls(self, account: _KeyAccount) -> None:
        most, now = account.quota.calls_in_flight, len(account.began)
        if most is None or now < most:
            return
        seconds = min(max(account.next_end(self._clock()), MIN_RETRY_SECONDS), MAX_RETRY_SECONDS)
        raise CallsQuotaUsed(
            f"the API key {CALLER.get().name!r} has {now} calls in flight, and may have {most}",
            seconds,
        )

    def _account(self) -> _KeyAccount | None:
        return self._accounts.get(CALLER.get().name)
