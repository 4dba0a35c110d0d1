"""A picture that is put to work, brought or taken from another tab."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import create_autospec

import pytest

from relatent.client.blocking import Client
from relatent.client.goals import Goal, Reach
from relatent.client.recipes import Recipe
from relatent.client.results import Progress, SynthesizedImage
from relatent.client.transfers import AttributeReading
from relatent.playground.tabs.edit import desk
from relatent.playground.tabs.edit.dials import dials
from relatent.playground.taken import TakenPicture
from tests.relatent.playground.made import PACK, inversion, latent, picture, png

DIALS = dials(PACK)


@pytest.fixture
def client() -> Client:
    client = create_autospec(Client)
    client.read.return_value = {
        "age": AttributeReading(40.0, "years"),
        "glasses": AttributeReading(0.25, ""),
    }
    client.synthesize.return_value = (SynthesizedImage(latent(0.5), picture(30)),)
    client.invert.return_value = inversion(1)
    made: Client = client
    return made


def test_one_that_was_brought_is_edited_from_what_its_inversion_found(client: Client) -> None:
    (work,) = desk.begin(client, PACK, DIALS, png(picture(9).image), {"quality": "best"})
    assert not isinstance(work, Progress)
    assert work.inversion is not None
    assert work.latent is work.inversion.latent
    assert (work.name, work.history.labels) == (desk.GIVEN, ("as inverted",))
    assert work.history.now.values == {"age": 40.0, "glasses": 0.25}


def test_one_that_is_taken_is_edited_by_its_own_code_beside_what_its_tab_showed(client: Client) -> None:
    taken = TakenPicture("seed 9", latent(0.5), picture(200))
    work = desk.take(client, PACK, DIALS, taken)
    assert client.invert.call_count == 0  # type: ignore[attr-defined]
    assert (work.name, work.original, work.inversion) == ("seed 9", taken.picture, None)
    assert work.latent is taken.latent
    # What the code makes: a restoration may show more.
    assert work.history.now.picture == picture(30)
    assert work.history.now.values == {"age": 40.0, "glasses": 0.25}


def test_there_is_a_recipe_once_there_is_an_edit_and_of_one_taken_without_a_way_of_inverting(
    client: Client,
) -> None:
    work = desk.take(client, PACK, DIALS, TakenPicture("seed 9", latent(0.5), picture(200)))
    assert set(desk.files(work, PACK, DIALS)) == {"edited.png", "edited.safetensors"}
    older = replace(work.history.now, label="age: 70", dial="age", asked={"age": 70.0})
    work = desk.at(work, work.history.add(older))
    assert set(desk.files(work, PACK, DIALS)) == set(desk.file_names(work, PACK, DIALS).values())
    recipe = Recipe.from_json(desk.files(work, PACK, DIALS)["recipe.json"]())
    assert dict(recipe.options) == {"pack": PACK.name}
    (reach,) = recipe.operations
    assert isinstance(reach, Reach)
    assert list(reach.goals) == [Goal("age", to=70.0)]
