"""NVIDIA's networks, as data."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from relatent_export.checkpoints import PersistentObject, read_checkpoint
from relatent_export.checkpoints.errors import DamagedFile
from relatent_export.families.wrappers import unfold
from tests.export.checkpoints.hostile import Calls, saved
from tests.export.checkpoints.nvidia import Nvidia, pickled
from tests.export.checkpoints.refusing import refusal


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_network_is_read_with_its_tensors_by_the_names_of_its_state_dict(
    protocol: int, nvidia: Nvidia, canary: Path, tmp_path: Path
) -> None:
    generator, path = nvidia.generator(), tmp_path / "network.pkl"
    kwargs = nvidia.easy_dict(path="/data", use_labels=False)
    path.write_bytes(pickled(generator, protocol, training_set_kwargs=kwargs))
    data = read_checkpoint(path)
    assert data["training_set_kwargs"] == {"path": "/data", "use_labels": False}
    assert type(data["training_set_kwargs"]) is dict
    read = data["G_ema"]
    assert isinstance(read, PersistentObject)
    assert read.class_name == "Generator"
    assert read.module_source_digest == hashlib.sha256(nvidia.source.encode()).hexdigest()
    assert read.state["_init_args"] == ("Generator",)
    assert read.state["_init_kwargs"] == {"z_dim": 4, "size": 8}
    assert read.state["training"] is True
    assert read.state["_modules"]["synthesis"].class_name == "SynthesisNetwork"
    tensors, expected = unfold(read, "").tensors, generator.state_dict()
    assert tensors.keys() == expected.keys()
    assert "synthesis.affine.weight" in tensors
    for name, tensor in tensors.items():
        assert type(tensor) is torch.Tensor
        assert not tensor.requires_grad
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])
    assert not canary.exists()


def test_a_network_may_be_saved_by_pytorch_too(nvidia: Nvidia, canary: Path, tmp_path: Path) -> None:
    generator, path = nvidia.generator(), tmp_path / "network.pt"
    for zipped in (True, False):
        path.write_bytes(saved({"G_ema": generator}, zipped))
        tensors = unfold(read_checkpoint(path)["G_ema"], "").tensors
        assert torch.equal(tensors["synthesis.noise"], generator.synthesis.noise)
    assert not canary.exists()


def test_a_network_that_is_a_part_twice_is_read_once(nvidia: Nvidia, tmp_path: Path) -> None:
    generator = nvidia.generator()
    generator.again = generator.synthesis
    path = tmp_path / "network.pkl"
    path.write_bytes(pickled(generator))
    tensors = unfold(read_checkpoint(path)["G_ema"], "").tensors
    assert tensors["again.affine.weight"] is tensors["synthesis.affine.weight"]


META = {"type": "class", "version": 6, "module_src": "", "class_name": "Generator", "state": {}}


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "function"},
        {"class_name": None},
        {"module_src": b""},
        {"state": None},
        {"state": {"_parameters": []}},
        {"state": {"_parameters": {"w": "text"}}},
        {"state": {"_buffers": {1: None}}},
        {"state": {"_modules": {"inner": {"_parameters": {}}}}},
        {"state": {"_init_args": 3}},
        {"state": {"_init_kwargs": []}},
    ],
    ids=str,
)
def test_a_network_that_is_none_is_refused(changes: dict[str, Any], nvidia: Nvidia, tmp_path: Path) -> None:
    data = pickle.dumps(Calls(nvidia.reconstruct, (META | changes,)))
    assert "torch_utils.persistence" in refusal(tmp_path, data, DamagedFile)
    refusal(tmp_path, pickle.dumps(Calls(nvidia.reconstruct, ("text",))), DamagedFile)


def test_the_bytes_of_a_tensor_must_hold_numbers(nvidia: Nvidia, tmp_path: Path) -> None:
    load = torch.storage._load_from_bytes
    for inner in (saved(torch.ones(2)), saved({}, zipped=False), b"", pickle.dumps(1), "text"):
        tensor = Calls(torch._utils._rebuild_tensor_v2, (Calls(load, (inner,)), 0, (1,), (1,), False))
        assert "tensor" in refusal(tmp_path, pickle.dumps(tensor), DamagedFile)
