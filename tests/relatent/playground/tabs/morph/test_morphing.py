"""The way from one picture to another, as it is told and taken home."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import create_autospec

import pytest

from relatent.client.blocking import Client
from relatent.client.recipes import Recipe
from relatent.client.requests import Interpolate
from relatent.client.results import Edit, Timings
from relatent.playground.tabs.morph import morphing
from relatent.playground.tabs.morph.morphing import MIDDLE, STRIP, MorphWork
from tests.relatent.playground.made import PACK, edited, inversion


def work(amount: float = 0.25) -> MorphWork:
    return MorphWork("key", inversion(0), inversion(1), {"quality": "fast"}, amount, edited())


def test_a_strip_begins_at_one_picture_ends_at_the_other_and_has_the_middle() -> None:
    assert (STRIP[0], STRIP[-1]) == (0, 1)
    assert MIDDLE in STRIP


def test_another_place_of_the_way_is_asked_of_the_first_pictures_code() -> None:
    client = create_autospec(Client)
    made = edited(200)
    client.edit.return_value = Edit((made,), None, Timings(0, 0, 0))
    before = work()
    after = morphing.moved(client, PACK, before, 0.75)
    assert (after.amount, after.frame) == (0.75, made)
    source, operations = client.edit.call_args.args
    assert source is before.start.latent
    assert operations == [Interpolate(before.end.latent, [0.75])]


def test_what_is_taken_home_does_the_morph_again(tmp_path: Path) -> None:
    made = morphing.files(work(), PACK)
    assert set(made) == set(morphing.file_names(PACK).values())
    for name, maker in made.items():
        (tmp_path / name).write_bytes(maker())
    recipe = Recipe.load(tmp_path / "morph.json")
    assert (recipe.pack, recipe.options["quality"]) == (PACK.name, "fast")
    (operation,) = recipe.operations
    assert isinstance(operation, Interpolate)
    assert (operation.amount, operation.other.values[0, 0]) == (0.25, 1)


@pytest.mark.parametrize(("amount", "says"), [(0, "The first"), (0.25, "25% of the way"), (1, "The second")])
def test_where_on_the_way_a_picture_is(amount: float, says: str) -> None:
    assert says in morphing.words(amount)
