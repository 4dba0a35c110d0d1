"""The file of API keys: who may call, which packs, until when, how much. It holds hashes, never keys.

    {"format": 1, "keys": [
        {"name": "team-a", "sha256": "9f86…", "packs": ["demo"], "expires": "2027-01-31T00:00:00+00:00",
         "class": "bulk", "steps_a_minute": 6000, "calls_in_flight": 4}
    ]}

A key without `packs` is for all of them, one without `expires` for good, one without `class` for both, and
one without `steps_a_minute` or `calls_in_flight` has no such quota. Keys are random numbers of 256 bits, so
their hashes need neither salt nor a slow function.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from relatent.core.files import read_file
from relatent.core.traffic import TrafficClass

FORMAT = 1
PREFIX = "relatent_"
"""Of a key, by which scanners of secrets know one."""
MOST_BYTES = 16 << 20
MOST_KEY_BYTES = 256
"""Of what may be sent as a key."""
MOST_QUOTA = {"steps_a_minute": 10**12, "calls_in_flight": 2**32 - 1}
"""Of a quota: more is none, and of calls no more can be told (`relatent.v1.QuotaLeft`)."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ENTRIES = ("name", "sha256", "packs", "expires", "class", "steps_a_minute", "calls_in_flight")
_SENDABLE = re.compile(rf"[!-~]{{1,{MOST_KEY_BYTES}}}")


class AccessKeysError(ValueError):
    """A file of keys that cannot be used, or a key that cannot be made; the message holds no key."""


@dataclass(frozen=True)
class Quota:
    """What the calls of a key may have of each server.

    Attributes:
        steps_a_minute: of the engine; also what it may have at once after a pause. None: any number.
        calls_in_flight: at a time. None: any number.

    Raises:
        AccessKeysError: one of them is no whole number from 1 to the most that there is of it.
    """

    steps_a_minute: int | None = None
    calls_in_flight: int | None = None

    def __post_init__(self) -> None:
        for kind, given in asdict(self).items():
            if given is None:
                continue
            most = MOST_QUOTA[kind]
            if type(given) is not int or not 1 <= given <= most:  # true is an int, too
                raise AccessKeysError(
                    f"{kind}: expected a whole number from 1 to {most}; for any number leave it out"
                )


UNLIMITED = Quota()


@dataclass(frozen=True)
class AccessKey:
    """What is known of one key.

    Attributes:
        name: whose it is; letters, digits, `.`, `_`, `-`, at most 64.
        sha256: of the key, 64 hexadecimal digits.
        packs: that it is for; None: all.
        expires: from when on it is refused; None: never.
        traffic_class: the first class that its calls may have.
        quota: what they may have of each server.
    """

    name: str
    sha256: str
    packs: tuple[str, ...] | None = None
    expires: datetime | None = None
    traffic_class: TrafficClass = TrafficClass.INTERACTIVE
    quota: Quota = UNLIMITED

    def expired(self, now: datetime | None = None) -> bool:
        """Whether it is refused by now."""
        return self.expires is not None and (now or datetime.now(UTC)) >= self.expires


def new_secret() -> str:
    """A new key: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What a key is known by: its SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def sendable(secret: str) -> bool:
    """Whether a key can be sent at all: printable ASCII without spaces, at most 256 bytes."""
    return _SENDABLE.fullmatch(secret) is not None


def make_key(
    name: str,
    secret: str,
    packs: Iterable[str],
    expires: datetime | None,
    traffic_class: TrafficClass = TrafficClass.INTERACTIVE,
    quota: Quota = UNLIMITED,
) -> AccessKey:
    """The entry of a key.

    Args:
        name: whose it is.
        secret: the key itself, of which the hash is kept.
        packs: that it is for; none: all.
        expires: with its time zone.
        traffic_class: the first class that its calls may have.
        quota: what they may have.

    Raises:
        AccessKeysError: the name is none.
    """
    if _NAME.fullmatch(name) is None:
        raise AccessKeysError(f"name: expected up to 64 letters, digits, '.', '_' and '-', got {name!r}")
    return AccessKey(name, digest(secret), tuple(packs) or None, expires, traffic_class, quota)


def read_keys(path: Path) -> list[AccessKey]:
    """Read a file of keys.

    Raises:
        AccessKeysError: it cannot be read, or is not what it must be; names the file and the entry.
    """
    try:
        document = json.loads(read_file(path, MOST_BYTES))
    except OSError as error:
        raise AccessKeysError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # no UTF-8 or no JSON, or nested too deep
        raise AccessKeysError(f"{path}: expected JSON") from error
    try:
        return _keys(document)
    except AccessKeysError as error:
        raise AccessKeysError(f"{path}: {error}") from error


def keys_document(keys: Iterable[AccessKey]) -> bytes:
    """A file of keys."""
    entries = []
    for key in keys:
        entry: dict[str, Any] = {"name": key.name, "sha256": key.sha256}
        if key.packs is not None:
            entry["packs"] = list(key.packs)
        if key.expires is not None:
            entry["expires"] = key.expires.isoformat()
        if key.traffic_class is not TrafficClass.INTERACTIVE:
            entry["class"] = key.traffic_class.value
        entry |= {name: most for name, most in asdict(key.quota).items() if most is not None}
        entries.append(entry)
    return f"{json.dumps({'format': FORMAT, 'keys': entries}, indent=2)}\n".encode()


def _keys(document: Any) -> list[AccessKey]:
    if (
        not isinstance(document, dict)
        or document.get("format") != FORMAT
        or set(document) != {"format", "keys"}
    ):
        raise AccessKeysError(f'expected {{"format": {FORMAT}, "keys": […]}}')
    if not isinstance(document["keys"], list):
        raise AccessKeysError("keys: expected a list")
    keys = [_key(entry, f"keys[{index}]") for index, entry in enumerate(document["keys"])]
    for what in ("name", "sha256"):
        values = [getattr(key, what) for key in keys]
        if len(set(values)) < len(values):
            index = next(i for i, value in enumerate(values) if value in values[:i])
            raise AccessKeysError(f"keys[{index}].{what}: is there twice")
    return keys


def _key(entry: Any, where: str) -> AccessKey:
    if not isinstance(entry, dict):
        raise AccessKeysError(f"{where}: expected an object")
    # What has no effect is refused: whoever wrote it expects one.
    unknown = sorted(set(entry) - set(_ENTRIES))
    if unknown:
        known = f"{', '.join(_ENTRIES[:-1])} and {_ENTRIES[-1]}"
        raise AccessKeysError(f"{where}: expected {known}, got {', '.join(unknown)}")
    name, sha256 = entry.get("name"), entry.get("sha256")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise AccessKeysError(f"{where}.name: expected up to 64 letters, digits, '.', '_' and '-'")
    if not isinstance(sha256, str) or _SHA256.fullmatch(sha256) is None:
        raise AccessKeysError(f"{where}.sha256: expected 64 hexadecimal digits in lower case")
    try:
        quota = Quota(entry.get("steps_a_minute"), entry.get("calls_in_flight"))
    except AccessKeysError as error:
        raise AccessKeysError(f"{where}.{error}") from error
    return AccessKey(
        name=name,
        sha256=sha256,
        packs=_packs(entry.get("packs"), where),
        expires=_expires(entry.get("expires"), where),
        traffic_class=_traffic_class(entry.get("class"), where),
        quota=quota,
    )


def _packs(value: Any, where: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise AccessKeysError(f"{where}.packs: expected names of packs; for all of them leave it out")
    return tuple(value)


def _expires(value: Any, where: str) -> datetime | None:
    if value is None:
        return None
    try:
        return parse_time(value)
    except (TypeError, ValueError):
        raise AccessKeysError(
            f"{where}.expires: expected a time with its zone, such as 2027-01-31T00:00:00Z"
        ) from None


def _traffic_class(value: Any, where: str) -> TrafficClass:
    if value is None:
        return TrafficClass.INTERACTIVE
    if not isinstance(value, str) or value not in list(TrafficClass):
        raise AccessKeysError(f"{where}.class: expected one of {', '.join(TrafficClass)}")
    return TrafficClass(value)


def parse_time(text: str) -> datetime:
    """Read a time with its zone.

    Raises:
        ValueError: it is none, or has no zone.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("expected a time zone")
    return time
