"""Changes at random: of messages, field by field, and of bytes.

All chance comes from a `random.Random` that is given, so that a seed, Hypothesis or a fuzzer that looks at
what code was reached can each be its source.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-45, 1e-30, 100.0, 1e30, 3.4e38, -3.4e38)
NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
COUNTS = (0, 1, 2, 3, 4, 7, 8, 9, 16, 64, 65, 255, 2000, 2001, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
WORDS = (
    *("", "tiny", "Tiny", "ffhq", "hybrid", "momentum", "restore", "text", "1" * 64, "w", "m", "v", "step"),
    *(
        "best_w",
        "best_loss",
        "anchor",
        "mask",
        "gain",
        "pixel",
        "perceptual",
        "brightness",
        "redness",
        "detail",
    ),
    *("%", "../../etc/passwd", "\0", "a\nb", "%s%n{0}", "\u202eabc", "é" * 40, "\U0001f600", "x" * 5000),
)
MOST_CHANGES = 4
MOST_COPIES = 70
"""More than the images of one call."""
_MOST_LOOKED_AT = 8
"""Of a repeated field."""

_Change = Callable[[Random, Any], Any]


def mutate_fields(message: Message, rng: Random) -> None:
    """Change up to four fields of a message, or of those in it, in place."""
    for _ in range(rng.randrange(1, MOST_CHANGES + 1)):
        owner = rng.choice(messages_in(message))
        fields: list[Any] = list(owner.DESCRIPTOR.fields)
        if fields:
            _change(owner, rng.choice(fields), rng)


def mutate_bytes(data: bytes, rng: Random) -> bytes:
    """Change bytes in up to four places: other values, more of them, fewer of them."""
    for _ in range(rng.randrange(1, MOST_CHANGES + 1)):
        data = rng.choice(_OF_BYTES)(data, rng)
    return data


def messages_in(message: Message) -> list[Message]:
    """A message, and all that are set in it, however deep."""
    found = [message]
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE and not hasattr(value, "keys"):
            parts = list(value[:_MOST_LOOKED_AT]) if hasattr(value, "append") else [value]
            found += [inner for part in parts for inner in messages_in(part)]
    return found


def _change(owner: Message, field: FieldDescriptor, rng: Random) -> None:
    value = getattr(owner, field.name)
    if rng.randrange(6) == 0:
        owner.ClearField(field.name)
    elif hasattr(value, "keys"):
        value[rng.choice(WORDS)] = _odd_float(rng)  # all our maps are of such
    elif hasattr(value, "append"):
        _change_repeated(value, field, rng)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        value.SetInParent()
        if value.DESCRIPTOR.fields:
            _change(value, rng.choice(value.DESCRIPTOR.fields), rng)
    else:
        setattr(owner, field.name, _odd(field, value, rng))


def _change_repeated(values: Any, field: FieldDescriptor, rng: Random) -> None:
    action = rng.choice(("add", "replace", "repeat", "drop", "turn"))
    if action == "drop" and values:
        del values[rng.randrange(len(values))]
    elif action == "turn" and len(values) > 1:
        first = values.pop(0)
        values.append(first)
    elif action == "repeat" and values:
        values.extend([values[0]] * rng.randrange(1, MOST_COPIES))
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        part = values.add() if action == "add" or not values else values[rng.randrange(len(values))]
        if part.DESCRIPTOR.fields:
            _change(part, rng.choice(part.DESCRIPTOR.fields), rng)
    elif action == "replace" and values:
        at = rng.randrange(len(values))
        values[at] = _odd(field, values[at], rng)
    else:
        values.append(_odd(field, None, rng))


def _odd(field: FieldDescriptor, value: Any, rng: Random) -> Any:
    """Something else that a field can hold."""
    if field.enum_type is not None:
        numbers = [known.number for known in field.enum_type.values]
        return rng.choice([*numbers, *numbers, len(numbers), 1000, -1])
    return _OF_TYPES[field.type](rng, value)


def _odd_float(rng: Random, _: Any = None) -> float:
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice(NOT_FINITE)
    return rng.choice(FLOATS) if kind < 5 else rng.randrange(-40, 41) / 10


def _odd_text(rng: Random, value: str | None) -> str:
    text = rng.choice(WORDS)
    return text if rng.randrange(3) or not value else value + text


def _odd_bytes(rng: Random, value: bytes | None) -> bytes:
    """Other bytes, or, of floats that travel as bytes, one that is another."""
    if not value or rng.randrange(2):
        return mutate_bytes(value or b"", rng)
    at = rng.randrange(max(1, len(value) // 4)) * 4
    return value[:at] + struct.pack("<f", _odd_float(rng)) + value[at + 4 :]


def _whole(low: int, high: int) -> _Change:
    """A number of a type of such bounds."""

    def change(rng: Random, _: Any) -> int:
        number = rng.choice(COUNTS) if rng.randrange(4) else rng.choice((low, high, high - 1))
        return min(max(low, number), high)

    return change


_OF_TYPES: Mapping[int, _Change] = {
    FieldDescriptor.TYPE_FLOAT: _odd_float,
    FieldDescriptor.TYPE_DOUBLE: _odd_float,
    FieldDescriptor.TYPE_UINT32: _whole(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: _whole(0, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: _whole(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: _whole(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_BOOL: lambda rng, value: not value,
    FieldDescriptor.TYPE_STRING: _odd_text,
    FieldDescriptor.TYPE_BYTES: _odd_bytes,
}


def _place(data: bytes, rng: Random) -> int:
    return rng.randrange(len(data) + 1)


def _slice(data: bytes, rng: Random) -> tuple[int, int]:
    begin = _place(data, rng)
    return begin, min(len(data), begin + rng.choice((1, 2, 4, 16, 200)))


def _other_bits(data: bytes, rng: Random) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _other_values(data: bytes, rng: Random) -> bytes:
    begin, end = _slice(data, rng)
    return data[:begin] + bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF))]) * (end - begin) + data[end:]


def _more(data: bytes, rng: Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + bytes(rng.randrange(256) for _ in range(rng.choice((1, 2, 4, 16)))) + data[at:]


def _twice(data: bytes, rng: Random) -> bytes:
    begin, end = _slice(data, rng)
    return data[:end] + data[begin:]


def _without(data: bytes, rng: Random) -> bytes:
    begin, end = _slice(data, rng)
    return data[:begin] + data[end:]


def _cut(data: bytes, rng: Random) -> bytes:
    return data[: _place(data, rng)]


_OF_BYTES: Sequence[Callable[[bytes, Random], bytes]] = (
    *(_other_bits, _other_bits, _other_values, _other_values, _more, _twice, _without, _cut),
)
