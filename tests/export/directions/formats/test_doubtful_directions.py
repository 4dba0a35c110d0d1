"""What is no direction is refused, and what is hardly one is doubted, before there is a generator."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from relatent_export.checkpoints.errors import Refused, UnsupportedFile
from tests.export.directions.formats.direction_files import (
    LAYERS,
    RANDOM,
    WIDTH,
    Save,
    components,
    describe_directions,
    own_edit,
    read,
    read_directions,
    unit,
)

IN_NO_GENERATOR: dict[str, tuple[str, Any, str]] = {
    "zeros of W": ("age_w_boundary.npy", np.zeros((1, 512)), "expected a direction, got zeros alone"),
    "zeros of W+": ("age.pt", torch.zeros(1, 14, 512), "expected a direction, got zeros alone"),
    "zeros where it moves": (
        "age.npy",
        np.array(
            {
                "boundary": np.eye(14, 512, 1) * (np.arange(14) > 2)[:, None],
                "meta_data": {"manipulate_layers": [0, 2]},
            },
            dtype=object,
        ),
        "expected a direction, got zeros alone",
    ),
    "a layer that is not there": (
        "age.npy",
        np.array({"boundary": unit(14, 512), "meta_data": {"manipulate_layers": [14]}}, dtype=object),
        "manipulate_layers: expected 0 to 13, got [14]",
    ),
    "codes with a boundary": (
        "age.npy",
        np.array({"boundary": unit(3, 14, 512)}, dtype=object),
        "3 codes of 14 layers and not a direction",
    ),
    "too long": ("age.npy", np.full((14, 512), 1e300), "expected lengths that a float32 can hold"),
    "no axis": ("age.pt", torch.tensor(1.0), "expected one vector, or one a layer"),
    "four axes": ("age.pt", torch.randn(2, 2, 14, 512), "expected one vector, or one a layer"),
    "another mean": (
        "p.pt",
        components() | {"mean": torch.ones(1, 15)},
        "mean: expected 16 numbers, as its components have",
    ),
    "long deviations": ("p.pt", components() | {"std": np.full(5, 1e39)}, "std: expected 5"),
    "no component": ("e.pt", own_edit(lat_comp=np.zeros((1, WIDTH))), "lat_comp: expected a direction, got"),
    "no layers": (
        "e.pt",
        own_edit(edit_start=5, edit_end=3),
        "expected a component from 0 and layers edit_start",
    ),
    "layers before the first": (
        "e.pt",
        own_edit(edit_start=-1),
        "expected a component from 0 and layers edit_s",
    ),
    "no letter": ("年.pt", torch.from_numpy(unit(1, 512)), "expected a file name with letters a to z"),
}


@pytest.mark.parametrize("what", IN_NO_GENERATOR)
def test_a_direction_that_fits_no_generator_is_refused_by_both(save: Save, what: str) -> None:
    name, data, told = IN_NO_GENERATOR[what]
    path = save(name, data)
    width = WIDTH if isinstance(data, dict) else 512
    for reader in (describe_directions, lambda path: read_directions(path, LAYERS, width, width)):
        with pytest.raises(Refused, match=re.escape(told)) as caught:
            reader(path)
        assert str(caught.value).startswith(f"{path}: ")


CODE = 14 * unit(1, 512)
DOUBTFUL: dict[str, tuple[str, Any, str]] = {
    "a face's code": ("face.pt", torch.from_numpy(np.tile(CODE, (1, 18, 1))).float(), "perhaps a code"),
    "a code of W": ("face_w_boundary.npy", CODE, "perhaps a code"),
    "a code of Z": ("seed_boundary.npy", RANDOM.normal(size=(1, 512)), "perhaps a code"),
    "a few codes": ("bank.npy", np.tile(CODE, (10, 1)), "perhaps a code"),
    "a bank of directions": ("bank.npy", unit(20, 512), "no published generator's codes have 20 layers"),
    "a PGGAN's boundary": ("pggan_celebahq_age_boundary.npy", unit(1, 512), "of a PGGAN by its name"),
}


@pytest.mark.parametrize("what", DOUBTFUL)
def test_what_is_hardly_a_direction_is_inspected_with_a_doubt(save: Save, what: str) -> None:
    name, data, told = DOUBTFUL[what]
    assert told in describe_directions(save(name, data))["doubt"]


def test_published_directions_raise_no_doubt(save: Save) -> None:
    for name, data in (
        ("stylegan_ffhq_age_w_boundary.npy", unit(1, 512)),
        ("age.pt", torch.from_numpy(3 * unit(1, 512))),
        ("pose.pt", torch.from_numpy(unit(1, 18, 512))),
        ("glasses.npy", unit(1, 18 * 512)),
    ):
        assert "doubt" not in describe_directions(save(name, data))


def test_several_codes_in_one_file_are_no_direction_to_anybody(save: Save) -> None:
    path = save("codes.pt", torch.randn(20, LAYERS, WIDTH))
    for reader in (read, describe_directions):
        with pytest.raises(UnsupportedFile, match="20 codes of 14 layers and not a direction, which has one"):
            reader(path)
    with pytest.raises(UnsupportedFile, match=r"got 20 layers \(perhaps as many codes in one file\)"):
        read(save("codes.npy", RANDOM.normal(size=(20, WIDTH))))
