"""The part of JSON Schema that is understood is held as the standard has it, and the rest refused."""

from __future__ import annotations

from typing import Any

import pytest

from relatent.client import schemas
from relatent.client.errors import InputError

NUMBERS: dict[str, Any] = {"$defs": {"few": {"type": "array", "maxItems": 2}}, "$ref": "#/$defs/few"}


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        ({"type": "integer"}, ["1", "1.0", "-1e2"], ["1.5", '"1"', "true", "null"]),
        ({"type": "number"}, ["1", "1.5"], ['"1"', "false"]),
        ({"type": ["string", "boolean"]}, ['""', "true"], ["1", "null"]),
        ({"const": 1}, ["1", "1.0"], ["true", "2"]),
        ({"enum": ["a", 1]}, ['"a"', "1"], ['"b"', "true"]),
        ({"minimum": 1, "maximum": 2}, ["1", "2", '"3"'], ["0.9", "2.1"]),
        ({"exclusiveMinimum": 0}, ["0.1"], ["0"]),
        ({"minLength": 1}, ['"a"', "1"], ['""']),
        ({"items": {"type": "string"}, "minItems": 1}, ['["a"]', "{}"], ["[]", "[1]"]),
        (NUMBERS, ["[1, 2]"], ["[1, 2, 3]", "{}"]),
        ({"required": ["a"]}, ['{"a": null}', "[]"], ["{}"]),
        ({"properties": {"a": {"type": "string"}}}, ['{"a": "b", "c": 1}'], ['{"a": 1}']),
        ({"properties": {"a": {}}, "additionalProperties": False}, ['{"a": 1}'], ['{"b": 1}']),
        ({"additionalProperties": {"type": "number"}}, ['{"b": 1}'], ['{"b": "c"}']),
        ({"oneOf": [{"title": "a", "minimum": 0}, {"title": "b", "maximum": 5}]}, ["-1", "6"], ["3"]),
    ],
)
def test_a_keyword_means_what_the_standard_says(
    schema: dict[str, Any], fits: list[str], does_not: list[str]
) -> None:
    for text in fits:
        schemas.check(schemas.parse(text), schema)
    for text in does_not:
        with pytest.raises(InputError):
            schemas.check(schemas.parse(text), schema)


def test_a_keyword_that_is_not_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="keywords not understood: pattern"):
        schemas.check("a", {"pattern": "b"})
