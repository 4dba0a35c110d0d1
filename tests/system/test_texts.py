"""Edits by texts of the demo pack through the real service and its Triton."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

import relatent
from relatent.core.spaces import STYLES
from tests.system.processes import ServiceProcess

ROOT = Path(__file__).parents[2]
DRAWINGS = sorted((ROOT / "packs/demo/drawings").glob("*.png"))
PROMPT = "an old person with glasses"


def shares(client: relatent.Client, image: relatent.Picture) -> dict[str, float]:
    """What an image reads, as shares of the attributes' ranges."""
    described = client.pack("demo").described
    return {
        name: (reading.value - described[name].low) / (described[name].high - described[name].low)
        for name, reading in client.read(image).items()
    }


def test_a_text_moves_what_it_names_and_little_else_and_makes_a_code_of_s(client: relatent.Client) -> None:
    latent = client.invert(DRAWINGS[0], steps=20).latent
    (before,) = client.synthesize([latent])
    (edited,) = client.edit(latent, [relatent.Text(PROMPT)]).images
    assert edited.latent.space is relatent.Space.STYLE
    assert edited.latent.parts[STYLES].any()
    np.testing.assert_array_equal(edited.latent.values, latent.values)
    (again,) = client.synthesize([edited.latent])
    np.testing.assert_array_equal(again.image.array, edited.image.array)
    was, became = shares(client, before.image), shares(client, edited.image)
    moved = {name: became[name] - was[name] for name in was}
    assert moved["age"] > 0.2
    assert moved["glasses"] > 0.2
    others = [abs(change) for name, change in moved.items() if name not in ("age", "glasses")]
    assert np.mean(others) < 0.1


def test_a_strip_of_strengths_goes_further_and_further(client: relatent.Client) -> None:
    strengths = [-0.5, 0.0, 0.5, 1.0]
    text = relatent.Text("a smiling person", strength=strengths)
    answer = client.edit(DRAWINGS[1], [text], invert={"steps": 10})
    smiles = [shares(client, image.image)["smile"] for image in answer.images]
    assert [image.strength for image in answer.images] == strengths
    assert smiles == sorted(smiles)
    assert smiles[-1] - smiles[0] > 0.3


def test_an_exact_edit_follows_a_text(client: relatent.Client) -> None:
    reach = relatent.Reach([relatent.Goal("yaw", to=10.0)])
    (edited,) = client.edit(DRAWINGS[2], [relatent.Text(PROMPT), reach], invert={"steps": 5}).images
    (target,) = edited.targets
    assert target.end is relatent.End.REACHED
    assert edited.latent.space is relatent.Space.STYLE
    assert target.attributes["glasses"].reached == pytest.approx(
        target.attributes["glasses"].before, abs=0.02
    )


def test_refinement_towards_a_text_moves_what_it_names(client: relatent.Client) -> None:
    plain = client.invert(DRAWINGS[3], steps=0)
    found = client.invert(DRAWINGS[3], method="text", text="a person with glasses", steps=20)
    was, became = shares(client, plain.reconstruction), shares(client, found.reconstruction)
    assert became["glasses"] - was["glasses"] > 0.1
    assert found.losses[-1] < found.losses[0]
    further = client.invert(DRAWINGS[3], method="text", text="a person without glasses", steps=20)
    assert shares(client, further.reconstruction)["glasses"] < became["glasses"]


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        (relatent.Text(" "), "operations[0].text.prompt", "expected a text, got none"),
        (relatent.Text("old " * 40), "operations[0].text.prompt", "expected 32 tokens at most, got"),
        (relatent.Text("a person"), "operations[0].text.prompt", "says another thing than 'a person'"),
        (relatent.Text(PROMPT, beta=1.0), "operations[0].text.beta", "above 0 and below 1, got 1"),
        (relatent.Text(PROMPT, beta=0.999), "operations[0].text.beta", "none has 0.999 or more"),
        (relatent.Text(PROMPT, neutral="x" * 1001), "operations[0].text.neutral", "1000 letters at most"),
    ],
)
def test_a_text_that_cannot_be_followed_is_refused_by_its_field(
    client: relatent.Client, text: relatent.Text, field: str, says: str
) -> None:
    latent = client.invert(DRAWINGS[0], steps=0).latent
    with pytest.raises(relatent.InvalidArgumentError, match=says) as caught:
        client.edit(latent, [text])
    assert caught.value.violations[0].field == field


async def test_a_triton_killed_amid_edits_by_texts_loses_none(demo: ServiceProcess) -> None:
    async with relatent.AsyncClient(demo.address, timeout=120) as client:
        latent = (await client.invert(DRAWINGS[4], steps=0)).latent

        async def editing() -> list[relatent.Edit]:
            return [await client.edit(latent, [relatent.Text(PROMPT)]) for _ in range(12)]

        calls = [asyncio.create_task(editing()) for _ in range(4)]
        await asyncio.sleep(0.2)
        demo.kill_triton()
        answers = [answer for of_one in await asyncio.gather(*calls) for answer in of_one]
    images = [answer.images[0].image.array for answer in answers]
    for image in images[1:]:
        np.testing.assert_allclose(image.astype(int), images[0], atol=1)
