"""Whose file is it? Checkpoints recognised by the tensors that they hold, never by their names.

    tensors, under whatever key or prefix                       are
    `style.1.*`, `conv1.conv.*`                                 rosinality's StyleGAN2
    `mapping.fc0.*`                                             StyleGAN2-ADA
    `mapping.dense0.*` or `mapping.dense0.fc.*`                 genforce's, or idinvert's generator
    `input_layer.0.*` or `conv1.*`, `relu.*`; `body.*`          an encoder of e4e, pSp ReStyle, by options
    `block0.conv.*`                                             idinvert's encoder
    `output_layer.3.*` beside an encoder's                      ArcFace
    `features.0.*`, `net.slice1.0.*`, `layer28.*`, `lin0.*`     features to compare

Nothing is built here: `relatent_export.families.building` does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relatent_export.checkpoints import PersistentObject, read_checkpoint
from relatent_export.checkpoints.errors import DamagedFile, Refused, UnknownFile, UnsupportedFile
from relatent_export.checkpoints.wording import laid_out
from relatent_export.directions.formats.ganspace import is_ganspace
from relatent_export.directions.formats.ganspace_exports import is_edit
from relatent_export.families import genforce, perceptual
from relatent_export.families.contents import Contents, Family, Tensors
from relatent_export.families.named import finite
from relatent_export.families.wrappers import (
    Found,
    Unfolded,
    find,
    listed,
    nearest,
    nearest_mapping,
    outline,
    the_one,
    unfold,
)
from relatent_export.nets.stylegan1 import StyleGAN1Config

_GENERATORS = {
    "style.1.weight": "conv1.conv.weight",
    "mapping.fc0.weight": "synthesis.b4.const",
    "mapping.dense0.fc.weight": "synthesis.layer0.const",
    "mapping.dense0.weight": "mapping.dense0.weight",
    "synthesis.input.weight": "synthesis.input.weight",  # StyleGAN3's
    "synthesis.input.freqs": "synthesis.input.freqs",
    "output0.weight": "layer0.weight",  # PGGAN's
}
_ENCODERS = {
    "input_layer.0.weight": "body.0.res_layer.1.weight",
    "relu.weight": "body.0.conv1.weight",
    "block0.conv.weight": "block1.conv1.weight",
}
_IDENTITY = "output_layer.3.weight"
_IDENTITIES = {_IDENTITY: "input_layer.0.weight"}
_FEATURES = {
    name: name
    for name in (
        "features.0.weight",
        "net.slice1.0.weight",
        "layer28.weight",
        "lin0.model.0.weight",
        "lin0.model.1.weight",
    )
}
"""Two names that every network of a kind has, or one."""

_HOLDERS = ("g_ema", "generator_smooth", "state_dict")
"""Keys that are there for nothing but tensors."""

_E4E = ("Encoder4Editing", "SingleStyleCodeEncoder")


def recognise(path: Path) -> Contents:
    """Read a file and tell whose it is.

    Raises:
        Refused: it cannot be read safely, is none we know, or of a kind that cannot be imported.
        OSError: it cannot be opened.
    """
    data = read_checkpoint(path)
    if isinstance(data, PersistentObject):
        data = {"G_ema": data}
    if isinstance(data, list | tuple):
        data = dict(enumerate(data))
    if isinstance(data, Tensor | np.ndarray) or (isinstance(data, Mapping) and "boundary" in data):
        return Contents(path, Family.DIRECTION, data=data)
    if not isinstance(data, Mapping):
        raise UnknownFile(f"{path}: expected a checkpoint or a direction, got a {type(data).__name__}")
    with laid_out(str(path)):
        return _of_mapping(path, data)


def _of_mapping(path: Path, data: Mapping[str, Any]) -> Contents:
    if is_ganspace(data):
        return Contents(path, Family.GANSPACE, data=data)
    if is_edit(data):
        return Contents(path, Family.GANSPACE_EDIT, data=data)
    unfolded = unfold(data, str(path))
    tensors = unfolded.tensors
    if any(".hypernet." in f".{name}" for name in tensors):
        raise UnsupportedFile(
            f"{path}: a HyperStyle checkpoint. It changes the generator's weights for every image, so that "
            "codes of two images belong to two generators; import the W encoder and the generator instead"
        )
    generator = the_one(find(tensors, _GENERATORS), "generator", str(path))
    encoders = [each for each in find(tensors, _ENCODERS) if _IDENTITY not in each.tensors]
    encoder = the_one(encoders, "encoder", str(path))
    if generator is None and encoder is None:
        return _other_network(path, data, tensors)
    if encoder is None:
        assert generator is not None
        _check_beside_decoder(path, tensors, generator)
        return _of_generator(path, unfolded, generator)
    if "block0.conv.weight" in encoder.tensors and generator is None:
        return Contents(path, Family.IDINVERT_ENCODER, encoder=encoder.tensors)
    return _of_encoder(path, unfolded, generator, encoder)


def _of_generator(path: Path, unfolded: Unfolded, generator: Found) -> Contents:
    tensors = generator.tensors
    if "style.1.weight" in tensors:
        return Contents(
            path,
            Family.ROSINALITY,
            generator=_without_mean(tensors),
            latent_avg=_mean(path, unfolded, generator.place),
        )
    if any(name.startswith("synthesis.input.") for name in tensors):
        raise UnsupportedFile(
            f"{path}: a StyleGAN3 generator. It filters and resamples at every layer, which this project's "
            "synthesis does not do; StyleGAN2 is supported"
        )
    if "mapping.fc0.weight" in tensors:
        return Contents(path, Family.NVLABS, generator=tensors)
    if "mapping.dense0.fc.weight" in tensors:
        return Contents(path, Family.IDINVERT_GENERATOR, generator=tensors)
    one = isinstance(genforce.generator_config(tensors, str(path)), StyleGAN1Config)
    family = Family.GENFORCE_STYLEGAN1 if one else Family.GENFORCE_STYLEGAN2
    return Contents(path, family, generator=tensors)


def _of_encoder(path: Path, unfolded: Unfolded, generator: Found | None, encoder: Found) -> Contents:
    """The layout that pSp began and e4e, ReStyle, HyperStyle and GANInverter took over."""
    if generator is not None and (
        "style.1.weight" not in generator.tensors or "block0.conv.weight" in encoder.tensors
    ):
        raise UnsupportedFile(
            f"{path}: holds a generator and an encoder of different families, at "
            f"{generator.place.rstrip('.')!r} and {encoder.place.rstrip('.')!r}; save each by itself"
        )
    options = nearest_mapping(unfolded, encoder.place, "opts")
    entry = encoder.tensors.get("input_layer.0.weight", encoder.tensors.get("conv1.weight"))
    if entry is not None and entry.shape[1] > 3:
        family = Family.RESTYLE
    elif encoder.place.endswith("encoder.encoder."):
        # Its encoder is a module of its own, around the network and the mean latent.
        family = Family.GANINVERTER
    else:
        family = Family.E4E if str(options.get("encoder_type", "")) in _E4E else Family.PSP
    mean = _mean(path, unfolded, encoder.place)
    if mean is None and generator is not None:
        mean = _mean(path, unfolded, generator.place)
    return Contents(
        path,
        family,
        generator=_without_mean(generator.tensors) if generator is not None else {},
        encoder=_without_mean(encoder.tensors),
        latent_avg=mean,
        options=options,
    )


def _check_beside_decoder(path: Path, tensors: Tensors, generator: Found) -> None:
    """An encoder that is none we know should not be passed over in silence."""
    if not generator.place.endswith("decoder."):
        return
    place = f"{generator.place.removesuffix('decoder.')}encoder"
    names = [name for name in tensors if name.startswith(f"{place}.")]
    if names:
        raise UnknownFile(f"{path}: {place}: tensors of no encoder we know: {listed(names)}")


def _other_network(path: Path, data: Mapping[str, Any], tensors: Tensors) -> Contents:
    features = [each for each in find(tensors, _FEATURES) if perceptual.holds_features(each.tensors)]
    identity = find(tensors, _IDENTITIES)
    if features and identity:
        raise UnsupportedFile(
            f"{path}: holds features to compare and an identity network; save each by itself"
        )
    network = the_one([*features, *identity], "network", str(path), may_be_averaged=False)
    if network is not None:
        return Contents(path, Family.FEATURES if features else Family.ARCFACE, others=network.tensors)
    raise _none_we_know(path, data, tensors)


def _none_we_know(path: Path, data: Mapping[str, Any], tensors: Tensors) -> Refused:
    """What to say of a file without a network that can be imported."""
    for key in _HOLDERS:
        if key in data and not unfold(data[key], str(path)).tensors:
            return DamagedFile(f"{path}: {key}: expected tensors by name, got none")
    if "eigvec" in data:
        return UnsupportedFile(
            f"{path}: eigenvectors of rosinality's closed-form factorisation, from which a direction is yet "
            "to be chosen; save the column that is meant, eigvec[:, I][None], as a .pt of its own"
        )
    if "synthesis.constant" in tensors and "mapping.mean" in tensors:
        return UnsupportedFile(
            f"{path}: the generator of a pack, which was imported already; export the pack's folder"
        )
    if tensors.keys() == {"latent"}:
        return UnsupportedFile(f"{path}: a latent code, as `relatent invert` saves it, and no direction")
    if not tensors:
        return UnknownFile(f"{path}: no tensor at all; it holds {outline(data, str(path))}")
    return UnknownFile(f"{path}: tensors of no family we know: {outline(data, str(path))}")


def _without_mean(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if name != "latent_avg"}


def _mean(path: Path, unfolded: Unfolded, place: str) -> Tensor | None:
    """The mean latent that came with tensors, if one did.

    Raises:
        DamagedFile: it is no latent.
    """
    mean = nearest(unfolded, place, "latent_avg")
    if mean is None:
        return None
    if not isinstance(mean, Tensor) or mean.ndim not in (1, 2) or not mean.is_floating_point():
        raise DamagedFile(f"{path}: latent_avg: expected a tensor of one row or several")
    return finite(mean.to(torch.float32), f"{path}: latent_avg")
