"""One small file of each container, with everything in it that the container may hold."""

from __future__ import annotations

import argparse
import io
import pathlib
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as safetensors
from torch import nn

from tests.export.checkpoints.hostile import array, saved
from tests.export.checkpoints.nvidia import Nvidia, pickled


def checkpoint() -> dict[str, Any]:
    """The same on every call: a training script's file, of what its code comes upon."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    whole = torch.arange(6.0)
    return {
        "g_ema": layer.state_dict(),
        "parameter": layer.weight,
        "half": torch.randn(3).half(),
        "bfloat16": torch.randn(3).bfloat16(),
        "long": torch.tensor(7),
        "bool": torch.tensor([True, False]),
        "empty": torch.empty(0, 4),
        "transposed": whole.reshape(2, 3).t(),
        "tail": whole[4:],
        "args": argparse.Namespace(size=8, nested=argparse.Namespace(path=None)),
        "opts": OrderedDict(lr=0.1, sizes=(1, 2), names=["ä", b"\xff\0", b""], on=True, off=False),
        "loss": np.float64(0.25),
        "row": np.arange(6, dtype=np.int16).reshape(2, 3).T,
        "where": pathlib.PurePosixPath("/a/b"),
        "kept": {1, 2},
        "shape": layer.weight.shape,
        "dtype": torch.float16,
        "device": torch.device("cuda", 1),
        "states": {0: {"step": 3}, 1: None},
    }


def numbers() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(12.0).reshape(3, 4))
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, comp=np.arange(12.0).reshape(3, 4), std=np.ones(3))
    return file.getvalue()


CONTAINERS: dict[str, Callable[[Nvidia], bytes]] = {
    "zip": lambda nvidia: saved(checkpoint()),
    "before 1.6": lambda nvidia: saved(checkpoint(), zipped=False),
    "pickle, protocol 2": lambda nvidia: pickle.dumps(checkpoint(), 2),
    "pickle, protocol 3": lambda nvidia: pickle.dumps(checkpoint(), 3),
    "pickle, protocol 4": lambda nvidia: pickle.dumps(checkpoint(), 4),
    "pickle, protocol 5": lambda nvidia: pickle.dumps(checkpoint(), 5),
    "network": lambda nvidia: pickled(nvidia.generator()),
    "array": lambda nvidia: numbers(),
    "archive of arrays": lambda nvidia: archive(),
    "safetensors": lambda nvidia: safetensors({"w": torch.arange(3.0), "half": torch.ones(2).half()}),
    "object array": lambda nvidia: array({"boundary": np.ones((1, 2, 3), np.float32)}),
}
