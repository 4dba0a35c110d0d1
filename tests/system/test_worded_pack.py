"""A generator of one's own with an image-text pair: texts, learned directions and scores through Triton."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import relatent
from relatent.core.pack import Pack, read_pack
from relatent_export.cli import main
from tests.fixtures.checkpoints.families import write_rosinality
from tests.system.processes import running

PAIR = Path(__file__).parents[2] / "packs" / "demo"
LEARNED = "a_person_with_glasses_mapper"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow StyleGAN2 imported, with the demo's pair, what it scores, and directions of every kind."""
    folder = tmp_path_factory.mktemp("worded")
    (checkpoint,) = write_rosinality(folder)
    pack = str(folder / "packs" / "worded")
    prompt = ["--prompt", "a person with glasses"]
    for words in (
        ["import", str(checkpoint), "--name", "worded", "--into", str(folder / "packs")],
        ["text", pack, str(PAIR)],
        ["scores", pack, "glasses=a person with glasses", "age=an old person", "--codes", "8"],
        ["directions", "fit", pack, "--method", "text", *prompt],
        ["directions", "fit", pack, "--method", "text_mapper", *prompt, "--samples", "20"],
        ["repository", pack, "--into", str(folder / "model_repository")],
    ):
        assert main(words) == 0, words
    return folder


@pytest.fixture(scope="module")
def pack(root: Path) -> Pack:
    return read_pack(root / "packs" / "worded")


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[relatent.Client]:
    with (
        running(root, root / "server") as service,
        relatent.Client(service.address, timeout=60.0) as connected,
    ):
        yield connected


@pytest.fixture(scope="module")
def latent(client: relatent.Client) -> relatent.LatentCode:
    return client.sample([7])[0].latent


def scores(client: relatent.Client, image: relatent.Picture) -> dict[str, float]:
    return {name: reading.value for name, reading in client.read(image).items()}


def test_the_pack_is_whole_and_the_catalog_tells_what_it_can_do(root: Path, client: relatent.Client) -> None:
    assert main(["verify", str(root / "packs" / "worded")]) == 0
    info = client.pack("worded")
    assert info.text is not None
    assert (info.text.tokens, info.text.neutral, info.text.strength) == (32, "a person", 1.0)
    directions = {each.name: each for each in info.directions}
    assert directions["a_person_with_glasses_text"].space is relatent.Space.STYLE
    assert directions[LEARNED].learned
    assert directions[LEARNED].attribute in ("glasses", "age")
    assert directions[LEARNED].leak is not None
    assert info.exact_edits


def test_a_text_and_the_direction_made_of_it_move_alike(
    client: relatent.Client, latent: relatent.LatentCode
) -> None:
    by_text = client.edit(latent, [relatent.Text("a person with glasses", strength=0.7)]).images[0]
    along = client.edit(latent, [relatent.Move("a_person_with_glasses_text", 0.7)]).images[0]
    np.testing.assert_allclose(along.latent.parts["styles"], by_text.latent.parts["styles"], atol=1e-5)
    np.testing.assert_allclose(along.image.array.astype(int), by_text.image.array, atol=1)
    before = scores(client, client.synthesize([latent])[0].image)
    assert scores(client, by_text.image)["glasses"] > before["glasses"]


def test_a_learned_direction_moves_each_code_its_own_way(
    client: relatent.Client, latent: relatent.LatentCode
) -> None:
    strip = client.edit(latent, [relatent.Move(LEARNED, [-1.0, 0.0, 1.0])]).images
    np.testing.assert_allclose(strip[1].latent.values, latent.values, atol=1e-6)
    ahead, back = (strip[at].latent.values - latent.values for at in (2, 0))
    np.testing.assert_allclose(ahead, -back, atol=1e-5)
    other = client.sample([8])[0].latent
    (moved,) = client.edit(other, [relatent.Move(LEARNED, 1.0)]).images
    assert not np.allclose(moved.latent.values - other.values, ahead, atol=1e-4)


def test_a_text_score_is_an_attribute_that_exact_edits_reach(
    client: relatent.Client, pack: Pack, latent: relatent.LatentCode
) -> None:
    described = client.pack("worded").described["glasses"]
    before = scores(client, client.synthesize([latent])[0].image)["glasses"]
    middle = (described.low + described.high) / 2
    step = 0.2 * (described.high - described.low) * (1 if before < middle else -1)
    (edited,) = client.edit(latent, [relatent.Reach([relatent.Goal("glasses", by=step)], hold=[])]).images
    (target,) = edited.targets
    assert target.end is relatent.End.REACHED
    assert scores(client, edited.image)["glasses"] == pytest.approx(before + step, abs=0.02 * abs(step) / 0.2)


@pytest.mark.parametrize(
    ("move", "field"),
    [
        (relatent.Move(LEARNED, 1.0, absolute=True), "mode"),
        (relatent.Move(LEARNED, 1.0, layers=(0, 1)), "layers"),
        (relatent.Move(LEARNED, 1.0, keep=["a_person_with_glasses_text"]), "conditions"),
        (relatent.Move("a_person_with_glasses_text", 1.0, layers=(0, 1)), "layers"),
        (relatent.Move("a_person_with_glasses_text", 1.0, absolute=True), "mode"),
    ],
)
def test_what_has_no_meaning_for_a_direction_is_refused_by_its_field(
    client: relatent.Client, latent: relatent.LatentCode, move: relatent.Move, field: str
) -> None:
    with pytest.raises(relatent.InvalidArgumentError) as caught:
        client.edit(latent, [move])
    assert caught.value.violations[0].field == f"operations[0].direction.{field}"
