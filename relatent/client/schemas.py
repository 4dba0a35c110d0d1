"""JSON documents checked against a JSON Schema, with errors that name the place.

The part of JSON Schema (draft 2020-12) that this project's own schemas are written in, and no more: a schema
with another keyword is refused, rather than half checked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from relatent.client.errors import InputError

Schema = Mapping[str, Any]

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    # `parse` makes whole numbers integers, however they are written.
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}
_LIMITS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "minimum": ("at least", lambda value, limit: value >= limit),
    "maximum": ("at most", lambda value, limit: value <= limit),
    "exclusiveMinimum": ("more than", lambda value, limit: value > limit),
    "exclusiveMaximum": ("less than", lambda value, limit: value < limit),
}
_KEYWORDS = {
    *("$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required"),
    *("additionalProperties", "items", "minItems", "maxItems", "minLength", "enum", "const", "oneOf"),
    *_LIMITS,
}
_SHOWN = 60
"""Characters of a wrong value that an error shows."""


def parse(text: str | bytes) -> Any:
    """Read JSON as the standard has it: no NaN, no infinity, and no key twice.

    Raises:
        InputError: it is something else.
    """
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant, parse_float=_finite)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected JSON: {error}") from error


def check(document: Any, schema: Schema) -> None:
    """Check a document.

    Of `oneOf` the alternative counts whose constants fit, where there is one: so the error is about what was
    meant.

    Args:
        document: as `parse` gives it.
        schema: its `$ref` are to its own `$defs`.

    Raises:
        InputError: the first thing that is wrong, as `operations[1].psi: expected at most 1, got 2`.
        ValueError: the schema has a keyword that is not understood here.
    """
    for where, message in _faults(document, schema, schema, ""):
        raise InputError(f"{where}: {message}" if where else message)


def _faults(value: Any, schema: Schema, root: Schema, where: str) -> Iterator[tuple[str, str]]:
    if unknown := schema.keys() - _KEYWORDS:
        raise ValueError(f"schema: keywords not understood: {', '.join(sorted(unknown))}")
    if "$ref" in schema:
        yield from _faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    if "const" in schema and not _same(value, schema["const"]):
        yield where, f"expected {json.dumps(schema['const'])}, got {_shown(value)}"
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        yield where, f"expected one of {', '.join(map(str, schema['enum']))}, got {_shown(value)}"
    types = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    if types and not any(_TYPES[name](value) for name in types):
        yield where, f"expected {_said(types)}, got {_shown(value)}"
        return
    if _TYPES["number"](value):
        for keyword, (words, holds) in _LIMITS.items():
            if keyword in schema and not holds(value, schema[keyword]):
                yield where, f"expected {words} {schema[keyword]:g}, got {_shown(value)}"
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        yield where, "expected a text that is not empty"
    if isinstance(value, list):
        yield from _faults_of_list(value, schema, root, where)
    if isinstance(value, dict):
        yield from _faults_of_object(value, schema, root, where)
    if "oneOf" in schema:
        yield from _faults_of_choice(value, schema["oneOf"], root, where)


def _faults_of_list(
    value: Sequence[Any], schema: Schema, root: Schema, where: str
) -> Iterator[tuple[str, str]]:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not least <= len(value) <= most:
        yield (
            where,
            f"expected {'at least' if len(value) < least else 'at most'} "
            + (f"{least if len(value) < least else most} entries, got {len(value)}"),
        )
    if "items" in schema:
        for index, each in enumerate(value):
            yield from _faults(each, schema["items"], root, f"{where}[{index}]")


def _faults_of_object(
    value: Mapping[str, Any], schema: Schema, root: Schema, where: str
) -> Iterator[tuple[str, str]]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield _join(where, name), "expected it, got none"
    more = schema.get("additionalProperties", True)
    for name, each in value.items():
        if name in properties:
            yield from _faults(each, properties[name], root, _join(where, name))
        elif more is False:
            yield _join(where, name), f"unknown; expected one of {', '.join(properties)}"
        elif more is not True:
            yield from _faults(each, more, root, _join(where, name))


def _faults_of_choice(
    value: Any, choices: Sequence[Schema], root: Schema, where: str
) -> Iterator[tuple[str, str]]:
    faults = [list(_faults(value, choice, root, where)) for choice in choices]
    fitting = sum(not each for each in faults)
    if fitting == 1:
        return
    resolved = [_resolved(choice, root) for choice in choices]
    marks = [_marks(choice) for choice in resolved]
    for own, found in zip(marks, faults, strict=True):
        if own and isinstance(value, dict) and all(value.get(name) == each for name, each in own.items()):
            yield from found
            return
    if all(marks) and isinstance(value, dict):
        name = next(iter(marks[0]))
        known = ", ".join(str(own[name]) for own in marks)
        got = _shown(value[name]) if name in value else "none"
        yield _join(where, name), f"expected one of {known}, got {got}"
    else:
        titles = " or ".join(choice.get("title", "another form") for choice in resolved)
        yield where, f"expected {titles}{', not both' if fitting else ''}, got {_shown(value)}"


def _resolved(schema: Schema, root: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return found


def _marks(schema: Schema) -> dict[str, Any]:
    """The constants that tell an alternative from the others."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    return {name: each["const"] for name, each in properties.items() if "const" in each}


def _same(value: Any, other: Any) -> bool:
    """Whether JSON has them as one: 1 and 1.0, but not 1 and true."""
    return bool(value == other) and isinstance(value, bool) is isinstance(other, bool)


def _said(types: Sequence[str]) -> str:
    articles = {
        "object": "an object",
        "array": "a list",
        "integer": "a whole number",
        "boolean": "true or false",
    }
    return " or ".join(articles.get(name, f"a {'text' if name == 'string' else name}") for name in types)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{twice}: expected once, got it {names.count(twice)} times")
    return dict(pairs)


def _no_constant(text: str) -> None:
    raise InputError(f"expected finite numbers, got {text}")


def _finite(text: str) -> int | float:
    """A number with a point or an exponent; one that is whole is, to JSON Schema, an integer."""
    number = float(text)
    if math.isinf(number):
        raise InputError(f"expected numbers that a double holds, got {text}")
    return int(number) if number.is_integer() else number
