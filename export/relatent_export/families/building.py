"""From recognised files to a family's networks: one generator, and what else there is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from relatent_export.checkpoints.errors import Refused
from relatent_export.checkpoints.wording import laid_out
from relatent_export.families import encoders, genforce, idinvert, perceptual, stylegan2
from relatent_export.families.contents import Contents, Family, Tensors
from relatent_export.nets.gradual_style import GradualStyleConfig
from relatent_export.nets.indomain_encoder import InDomainConfig
from relatent_export.nets.lpips import Lpips
from relatent_export.nets.networks import AnyEncoder, AnyGenerator, Networks
from relatent_export.nets.stylegan1 import StyleGAN1Config
from relatent_export.nets.stylegan2 import GeneratorConfig

_GENERATORS: Mapping[Family, Callable[[Contents], AnyGenerator]] = {
    Family.NVLABS: lambda held: stylegan2.from_nvlabs(held.generator, str(held.path)),
    Family.GENFORCE_STYLEGAN2: lambda held: genforce.stylegan2_from(held.generator, str(held.path)),
    Family.GENFORCE_STYLEGAN1: lambda held: genforce.stylegan1_from(held.generator, str(held.path)),
    Family.IDINVERT_GENERATOR: lambda held: idinvert.generator_from(held.generator, str(held.path)),
}
"""How a family's generator is built; the others' is rosinality's."""

_CONFIGS: Mapping[Family, Callable[[Tensors, str], GeneratorConfig | StyleGAN1Config]] = {
    Family.NVLABS: stylegan2.nvlabs_config,
    Family.GENFORCE_STYLEGAN2: genforce.generator_config,
    Family.GENFORCE_STYLEGAN1: genforce.generator_config,
    Family.IDINVERT_GENERATOR: idinvert.generator_config,
}


def generator_config(held: Contents) -> GeneratorConfig | StyleGAN1Config:
    """Read the shape of a file's generator off its tensors.

    Raises:
        Refused: a tensor is missing, or it is of a kind that cannot be imported.
    """
    return _CONFIGS.get(held.family, stylegan2.rosinality_config)(held.generator, str(held.path))


def encoder_config(held: Contents) -> GradualStyleConfig | InDomainConfig:
    """Read the shape of a file's encoder off its tensors.

    Raises:
        Refused: a tensor is missing, or it is of a kind that cannot be imported.
    """
    if held.family is Family.IDINVERT_ENCODER:
        return idinvert.encoder_config(held.encoder, str(held.path))
    layers = generator_config(held).layers if held.generator else _rows(held)
    return encoders.encoder_config(held.encoder, held.options, layers, str(held.path))


def check(held: Contents) -> None:
    """Judge a file by itself as its import would: by building what it holds.

    Raises:
        Refused: it cannot be built.
    """
    what = str(held.path)
    with laid_out(what):
        if held.generator:
            build_networks([held])
        elif held.family is Family.IDINVERT_ENCODER:
            idinvert.encoder_from(held.encoder, what)
        elif held.encoder:
            encoders.check_encoder(held.encoder, held.latent_avg, held.options, _rows(held), what)
        elif held.family is Family.FEATURES:
            perceptual.check_features(held.others, what)
        elif held.family is Family.ARCFACE:
            encoders.identity_from(held.others, what)


def build_networks(files: Sequence[Contents], compare_side: int = 0) -> Networks:
    """Build the networks that some files hold together.

    Args:
        files: one with a generator; at most one with an encoder, which may be the same; others with
            features to compare and an identity network.
        compare_side: side of the images that refinement compares; 256, or R if less, if 0.

    Raises:
        Refused: a file cannot be built, or the files do not make one family.
    """
    generator_file = _only(files, "a generator", lambda held: bool(held.generator))
    if generator_file is None:
        raise Refused(f"{_listed(files)}: expected one file with a generator, got none")
    encoder_file = _only(files, "an encoder", lambda held: bool(held.encoder))
    identity_file = _only(files, "an identity network", lambda held: held.family is Family.ARCFACE)
    features = [held for held in files if held.family is Family.FEATURES]
    with laid_out(str(generator_file.path)):
        generator = _generator(generator_file)
    encoder = identity = lpips = None
    if encoder_file is not None:
        with laid_out(str(encoder_file.path)):
            encoder = _encoder(encoder_file, generator)
    if identity_file is not None:
        with laid_out(str(identity_file.path)):
            identity = encoders.identity_from(identity_file.others, str(identity_file.path))
    if features:
        with laid_out(_listed(features)):
            lpips = _features(features)
    try:
        return Networks(generator, encoder, lpips=lpips, identity=identity, compare_size=compare_side)
    except ValueError as error:
        together = "these files do not fit each other" if len(files) > 1 else str(files[0].path)
        raise Refused(f"{together}: {error}") from error


def _features(files: Sequence[Contents]) -> Lpips:
    return perceptual.perceptual_from(
        *(held.others for held in files), names=[str(held.path) for held in files]
    )


def _only(files: Sequence[Contents], what: str, has: Callable[[Contents], bool]) -> Contents | None:
    found = [held for held in files if has(held)]
    if len(found) > 1:
        raise Refused(f"{_listed(found)}: expected one file with {what}, got {len(found)}")
    return found[0] if found else None


def _generator(held: Contents) -> AnyGenerator:
    if held.family in _GENERATORS:
        return _GENERATORS[held.family](held)
    return stylegan2.from_rosinality(held.generator, held.latent_avg, str(held.path))


def _encoder(held: Contents, generator: AnyGenerator) -> AnyEncoder:
    if held.family is Family.IDINVERT_ENCODER:
        return idinvert.encoder_from(held.encoder, str(held.path))
    return encoders.encoder_from(held.encoder, held.latent_avg, held.options, generator, str(held.path))


def _rows(held: Contents) -> int:
    """Rows of an encoder's codes that came without its generator: its heads', or its mean latent's.

    0 where neither tells.
    """
    heads = sum(1 for name in held.encoder if re.fullmatch(r"styles\.\d+\.linear\.weight", name))
    if heads or held.latent_avg is None or held.latent_avg.ndim == 1:
        return heads
    return len(held.latent_avg)


def _listed(files: Sequence[Contents]) -> str:
    return ", ".join(str(held.path) for held in files)
