"""A recipe is an edit as a file: read as it was written, and what is wrong is named by its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import relatent
from relatent import (
    Goal,
    InputError,
    Interpolate,
    Mix,
    Move,
    Reach,
    Recipe,
    Reduce,
    Text,
    Transfer,
    Truncate,
)
from relatent.client import recipe_format
from relatent.client.requests import operation_message
from tests.relatent.client import fake


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "codes" / "other.safetensors"
    path.parent.mkdir()
    relatent.LatentCode(np.full(fake.SHAPE, 0.25), fake.PACK, fake.REVISION).save(path)
    return path


def full(code: Path, mask: Path) -> Recipe:
    other = relatent.LatentCode.load(code)
    return Recipe(
        [
            Move("smile", [-1.5, 0, 1.5], absolute=True, layers=(0, 1), keep=["age"]),
            Mix(other, (1, 1)),
            Interpolate(other, 0.5),
            Transfer(other, other, [0.5, 1], threshold=0.25),
            Truncate(0.7),
            Reduce(),
            Reach([Goal("smile", to=0.8), Goal("yaw", by=10.0, unit="deg")], hold=(), max_rounds=4),
            Reach([Goal("age", by=[5.0])], hold=["yaw"], tolerance=0.02),
            Text("an old person", neutral="a person", strength=[0.5, 2], beta=0.3),
            Text("glasses"),
        ],
        {
            "quality": relatent.Preset.BEST,
            "steps": 40,
            "start": other,
            "mask": mask,
            "plateau": relatent.Plateau(5, 0.01),
            "weights": {"pixel": 2.0},
            "fit": "pad",
            "text": "an old person",
            "neutral": "a portrait",
        },
        pack="tiny",
        files=dict.fromkeys(
            (
                "operations[1].other",
                "operations[2].other",
                "operations[3].source",
                "operations[3].target",
                "inversion.start",
            ),
            code,
        ),
        within=relatent.Within(mask, feather=1.5),
    )


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    Image.new("L", (8, 8), 255).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def test_what_is_read_is_what_was_written(tmp_path: Path, code: Path, mask: Path) -> None:
    recipe = full(code, mask)
    recipe.save(tmp_path / "recipes.json")
    read = Recipe.load(tmp_path / "recipes.json")
    assert [*map(operation_message, read.operations)] == [*map(operation_message, recipe.operations)]
    assert read.to_json(tmp_path) == recipe.to_json(tmp_path)
    assert read.options.keys() == recipe.options.keys()
    assert (read.options["pack"], read.options["quality"], read.options["mask"]) == ("tiny", "best", mask)
    assert set(read.inputs) == {code, mask}
    assert read.digest() == recipe.digest()


def test_codes_are_found_from_the_recipes_folder_wherever_it_is_moved_with_them(
    tmp_path: Path, code: Path
) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    recipe = Recipe([Mix(relatent.LatentCode.load(code), (0, 1))], files={"operations[0].other": code})
    recipe.save(folder / "mix.json")
    held = json.loads((folder / "mix.json").read_text())
    assert held["operations"][0]["other"] == {"file": "../codes/other.safetensors"}
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    assert Recipe.load(moved / "recipes" / "mix.json").digest() == recipe.digest()


def test_a_digest_tells_recipes_apart_by_what_they_do_and_not_by_how_they_are_written(
    code: Path, mask: Path
) -> None:
    other = relatent.LatentCode.load(code)
    assert Recipe([Move("smile", 1)]).digest() == Recipe((Move("smile", [1.0]),), {"weights": {}}).digest()
    recipes = [
        Recipe([Move("smile", 1)]),
        Recipe([Move("smile", 1.5)]),
        Recipe([Move("smile", 1)], pack="tiny"),
        Recipe([Move("smile", 1)], {"steps": 5}),
        Recipe([Mix(other, (0, 1))]),
        Recipe([Mix(other.replace(other.values + 1), (0, 1))]),
        Recipe([Move("smile", 1)], {"mask": mask}),
        Recipe([Move("smile", 1)], within=relatent.Within(mask)),
        Recipe([Text("smiling")]),
        Recipe([Text("smiling", neutral="old")]),
        Recipe([Text("smiling", strength=2)]),
        Recipe([Text("smiling", beta=0.5)]),
        Recipe([Move("smile", 1)], {"text": "smiling"}),
        Recipe([Move("smile", 1)], within=relatent.Within(mask, feather=2)),
    ]
    before = [recipe.digest() for recipe in recipes]
    assert len(set(before)) == len(recipes)
    Image.new("L", (8, 8), 128).save(mask)
    assert recipes[-1].digest() != before[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version: expected 1, got 2: a later Relatent wrote this recipe"),
        ({"version": "1"}, 'version: expected 1, got "1"'),
        (
            {"operation": []},
            "operation: unknown; expected one of $schema, version, pack, inversion, within, operations",
        ),
        ({"operations": []}, "operations: expected at least 1 entries, got 0"),
        ({"operations": [{"kind": "smile"}]}, "operations[0].kind: expected one of move, mix, interpolate"),
        ({"operations": [{}]}, "operations[0].kind: expected one of move, mix"),
        ({"operations": [3]}, "operations[0]: expected an object, got 3"),
        (
            {"operations": [{"kind": "move", "direction": "smile"}]},
            "operations[0].strength: expected it, got none",
        ),
        (
            {"operations": [{"kind": "reduce"}, {"kind": "reach", "goals": [{"attribute": "a", "to": "b"}]}]},
            'operations[1].goals[0].to: expected a number or a list of numbers, got "b"',
        ),
        (
            {"operations": [{"kind": "reach", "goals": [{"attribute": "a", "to": 1, "by": 2}]}]},
            "operations[0].goals[0]: expected to or by, not both",
        ),
        (
            {"operations": [{"kind": "reach", "goals": [{"attribute": "a"}]}]},
            "operations[0].goals[0]: expected to or by, got",
        ),
        ({"operations": [{"kind": "truncate", "psi": 2}]}, "operations[0].psi: expected at most 1, got 2"),
        (
            {"operations": [{"kind": "mix", "other": {"file": "no.safetensors"}, "layers": [0, 1.5]}]},
            "operations[0].layers[1]: expected a whole number, got 1.5",
        ),
        (
            {"operations": [{"kind": "mix", "other": {"file": "no.safetensors"}, "layers": [0, 1]}]},
            "no.safetensors: no such file",
        ),
        ({"inversion": {"steps": True}}, "inversion.steps: expected a whole number, got true"),
        ({"inversion": {"quality": "good"}}, "inversion.quality: expected one of fast, balanced, best"),
        ({"inversion": {"time_budget": 3}}, "inversion.time_budget: unknown; expected one of method"),
        (
            {"inversion": {"start": "here"}},
            "inversion.start: expected encoder or mean or an object with the file",
        ),
        ({"operations": [{"kind": "text"}]}, "operations[0].prompt: expected it, got none"),
        (
            {"operations": [{"kind": "text", "prompt": ""}]},
            "operations[0].prompt: expected a text that is not empty",
        ),
        (
            {"operations": [{"kind": "text", "prompt": "a", "neutral": ""}]},
            "operations[0].neutral: expected a text that is not empty",
        ),
        (
            {"operations": [{"kind": "text", "prompt": "a", "beta": 0}]},
            "operations[0].beta: expected more than 0, got 0",
        ),
        (
            {"operations": [{"kind": "text", "prompt": "a", "beta": 2}]},
            "operations[0].beta: expected less than 1, got 2",
        ),
        (
            {"operations": [{"kind": "text", "prompt": "a", "strength": "far"}]},
            "operations[0].strength: expected a number or a list of numbers",
        ),
        (
            {"operations": [{"kind": "text", "prompt": "a", "layers": [0, 1]}]},
            "operations[0].layers: unknown; expected one of kind, prompt, neutral, strength, beta",
        ),
        ({"inversion": {"text": ""}}, "inversion.text: expected a text that is not empty"),
        ({"inversion": {"learning_rate": 0}}, "inversion.learning_rate: expected more than 0, got 0"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_place(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    document = {"version": 1, "operations": [{"kind": "reduce"}]} | change
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as caught:
        Recipe.load(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "expected JSON"),
        (b"\xff\xfe", "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (b"[]", "expected an object, got []"),
        (b'{"version": 1, "version": 1}', "version: expected once, got it 2 times"),
        (b'{"version": NaN}', "expected finite numbers, got NaN"),
        (b'{"version": 1e999}', "expected numbers that a double holds, got 1e999"),
        (b" " * (1 << 20) + b"{}", "expected at most 1,048,576 bytes"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(text: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_bytes(text)
    with pytest.raises(InputError) as caught:
        Recipe.load(tmp_path / "recipe.json")
    assert message in str(caught.value)
    with pytest.raises(InputError, match=r"nowhere\.json: cannot be read: No such file"):
        Recipe.load(tmp_path / "nowhere.json")


def test_what_a_recipe_cannot_hold_is_refused_as_it_is_made(code: Path) -> None:
    with pytest.raises(InputError, match=r"inversion\.time_budget: a recipe gives the same bytes"):
        Recipe([Reduce()], {"time_budget": 3.0})
    with pytest.raises(InputError, match=r"operations\[0\]\.time_budget: a recipe gives the same bytes"):
        Recipe([Reach([Goal("smile", to=1)], time_budget=3.0)])
    with pytest.raises(InputError, match=r"operations\[0\]: expected one of Move, Mix, .*, got str"):
        Recipe(["smile"])  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"operations\[0\]\.strength: expected a finite number, got nan"):
        Recipe([Move("smile", float("nan"))])
    with pytest.raises(InputError, match=r"inversion\.mask: a ndarray cannot be kept"):
        Recipe([Reduce()], {"mask": np.zeros((2, 2, 3), np.uint8)})
    recipe = Recipe([Mix(relatent.LatentCode.load(code), (0, 1))])
    with pytest.raises(InputError, match=r"operations\[0\]\.other: expected, in files, the file"):
        recipe.to_json()


def test_the_schema_names_every_field_of_every_operation_and_every_option() -> None:
    definitions = recipe_format.schema()["$defs"]
    for name, kind in recipe_format._KINDS.items():
        held = set(kind.__dataclass_fields__) - {"time_budget"}
        assert definitions[name]["properties"].keys() == held | {"kind"}
    options = set(relatent.InvertOptions.__annotations__)
    besides = {"pack", "time_budget", "best_at_deadline", "output_format", "no_cache"}
    assert definitions["inversion"]["properties"].keys() == options - besides
    assert definitions["goal"]["properties"].keys() == Goal.__dataclass_fields__.keys()


def test_what_a_server_may_keep_is_no_part_of_a_recipe() -> None:
    alone, plain = Recipe([Reduce()], {"no_cache": True, "steps": 3}), Recipe([Reduce()], {"steps": 3})
    assert alone.to_json() == plain.to_json()
    assert alone.digest() == plain.digest()
