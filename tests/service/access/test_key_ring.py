from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relatent.core.access_keys import AccessKey, AccessKeysError, keys_document, make_key, new_secret
from relatent_service.access import key_ring
from relatent_service.access.caller import ANYBODY, Caller
from relatent_service.access.door import Door
from relatent_service.access.key_ring import KeyRing
from relatent_service.access.wrong_keys import FREE
from relatent_service.errors import KeyExpired, KeyMissing, KeyUnknown, TooManyWrongKeys

SECRET, OTHER = new_secret(), new_secret()
PEER = "ipv4:10.0.0.1:1000"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def write(path: Path, *keys: AccessKey) -> None:
    """As it is replaced, with a time of its own."""
    new = path.with_suffix(".new")
    new.write_bytes(keys_document(keys))
    new.replace(path)


def key(name: str, secret: str, *packs: str, expires: datetime | None = None) -> AccessKey:
    return make_key(name, secret, packs, expires)


def test_a_key_tells_whose_it_is_and_for_what(path: Path) -> None:
    write(path, key("a", SECRET), key("b", OTHER, "tiny"))
    ring = KeyRing(path)
    assert ring.find(SECRET) == Caller("a")
    assert ring.find(OTHER) == Caller("b", frozenset({"tiny"}))


@pytest.mark.parametrize(
    "wrong",
    ["", "x", SECRET[:-1], SECRET + "x", SECRET.upper(), "ä" * 40, "x" * 10**6],
    ids=["none", "another", "shorter", "longer", "in capitals", "not ASCII", "a million letters"],
)
def test_any_other_is_refused_and_not_repeated(wrong: str, path: Path) -> None:
    write(path, key("a", SECRET))
    with pytest.raises(KeyUnknown) as caught:
        KeyRing(path).find(wrong)
    assert len(str(caught.value)) < 100


def test_one_whose_time_is_over_is_told_so(path: Path) -> None:
    write(path, key("a", SECRET, expires=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(KeyExpired, match="the API key 'a' has expired at"):
        KeyRing(path).find(SECRET)


def test_every_key_is_compared_in_constant_time_whichever_fits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def compare(a: str, b: str) -> bool:
        compared.append(a)
        return a == b

    monkeypatch.setattr(key_ring, "compare_digest", compare)
    write(path, *(key(str(n), secret) for n, secret in enumerate([SECRET, OTHER, new_secret()])))
    ring = KeyRing(path)
    ring.find(SECRET)
    assert len(compared) == 3
    with pytest.raises(KeyUnknown):
        ring.find(new_secret())
    assert len(compared) == 6


def test_a_file_that_changes_is_read_again(path: Path) -> None:
    write(path, key("a", SECRET))
    ring = KeyRing(path)
    write(path, key("b", OTHER))
    ring.renew()
    assert ring.find(OTHER) == Caller("b")
    with pytest.raises(KeyUnknown):
        ring.find(SECRET)


def test_one_that_does_not_change_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, key("a", SECRET))
    ring = KeyRing(path)
    monkeypatch.setattr(key_ring, "read_keys", pytest.fail)
    ring.renew()


@pytest.mark.parametrize("broken", ["{", None])
def test_the_keys_stay_while_the_file_is_broken_or_gone_which_is_logged_once(
    path: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    write(path, key("a", SECRET))
    ring = KeyRing(path)
    path.unlink()
    if broken is not None:
        path.write_text(broken)
    with caplog.at_level(logging.ERROR):
        ring.renew()
        ring.renew()
    (record,) = caplog.records
    assert f"the keys stay as they were: {path}: " in record.getMessage()
    assert ring.find(SECRET) == Caller("a")
    write(path, key("b", OTHER))
    ring.renew()
    assert ring.find(OTHER) == Caller("b")


def test_a_change_by_a_link_that_leads_elsewhere_is_seen(tmp_path: Path) -> None:
    for name, secret in (("one", SECRET), ("two", OTHER)):
        write(tmp_path / name, key(name, secret))
        os.utime(tmp_path / name, (1, 1))
    link = tmp_path / "keys.json"
    link.symlink_to("one")
    ring = KeyRing(link)
    link.unlink()
    link.symlink_to("two")
    ring.renew()
    assert ring.find(OTHER) == Caller("two")


def test_a_broken_file_is_told_at_once_at_the_start(path: Path) -> None:
    path.write_text("{")
    with pytest.raises(AccessKeysError, match="expected JSON"):
        KeyRing(path)


def test_without_keys_whoever_comes_is_let_in() -> None:
    assert Door().admit([]) == ANYBODY
    assert Door().admit([("authorization", "Bearer x")]) == ANYBODY


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_key_is_shown_as_a_bearers(scheme: str, path: Path) -> None:
    write(path, key("a", SECRET))
    door = Door(KeyRing(path))
    assert door.admit([("x", "y"), ("authorization", f"{scheme} {SECRET}")]) == Caller("a")


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("authorization", SECRET)],
        [("authorization", f"Basic {SECRET}")],
        [("authorization", f"Bearer {SECRET}"), ("authorization", f"Bearer {SECRET}")],
    ],
)
def test_one_that_is_not_shown_so_is_missing(metadata: list[tuple[str, str | bytes]], path: Path) -> None:
    write(path, key("a", SECRET))
    with pytest.raises(KeyMissing, match="authorization: Bearer KEY"):
        Door(KeyRing(path)).admit(metadata)


def test_who_sends_many_wrong_ones_is_told_when_to_come_again(path: Path) -> None:
    write(path, key("a", SECRET))
    door = Door(KeyRing(path))
    wrong = KeyUnknown("wrong")
    assert [door.refusal(wrong, PEER) for _ in range(FREE)] == [wrong] * FREE
    refusal = door.refusal(wrong, PEER)
    assert isinstance(refusal, TooManyWrongKeys)
    assert refusal.retry_seconds > 0


def test_missing_and_expired_ones_are_no_guesses(path: Path) -> None:
    write(path, key("a", SECRET))
    door = Door(KeyRing(path))
    missing, expired = KeyMissing("m"), KeyExpired("e")
    assert all(door.refusal(error, PEER) is error for error in [missing, expired] * 50)
