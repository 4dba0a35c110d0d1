from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relatent.core.access_keys import (
    AccessKeysError,
    Quota,
    digest,
    keys_document,
    make_key,
    new_secret,
    read_keys,
    sendable,
)
from relatent.core.traffic import TrafficClass

ENTRY: dict[str, Any] = {"name": "team-a", "sha256": "0" * 64}


def written(path: Path, *entries: Any, **changes: Any) -> Path:
    path.write_text(json.dumps({"format": 1, "keys": list(entries)} | changes))
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    keys = [
        make_key("a", new_secret(), [], None),
        make_key("b", new_secret(), ["x", "y"], datetime(2030, 1, 1, tzinfo=UTC)),
        make_key("c", new_secret(), [], None, TrafficClass.BULK, Quota(6000, 4)),
        make_key("d", new_secret(), [], None, quota=Quota(calls_in_flight=1)),
    ]
    (tmp_path / "keys.json").write_bytes(keys_document(keys))
    assert read_keys(tmp_path / "keys.json") == keys


def test_an_entry_without_a_class_and_quotas_has_all_of_them(tmp_path: Path) -> None:
    (key,) = read_keys(written(tmp_path / "keys.json", ENTRY))
    assert (key.traffic_class, key.quota) == (TrafficClass.INTERACTIVE, Quota())
    entry = ENTRY | {"class": "bulk", "steps_a_minute": 6000, "calls_in_flight": 4}
    (key,) = read_keys(written(tmp_path / "keys.json", entry))
    assert (key.traffic_class, key.quota) == (TrafficClass.BULK, Quota(6000, 4))


def test_no_key_is_in_the_file(tmp_path: Path) -> None:
    secret = new_secret()
    document = keys_document([make_key("a", secret, [], None)]).decode()
    assert digest(secret) in document
    assert secret not in document
    assert secret.removeprefix("relatent_") not in document


def test_keys_are_long_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(len(secret) >= 43 and sendable(secret) for secret in secrets)


def test_a_key_is_over_at_its_time() -> None:
    key = make_key("a", new_secret(), [], datetime(2030, 1, 1, tzinfo=UTC))
    assert not key.expired(datetime(2029, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert key.expired(datetime(2030, 1, 1, tzinfo=UTC))
    assert not make_key("a", new_secret(), [], None).expired()


@pytest.mark.parametrize("name", ["", "a b", "-a", "a" * 65, "ä", "a\n"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(AccessKeysError, match="name: expected up to 64 letters"):
        make_key(name, new_secret(), [], None)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("team-a", r"keys\[0\]: expected an object"),
        (ENTRY | {"name": 1}, r"keys\[0\]\.name"),
        (ENTRY | {"sha256": "0" * 63}, r"keys\[0\]\.sha256: expected 64 hexadecimal digits"),
        (ENTRY | {"sha256": "A" * 64}, r"keys\[0\]\.sha256"),
        (ENTRY | {"packs": []}, r"keys\[0\]\.packs: .* for all of them leave it out"),
        (ENTRY | {"packs": "demo"}, r"keys\[0\]\.packs"),
        (ENTRY | {"expires": "2030-01-01T00:00:00"}, r"keys\[0\]\.expires: expected a time with its zone"),
        (ENTRY | {"expires": 5}, r"keys\[0\]\.expires"),
        (ENTRY | {"class": "slow"}, r"keys\[0\]\.class: expected one of interactive, bulk"),
        (ENTRY | {"class": []}, r"keys\[0\]\.class"),
        *(
            (ENTRY | {kind: value}, rf"keys\[0\]\.{kind}: expected a whole number from 1 to")
            for kind in ("steps_a_minute", "calls_in_flight")
            for value in (0, -1, 1.5, "5", True, 10**13)
        ),
        (ENTRY | {"calls_in_flight": 2**32}, rf"keys\[0\]\.calls_in_flight: .* from 1 to {2**32 - 1};"),
        (
            ENTRY | {"quota": 5},
            r"keys\[0\]: expected name, sha256, packs, expires, class, steps_a_minute and calls_in_flight, "
            "got quota",
        ),
    ],
)
def test_an_entry_that_is_wrong_is_named(entry: Any, expected: str, tmp_path: Path) -> None:
    path = written(tmp_path / "keys.json", entry)
    with pytest.raises(AccessKeysError, match=rf"keys\.json: {expected}"):
        read_keys(path)


@pytest.mark.parametrize(("changed", "what"), [("name", "sha256"), ("sha256", "name")])
def test_what_is_there_twice_is_named(changed: str, what: str, tmp_path: Path) -> None:
    other = ENTRY | {changed: "b" * 64}
    with pytest.raises(AccessKeysError, match=rf"keys\[1\]\.{what}: is there twice"):
        read_keys(written(tmp_path / "keys.json", ENTRY, other))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 2, "keys": []}',
        '{"format": 1}',
        "\ud800",
        pytest.param("[" * 100_000, id="nested deep"),
    ],
)
def test_a_file_of_another_kind_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(AccessKeysError, match=r"keys\.json: expected"):
        read_keys(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccessKeysError, match=r"keys\.json: No such file"):
        read_keys(tmp_path / "keys.json")
