"""The same tensors are the same network, whatever is wrapped around them."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, Refused, UnknownFile, UnsupportedFile
from relatent_export.families import e4e, rosinality
from relatent_export.families.building import build_networks
from relatent_export.families.recognising import recognise
from relatent_export.families.wrappers import find
from tests.export.checkpoints.refusing import taking_at_most
from tests.fixtures.checkpoints.encoders import arcface_tensors, ir_se_encoder_tensors
from tests.fixtures.checkpoints.families import CHANNELS, LAYERS, SIDE, SMALL, WIDTH
from tests.fixtures.checkpoints.genforce import genforce_stylegan1_tensors, genforce_stylegan2_tensors
from tests.fixtures.checkpoints.idinvert import idinvert_encoder_tensors, idinvert_generator_tensors
from tests.fixtures.checkpoints.perceptual import vgg16_tensors
from tests.fixtures.checkpoints.stylegan2 import nvlabs_tensors, rosinality_tensors

Tensors = Mapping[str, Tensor]

ROSINALITY = rosinality_tensors(SMALL, WIDTH)
GENERATORS: dict[str, Tensors] = {
    "rosinality": ROSINALITY,
    "nvlabs": nvlabs_tensors(ROSINALITY, torch.ones(WIDTH)),
    "genforce": genforce_stylegan2_tensors(16, WIDTH),
    "genforce_stylegan1": genforce_stylegan1_tensors(16, WIDTH),
    "idinvert": idinvert_generator_tensors(16, WIDTH),
}


def prefixed(prefix: str, tensors: Tensors) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def coarse(tensors: Tensors) -> dict[str, Tensor]:
    """Another generator of the same names, as a checkpoint has it beside the averaged one."""
    return {
        name: tensor + 1 if "bias" in name and "rgb" not in name else tensor
        for name, tensor in tensors.items()
    }


WRAPPERS: dict[str, Callable[[Tensors], Any]] = {
    "alone": lambda held: dict(held),
    "DataParallel's": lambda held: prefixed("module.", held),
    "a prefix": lambda held: prefixed("generator.", held),
    "compiled": lambda held: prefixed("_orig_mod.", held),
    "an averaged one beside": lambda held: (
        prefixed("generator_ema.", held) | prefixed("generator.", coarse(held))
    ),
    "any key": lambda held: {"whatever": dict(held), "epoch": 3},
    "g_ema": lambda held: {"g_ema": dict(held), "g": coarse(held), "args": {"size": 16}},
    "G_ema": lambda held: {"G_ema": dict(held), "G": coarse(held)},
    "genforce's": lambda held: {"generator": coarse(held), "generator_smooth": dict(held)},
    "genforce's runner's": lambda held: {
        "models": {
            "generator": coarse(held),
            "discriminator": {"layer0.weight": torch.ones(1)},
            "generator_smooth": prefixed("module.", held),
        },
        "running_metadata": {"iter": 1},
        "optimizers": {"generator": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1}]}},
    },
    "one level down": lambda held: {"model": {"g_ema": dict(held)}},
    "Lightning's": lambda held: {
        "state_dict": prefixed("model.gan.netG_ema.", held) | prefixed("loss.lpips.", vgg16_tensors()),
        "callbacks": {},
    },
    "an empty one beside": lambda held: {"g_ema": None, "generator": dict(held), "state_dict": {}},
    "a list": lambda held: [{"step": 1}, dict(held)],
}


def built(path: Path) -> dict[str, Tensor]:
    return build_networks([recognise(path)]).generator.state_dict()


@pytest.mark.parametrize("family", GENERATORS)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_generator_is_the_same_in_every_wrapper(tmp_path: Path, family: str, wrapper: str) -> None:
    held = GENERATORS[family]
    torch.save(dict(held), tmp_path / "plain.pt")
    torch.save(WRAPPERS[wrapper](held), tmp_path / "wrapped.pt")
    plain, wrapped = built(tmp_path / "plain.pt"), built(tmp_path / "wrapped.pt")
    assert plain.keys() == wrapped.keys()
    for name, tensor in plain.items():
        assert torch.equal(tensor, wrapped[name]), name


@pytest.mark.parametrize("prefix", ["", "module.", "g_ema.", "model.generator_ema."])
def test_safetensors_by_the_same_names_are_the_same_generator(tmp_path: Path, prefix: str) -> None:
    mean = torch.randn(WIDTH)
    held = prefixed(prefix, ROSINALITY) | {"latent_avg": mean}
    save_file({name: tensor.contiguous() for name, tensor in held.items()}, tmp_path / "g.safetensors")
    (tmp_path / "g.safetensors").rename(tmp_path / "renamed.bin")
    contents = recognise(tmp_path / "renamed.bin")
    assert contents.origin is rosinality.FAMILY
    torch.save({"g_ema": ROSINALITY, "latent_avg": mean}, tmp_path / "g.pt")
    ours, theirs = built(tmp_path / "renamed.bin"), built(tmp_path / "g.pt")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert torch.equal(ours["mapping.mean"], mean)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state, rest: {"state_dict": state, **rest},
        lambda state, rest: {"state_dict": prefixed("module.", state), **rest},
        lambda state, rest: {"state_dict": prefixed("net.", state), **rest},
        lambda state, rest: {"model": {"state_dict": state, **rest}, "step": 2},
        lambda state, rest: {"state_dict": {**state, "latent_avg": rest["latent_avg"]}, "opts": rest["opts"]},
        lambda state, rest: {"weights": state, **rest},
    ],
)
def test_an_encoder_and_its_generator_are_found_together_in_every_wrapper(
    tmp_path: Path, wrap: Callable[[Tensors, Any], Any]
) -> None:
    encoder = ir_se_encoder_tensors(LAYERS, width=WIDTH, resolution=SIDE)
    state = prefixed("encoder.", encoder) | prefixed("decoder.", rosinality_tensors(CHANNELS, WIDTH))
    options = {"encoder_type": "Encoder4Editing"}
    rest = {"opts": options, "latent_avg": torch.full((LAYERS, WIDTH), 0.5)}
    torch.save(wrap(state, rest), tmp_path / "e4e.pt")
    contents = recognise(tmp_path / "e4e.pt")
    assert contents.origin is e4e.FAMILY
    assert contents.encoder is not None
    assert contents.encoder.part.options == options
    networks = build_networks([contents])
    assert networks.encoder is not None
    assert torch.equal(networks.generator.mean_code(), torch.full((LAYERS, WIDTH), 0.5))


def test_e4es_encoder_of_a_single_code_is_that_of_psp_by_another_name(tmp_path: Path) -> None:
    networks = []
    for kind in ("SingleStyleCodeEncoder", "BackboneEncoderUsingLastLayerIntoW"):
        encoder = ir_se_encoder_tensors(LAYERS, width=WIDTH, pooled=True)
        state = prefixed("encoder.", encoder) | prefixed("decoder.", rosinality_tensors(CHANNELS, WIDTH))
        opts = {"encoder_type": kind, "start_from_latent_avg": True}
        mean = torch.full((LAYERS, WIDTH), 0.5)
        torch.save({"state_dict": state, "opts": opts, "latent_avg": mean}, tmp_path / "e4e.pt")
        networks.append(build_networks([recognise(tmp_path / "e4e.pt")]))
    ours, theirs = (each.encoder.state_dict() for each in networks if each.encoder is not None)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("wrap", [lambda held: [held], lambda held: {"runs": [{"step": 1}, held]}])
def test_an_encoder_in_a_list_keeps_what_stands_beside_it(tmp_path: Path, wrap: Callable[[Any], Any]) -> None:
    encoder = ir_se_encoder_tensors(LAYERS, width=WIDTH, resolution=SIDE)
    state = prefixed("encoder.", encoder) | prefixed("decoder.", rosinality_tensors(CHANNELS, WIDTH))
    options, mean = {"encoder_type": "Encoder4Editing"}, torch.ones(WIDTH)
    held = {"state_dict": state, "opts": options, "latent_avg": mean}
    torch.save(wrap(held), tmp_path / "e4e.pt")
    contents = recognise(tmp_path / "e4e.pt")
    assert contents.encoder is not None
    assert (contents.origin, contents.encoder.part.options) == (e4e.FAMILY, options)
    assert contents.encoder.part.latent_avg is not None


@pytest.mark.parametrize(
    ("averaged", "other"),
    [
        ("g_ema", "g_non_ema"),
        ("G_ema", "G_noEMA"),
        ("params_ema", "params"),
        ("generatorEMA", "generator_without_ema"),
        ("gema", "schema"),
        ("net.ema", "cinema"),
        ("avg", "not_averaged"),
    ],
)
def test_of_two_generators_the_averaged_one_is_told_by_a_whole_word(
    tmp_path: Path, averaged: str, other: str
) -> None:
    torch.save({averaged: dict(ROSINALITY), other: coarse(ROSINALITY)}, tmp_path / "g.pt")
    held = recognise(tmp_path / "g.pt").generator
    assert held is not None
    assert all(torch.equal(held.part.tensors[name], tensor) for name, tensor in ROSINALITY.items())


def test_a_tensor_by_the_name_of_another_is_refused(tmp_path: Path) -> None:
    state = {"a": dict(ROSINALITY), "a.style.1.weight": torch.zeros_like(ROSINALITY["style.1.weight"])}
    torch.save(state, tmp_path / "g.pt")
    with pytest.raises(DamagedFile, match=r"g.pt: two things are called 'a.style.1.weight', and one is a"):
        recognise(tmp_path / "g.pt")


def test_long_keys_are_not_multiplied_by_what_is_below_them(tmp_path: Path) -> None:
    path = tmp_path / "odd.pkl"
    path.write_bytes(pickle.dumps({"k" * 1_000_000: dict.fromkeys(range(600))}, protocol=2))
    with taking_at_most(100_000_000), pytest.raises(DamagedFile, match="names of more than"):
        recognise(path)


def test_countless_places_are_gone_through_once(tmp_path: Path) -> None:
    held = {"style.1.weight": torch.zeros(1), "conv1.conv.weight": torch.zeros(1)}
    tensors = {f"{i:x}.{name}": tensor for i in range(20_000) for name, tensor in held.items()}
    inner = {f"0.inner.{name}": tensor for name, tensor in held.items()}
    began = time.process_time()
    found = find(tensors | inner, [("style.1.weight", "conv1.conv.weight")])
    assert time.process_time() - began < 5
    assert len(found) == 20_000
    assert found[0].tensors.keys() == {*held, *(name.removeprefix("0.") for name in inner)}
    assert all(each.tensors.keys() == held.keys() for each in found[1:])


@pytest.mark.parametrize(
    ("state", "kind", "told"),
    [
        (
            {"model": {"conv.weight": torch.ones(1), "conv.bias": torch.ones(1)}, "epoch": 3},
            UnknownFile,
            "tensors of no family that we know: 'model' (a dict of 2 tensors: conv.weight, conv.bias); "
            "'epoch' (int)",
        ),
        (
            {"models": {"a": {"x": torch.ones(1)}, "b": [torch.ones(1)] * 9}, "opts": {"lr": 1}},
            UnknownFile,
            "'models' (a dict of 10 tensors: a.x, b.0, b.1, and 7 more); 'opts' (a dict without a tensor)",
        ),
        (
            {"w": torch.ones(1), **{f"key{i}": None for i in range(9)}},
            UnknownFile,
            "at its top w; 'key0' (NoneType); 'key1' (NoneType); 'key2' (NoneType); 'key3' (NoneType); "
            "'key4' (NoneType); 'key5' (NoneType); and 3 more",
        ),
        (
            {"epoch": 3, "notes": []},
            UnknownFile,
            "there is no tensor in it; it holds 'epoch' (int); 'notes' (a list",
        ),
        (
            {"a": dict(ROSINALITY), "b": dict(ROSINALITY)},
            UnsupportedFile,
            "holds 2 generators, at 'a' and 'b'",
        ),
        (
            {"e": idinvert_encoder_tensors(16, WIDTH), "g": dict(ROSINALITY)},
            UnsupportedFile,
            "holds a generator and an encoder of different families, at 'g' and 'e'; save each by itself",
        ),
        (
            {"a": arcface_tensors(side=16), "ema": arcface_tensors(side=16)},
            UnsupportedFile,
            "holds 2 networks, at 'a' and 'ema'; save the one that is meant by itself",
        ),
        ({"eigvec": torch.eye(8)}, UnsupportedFile, "closed-form factorisation"),
        ({"latent": torch.ones(6, 8)}, UnsupportedFile, "a latent code, as `relatent invert` saves it"),
        (
            {"state_dict": prefixed("decoder.", ROSINALITY) | {"encoder.odd": torch.ones(1)}},
            UnknownFile,
            "state_dict.encoder: tensors of an encoder that we do not know: state_dict.encoder.odd",
        ),
        (
            {"model": {"g_ema": dict(ROSINALITY), "latent_avg": [1.0]}},
            DamagedFile,
            "latent_avg: expected a tensor",
        ),
    ],
)
def test_what_is_not_found_is_told_by_what_stands_there(
    tmp_path: Path, state: Any, kind: type[Refused], told: str
) -> None:
    torch.save(state, tmp_path / "odd.pt")
    with pytest.raises(kind) as caught:
        recognise(tmp_path / "odd.pt")
    assert str(caught.value).startswith(f"{tmp_path / 'odd.pt'}: ")
    assert told in str(caught.value)
    assert str(caught.value).isprintable()
