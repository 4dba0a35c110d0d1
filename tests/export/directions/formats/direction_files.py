"""Files of directions as they are published, and their reading by path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from relatent.core.directions import Direction
from relatent_export.checkpoints import read_checkpoint
from relatent_export.directions.formats.published import CodeShape, DirectionChoices, DirectionFile
from relatent_export.directions.formats.registry import parse_directions

LAYERS, WIDTH, Z_WIDTH = 14, 16, 12
RANDOM = np.random.default_rng(0)


def unit(*shape: int) -> np.ndarray[Any, Any]:
    rows = RANDOM.normal(size=shape)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def parsed(path: Path) -> DirectionFile:
    found = parse_directions(read_checkpoint(path), path)
    assert found is not None
    return found


def read_directions(path: Path, *shape: int, **choices: Any) -> list[Direction]:
    return parsed(path).directions(CodeShape(*shape), DirectionChoices(**choices))


def describe_directions(path: Path) -> dict[str, str]:
    return parsed(path).describe()


def read(path: Path, **choices: Any) -> list[Direction]:
    return read_directions(path, LAYERS, WIDTH, Z_WIDTH, **choices)


def one(path: Path, **choices: Any) -> Direction:
    (found,) = read(path, **choices)
    return found


def step(direction: Direction) -> np.ndarray[Any, Any]:
    """Where one unit of a relative strength goes on the rows that the direction moves."""
    moved = np.zeros_like(direction.vector)
    rows = slice(direction.first_layer, direction.last_layer + 1)
    moved[rows] = np.array(direction.lengths, np.float32)[rows, None] * direction.vector[rows]
    return moved


Save = Callable[[str, Any], Path]


def components(count: int = 5) -> dict[str, torch.Tensor]:
    basis = np.linalg.qr(RANDOM.normal(size=(WIDTH, count)))[0].T
    return {
        "mean": torch.from_numpy(RANDOM.normal(size=(1, WIDTH)).astype(np.float32)),
        "comp": torch.from_numpy(basis[:, None].astype(np.float32)),
        "std": torch.from_numpy(RANDOM.uniform(0.5, 3, size=count).astype(np.float32)),
    }


# What GANSpace's own code writes: `np.savez_compressed` in decomposition.py, `pickle.dump` in interactive.py.


def own_components(width: int = WIDTH, *, of_z: bool = False, count: int = 5) -> dict[str, Any]:
    random = np.random.default_rng(3)
    basis = np.linalg.qr(random.normal(size=(width, count)))[0].T
    return {
        "act_comp": random.normal(size=(count, 1, width)).astype(np.float32),
        "act_mean": random.normal(size=(1, width)).astype(np.float32),
        "act_stdev": np.ones(count, np.float32),
        "lat_comp": basis[:, None].astype(np.float32),
        "lat_mean": random.normal(size=(1, width)).astype(np.float32),
        "lat_stdev": np.ones(count, np.float32) if of_z else random.uniform(0.5, 3, count).astype(np.float32),
        "var_ratio": np.ones(count, np.float32),
        "random_stdevs": np.ones(count, np.float32),
    }


def own_edit(**changes: Any) -> dict[str, Any]:
    component = own_components()["lat_comp"][2]
    return {
        "name": "Open Eyes",
        "sigma_range": np.float64(-14.0),
        "component_index": 2,
        "act_comp": component,
        "lat_comp": component,
        "latent_space": "W",
        "act_stdev": 1.5,
        "lat_stdev": 1.25,
        "model_name": "StyleGAN2",
        "output_class": "ffhq",
        "decomposition": {"name": "ipca", "components": 80, "samples": 1_000_000, "layer": "style"},
        "edit_type": "latent",
        "truncation": 0.7,
        "edit_start": 8,
        "edit_end": 10,
        "example_seed": 5,
        **changes,
    }
