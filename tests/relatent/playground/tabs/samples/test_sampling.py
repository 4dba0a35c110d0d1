"""Seeds and truncation, as people write and read them."""

from __future__ import annotations

import pytest

from relatent.client.errors import InputError
from relatent.client.results import SynthesizedImage
from relatent.playground.tabs.samples import sampling
from tests.relatent.playground.made import PACK, latent, picture


def test_seeds_come_in_a_row() -> None:
    assert sampling.seeds(" 7 ", 3) == (7, 8, 9)


@pytest.mark.parametrize("written", ["", "-1", "1.5", "seven", str(sampling.MOST_SEED)])
def test_what_is_no_seed_is_refused(written: str) -> None:
    with pytest.raises(InputError, match="a seed is a whole number from 0"):
        sampling.seeds(written, 2)


@pytest.mark.parametrize(("truncation", "says"), [(0, "mean picture"), (0.7, "more alike"), (1, "odd ones")])
def test_what_truncation_does_is_said(truncation: float, says: str) -> None:
    assert says in sampling.words(truncation, 3)


def test_what_is_taken_home_is_called_by_its_seed() -> None:
    made = sampling.files(PACK, 7, SynthesizedImage(latent(), picture()))
    assert set(made) == {"seed-7.png", "seed-7.safetensors"}
    assert made["seed-7.png"]() == picture().data
