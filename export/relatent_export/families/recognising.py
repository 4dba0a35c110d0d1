"""Whose file is it? Checkpoints recognised by the tensors that they hold, never by their names.

A network is found by names that a family's files have, under whatever key or prefix, and is the family's that
claims it. One that no family claims is refused, and so is one that two claim: none is taken for another.
Nothing is built here: `relatent_export.families.building` does that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relatent_export.checkpoints import PersistentObject, read_checkpoint
from relatent_export.checkpoints.errors import DamagedFile, Refused, UnknownFile, UnsupportedFile
from relatent_export.checkpoints.wording import as_damaged
from relatent_export.directions.formats.registry import parse_directions
from relatent_export.families import registry, unsupported
from relatent_export.families.contents import AnyFamily, Contents, RecognisedNetwork
from relatent_export.families.family import Family, GeneratorFamily, Part, Tensors
from relatent_export.families.shared.named_tensors import finite
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

_HOLDERS = ("g_ema", "generator_smooth", "state_dict")
"""Keys that are there for nothing but tensors."""


def recognise(path: Path) -> Contents:
    """Read a file and tell whose it is.

    Raises:
        Refused: it cannot be read safely, is not one that we know, or of a kind that cannot be imported.
        OSError: it cannot be opened.
    """
    data = read_checkpoint(path)
    if isinstance(data, PersistentObject):
        data = {"G_ema": data}
    if isinstance(data, list | tuple):
        data = dict(enumerate(data))
    with as_damaged(str(path)):
        directions = parse_directions(data, path)
        if directions is not None:
            return Contents(path, directions=directions)
        if not isinstance(data, Mapping):
            raise UnknownFile(f"{path}: expected a checkpoint or a direction, got a {type(data).__name__}")
        return _networks(path, data)


def _networks(path: Path, data: Mapping[str, Any]) -> Contents:
    unfolded = unfold(data, str(path))
    tensors = unfolded.tensors
    unsupported.refuse_hypernetwork(tensors, str(path))
    marks = [*_marks(registry.GENERATORS), *_marks(unsupported.GENERATORS)]
    generator = the_one(find(tensors, marks), "generator", str(path))
    encoders = [
        each
        for each in find(tensors, _marks(registry.ENCODERS))
        if not any(family.has_marks(each.tensors) for family in registry.IDENTITIES)
    ]
    encoder = the_one(encoders, "encoder", str(path))
    if encoder is not None:
        return _with_encoder(path, unfolded, generator, encoder)
    if generator is not None:
        _check_beside_decoder(path, tensors, generator)
        return Contents(path, generator=_generator(path, unfolded, generator))
    return _without_codes(path, data, tensors)


def _marks(families: Iterable[Family | unsupported.UnsupportedGenerator]) -> list[tuple[str, str]]:
    return [pair for family in families for pair in family.marks]


def _generator(path: Path, unfolded: Unfolded, found: Found) -> RecognisedNetwork[GeneratorFamily]:
    network = _claimed(registry.GENERATORS, _part(path, found))
    if network is None:
        raise unsupported.generator_refusal(found.tensors, str(path))
    return _with_mean(network, _mean(network, unfolded))


def _with_encoder(path: Path, unfolded: Unfolded, found: Found | None, encoder_found: Found) -> Contents:
    """An encoder, and the generator that came with it."""
    options = nearest_mapping(unfolded, encoder_found.place, "opts")
    encoder = _claimed(registry.ENCODERS, _part(path, encoder_found, options))
    if encoder is None:
        raise UnsupportedFile(
            f"{path}: an encoder of no family that we know: {listed(encoder_found.tensors)}"
        )
    generator = None if found is None else _generator(path, unfolded, found)
    if generator is not None and generator.family is not encoder.family.generator:
        raise UnsupportedFile(
            f"{path}: holds a generator and an encoder of different families, at "
            f"{generator.part.place.rstrip('.')!r} and {encoder.part.place.rstrip('.')!r}; save each by "
            "itself"
        )
    mean = _mean(encoder, unfolded)
    if generator is None:
        return Contents(path, encoder=_with_mean(encoder, mean))
    mean = mean if mean is not None else generator.part.latent_avg
    return Contents(path, generator=_with_mean(generator, mean), encoder=_with_mean(encoder, mean))


def _without_codes(path: Path, data: Mapping[str, Any], tensors: Tensors) -> Contents:
    """A network that neither makes images of codes nor codes of images."""
    features = _all_claimed(path, tensors, registry.FEATURES)
    identities = _all_claimed(path, tensors, registry.IDENTITIES)
    if features and identities:
        raise UnsupportedFile(
            f"{path}: holds features to compare and an identity network; save each by itself"
        )
    parts = [each.part for each in features] or [each.part for each in identities]
    places = [Found(part.place, part.tensors) for part in parts]
    the_one(places, "network", str(path), may_be_averaged=False)
    if features:
        return Contents(path, features=features[0])
    if identities:
        return Contents(path, identity=identities[0])
    raise _no_network(path, data, tensors)


def _all_claimed(
    path: Path, tensors: Tensors, families: Sequence[AnyFamily]
) -> list[RecognisedNetwork[AnyFamily]]:
    parts = [_part(path, found) for found in find(tensors, _marks(families))]
    return [network for part in parts if (network := _claimed(families, part)) is not None]


def _claimed(families: Sequence[AnyFamily], part: Part) -> RecognisedNetwork[AnyFamily] | None:
    """A network with the family that claims it; None if none does.

    Raises:
        UnsupportedFile: more than one does.
    """
    claiming = [family for family in families if family.has_marks(part.tensors) and family.claims(part)]
    if len(claiming) > 1:
        labels = " and ".join(family.label for family in claiming)
        raise UnsupportedFile(f"{part.what}: holds the tensors of {labels} in one network")
    return RecognisedNetwork(claiming[0], part) if claiming else None


def _part(path: Path, found: Found, options: Mapping[str, Any] | None = None) -> Part:
    return Part(str(path), found.tensors, options=options or {}, place=found.place)


def _with_mean(network: RecognisedNetwork[AnyFamily], mean: Tensor | None) -> RecognisedNetwork[AnyFamily]:
    """The network with its mean latent, which may have been found among its tensors."""
    if not network.family.mean_beside:
        return network
    part = network.part
    tensors = {name: tensor for name, tensor in part.tensors.items() if name != "latent_avg"}
    return RecognisedNetwork(network.family, Part(part.what, tensors, mean, part.options, part.place))


def _mean(network: RecognisedNetwork[AnyFamily], unfolded: Unfolded) -> Tensor | None:
    """The mean latent that came with a network, if it is of a family that keeps it there.

    Raises:
        DamagedFile: it is not a latent.
    """
    if not network.family.mean_beside:
        return None
    what, mean = f"{network.part.what}: latent_avg", nearest(unfolded, network.part.place, "latent_avg")
    if mean is None:
        return None
    if not isinstance(mean, Tensor) or mean.ndim not in (1, 2) or not mean.is_floating_point():
        raise DamagedFile(f"{what}: expected a tensor of one latent, or of one a layer")
    return finite(mean.to(torch.float32), what)


def _check_beside_decoder(path: Path, tensors: Tensors, generator: Found) -> None:
    """An encoder that we do not know should not be passed over in silence."""
    if not generator.place.endswith("decoder."):
        return
    place = f"{generator.place.removesuffix('decoder.')}encoder"
    names = [name for name in tensors if name.startswith(f"{place}.")]
    if names:
        raise UnknownFile(f"{path}: {place}: tensors of an encoder that we do not know: {listed(names)}")


def _no_network(path: Path, data: Mapping[str, Any], tensors: Tensors) -> Refused:
    """What to say of a file without a network that can be imported."""
    for key in _HOLDERS:
        if key in data and not unfold(data[key], str(path)).tensors:
            return DamagedFile(f"{path}: {key}: expected tensors by name, got none")
    unsupported.refuse_without_network(data, tensors, str(path))
    if not tensors:
        return UnknownFile(f"{path}: there is no tensor in it; it holds {outline(data, str(path))}")
    return UnknownFile(f"{path}: tensors of no family that we know: {outline(data, str(path))}")
