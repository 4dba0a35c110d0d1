from __future__ import annotations

import pytest

from relatent_service.access import wrong_keys
from relatent_service.access.wrong_keys import FORGET_SECONDS, FREE, MOST_SECONDS, WrongKeys, place_of

A, B = "ipv4:10.0.0.1:1000", "ipv4:10.0.0.2:1000"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wrong(clock: Clock) -> WrongKeys:
    return WrongKeys(clock)


def test_a_few_are_free(wrong: WrongKeys) -> None:
    assert [wrong.count(A) for _ in range(FREE)] == [0.0] * FREE


def test_further_ones_have_their_peer_wait_ever_longer_and_not_for_ever(wrong: WrongKeys) -> None:
    for _ in range(FREE):
        wrong.count(A)
    waits = [wrong.count(A) for _ in range(1000)]
    assert waits[:3] == [FORGET_SECONDS, 2 * FORGET_SECONDS, 3 * FORGET_SECONDS]
    assert waits[-1] == MOST_SECONDS


def test_other_peers_are_none_the_worse_and_ports_are_no_other_peers(wrong: WrongKeys) -> None:
    for port in range(FREE):
        wrong.count(f"ipv4:10.0.0.1:{port}")
    assert wrong.count(A) > 0
    assert wrong.count(B) == 0


def test_who_waits_as_told_is_looked_at_again(wrong: WrongKeys, clock: Clock) -> None:
    for _ in range(FREE + 5):
        told = wrong.count(A)
    clock.now += told + FORGET_SECONDS
    assert wrong.count(A) == 0


def test_it_remembers_a_bounded_number_of_peers(wrong: WrongKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_keys, "MOST_PEERS", 10)
    for number in range(100):
        wrong.count(f"ipv4:10.0.0.{number}:1")
    assert len(wrong) == 10


@pytest.mark.parametrize(
    ("peer", "place"),
    [
        ("ipv4:10.0.0.1:1000", "10.0.0.1/32"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:1000", "2001:db8:1:2::/64"),
        ("ipv6:[::1]:1000", "::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:1000", "fe80::/64"),
        ("unix:", "unix"),
        ("unix:/run/x.sock", "unix"),
        ("ipv4:odd", "ipv4:odd"),
    ],
)
def test_a_peer_is_where_it_is_not_its_connection(peer: str, place: str) -> None:
    assert place_of(peer) == place
