"""From recognised files to a pack's networks: one generator, and what else there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from relatent_export.checkpoints.errors import Refused
from relatent_export.checkpoints.wording import as_damaged
from relatent_export.families.contents import AnyFamily, Contents, RecognisedNetwork
from relatent_export.families.family import FeaturesFamily
from relatent_export.nets.gradual_style import GradualStyleConfig
from relatent_export.nets.indomain_encoder import InDomainConfig
from relatent_export.nets.lpips import Lpips
from relatent_export.nets.stylegan1 import StyleGAN1Config
from relatent_export.nets.stylegan2 import GeneratorConfig
from relatent_export.packs.networks import Networks


def generator_config(contents: Contents) -> GeneratorConfig | StyleGAN1Config | None:
    """Read the shape of a file's generator off its tensors; None if it holds none.

    Raises:
        Refused: a tensor is missing, or it is of a kind that cannot be imported.
    """
    held = contents.generator
    return None if held is None else held.family.config(held.part)


def encoder_config(contents: Contents) -> GradualStyleConfig | InDomainConfig | None:
    """Read the shape of a file's encoder off its tensors; None if it holds none.

    Raises:
        Refused: a tensor is missing, or it is of a kind that cannot be imported.
    """
    held, generator = contents.encoder, generator_config(contents)
    layers = None if generator is None else generator.layers
    return None if held is None else held.family.config(held.part, layers)


def check(contents: Contents) -> None:
    """Judge a file by itself as its import would: by building what it holds.

    Raises:
        Refused: it cannot be built.
    """
    with as_damaged(str(contents.path)):
        if contents.generator is not None:
            build_networks([contents])
        elif contents.encoder is not None:
            contents.encoder.family.check(contents.encoder.part)
        elif contents.features is not None:
            contents.features.family.check(contents.features.part)
        elif contents.identity is not None:
            contents.identity.family.build(contents.identity.part)


def build_networks(files: Sequence[Contents], compare_size: int = 0) -> Networks:
    """Build the networks that some files hold together.

    Args:
        files: one with a generator; at most one with an encoder, which may be the same; others with
            features to compare and an identity network.
        compare_size: of the images that refinement compares, in pixels; 256, or R if less, if 0.

    Raises:
        Refused: a file cannot be built, or the files do not fit each other.
    """
    generator_held = _only(files, "a generator", lambda each: each.generator)
    if generator_held is None:
        raise Refused(f"{_listed(files)}: expected one file with a generator, got none")
    encoder_held = _only(files, "an encoder", lambda each: each.encoder)
    identity_held = _only(files, "an identity network", lambda each: each.identity)
    features_held = [each.features for each in files if each.features is not None]
    with as_damaged(generator_held.part.what):
        generator = generator_held.family.build(generator_held.part)
    encoder = identity = None
    if encoder_held is not None:
        with as_damaged(encoder_held.part.what):
            encoder = encoder_held.family.build(encoder_held.part, generator)
    if identity_held is not None:
        with as_damaged(identity_held.part.what):
            identity = identity_held.family.build(identity_held.part)
    lpips = _features(features_held)
    try:
        return Networks(generator, encoder, lpips=lpips, identity=identity, compare_size=compare_size)
    except ValueError as error:
        together = "these files do not fit each other" if len(files) > 1 else str(files[0].path)
        raise Refused(f"{together}: {error}") from error


def _features(held: Sequence[RecognisedNetwork[FeaturesFamily]]) -> Lpips | None:
    """The network that files of one family hold the parts of; None if there are none.

    Raises:
        Refused: they are of several families, or do not make one network.
    """
    if not held:
        return None
    together = ", ".join(each.part.what for each in held)
    family = held[0].family
    if any(each.family is not family for each in held):
        raise Refused(f"{together}: expected features of one family to compare, got those of several")
    with as_damaged(together):
        return family.build([each.part for each in held])


def _only(
    files: Sequence[Contents], what: str, held: Callable[[Contents], RecognisedNetwork[AnyFamily] | None]
) -> RecognisedNetwork[AnyFamily] | None:
    found = [network for each in files if (network := held(each)) is not None]
    if len(found) > 1:
        places = ", ".join(network.part.what for network in found)
        raise Refused(f"{places}: expected one file with {what}, got {len(found)}")
    return found[0] if found else None


def _listed(files: Sequence[Contents]) -> str:
    return ", ".join(str(each.path) for each in files)
