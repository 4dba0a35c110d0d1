"""From files on disk to a pack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from relatent.core.directions import Direction
from relatent.core.methods import NAME
from relatent.core.pack import file_digest
from relatent_export.attributes.identity import adapt_identity
from relatent_export.attributes.network import ImageNetwork
from relatent_export.attributes.trying import adapt_networks
from relatent_export.checkpoints.errors import Refused
from relatent_export.checkpoints.wording import as_damaged
from relatent_export.directions.controls import Measured, measure_controls
from relatent_export.directions.formats.doubts import doubt_of
from relatent_export.directions.formats.ganspace import COMPONENTS
from relatent_export.directions.formats.published import (
    CodeShape,
    DirectionChoices,
    DirectionFile,
    SpaceUntold,
)
from relatent_export.directions.formats.vectors import Numbers
from relatent_export.families.building import build_networks, check
from relatent_export.families.contents import Contents
from relatent_export.families.gathering import Named, Tell, expand, nothing_in, passed_over
from relatent_export.families.recognising import recognise
from relatent_export.nets.networks import AnyGenerator, Networks
from relatent_export.packs.pack import PackFacts, write_pack
from relatent_export.progress import printable, progress
from relatent_export.progress import tell as progress_line

_RATES = {"encoder": 0.01, "mean": 0.05}
"""Adam's step sizes along the code's own numbers: in-domain inversion's from an encoder's code, half the
StyleGAN2 projector's highest from the mean."""

_PERCEPTUAL = 0.2
"""Weight of LPIPS beside the pixels': the ratio that pSp and e4e were trained with, 0.8 to 1 for pixels in
[-1, 1], whose squares are four times ours."""


@dataclass(frozen=True)
class Stated:
    """What whoever imports a pack says of it, since no file does.

    Attributes:
        description, licence, provenance: what the catalog serves; said of the files where empty.
        compare_size: of the images that refinement compares, in pixels; 256, or R if less, if 0.
        directions: what is said of the directions.
        attributes: networks that read attributes.
        identity: a network that tells whom images show.
        codes: at how many samples' codes to measure how they answer; as many as is affordable if None.
    """

    description: str = ""
    licence: str = ""
    provenance: str = ""
    compare_size: int = 0
    directions: DirectionChoices = field(default_factory=DirectionChoices)
    attributes: tuple[ImageNetwork, ...] = ()
    identity: ImageNetwork | None = None
    codes: int | None = None


def import_pack(
    files: Sequence[Path], into: Path, name: str, stated: Stated, tell: Tell = progress_line
) -> Path:
    """Make a pack of published files.

    Args:
        files: checkpoints and directions, recognised by what they hold; a folder stands for its files.
        into: the folder of packs.
        name: of the pack, lower-case letters, digits and underscores.
        stated: what the files do not say.
        tell: takes a line of what was passed over in a folder, or is doubtful.

    Returns:
        The pack's folder.

    Raises:
        Refused: a file cannot be imported, or the files do not fit each other.
        ValueError: the name has other characters than those, or is taken, or a network cannot read
            attributes.
        OSError: a file cannot be read or written; names it.
    """
    if not re.fullmatch(NAME, name):
        raise ValueError(f"--name: expected lower-case letters, digits and underscores, got {name!r}")
    folder = into / name
    if folder.exists():
        raise ValueError(f"{folder}: there is one already; remove it, or choose another --name")
    named = list(expand(files, tell))
    with progress(total=len(named) + 2, desc=f"importing {name}", unit="step", leave=False) as bar:
        held = {}
        for file in named:
            bar.set_postfix_str(printable(file.path.name))
            try:
                contents = recognise(file.path)
                if file.folder is not None:
                    check(contents)  # what is of no use in a folder is passed over, and not the import's end
                held[file] = contents
            except (Refused, OSError) as error:
                if file.folder is None:
                    raise
                tell(passed_over(error))
            bar.update()
        _check_folders(named, held)
        bar.set_postfix_str("building")
        networks = build_networks(list(held.values()), stated.compare_size)
        directions = _directions(held, networks.generator, stated, tell)
        bar.update()
        _check_folders(named, held)
        measured = None
        if stated.identity is not None:
            if networks.identity is not None:
                raise ValueError("--identity: expected none beside an identity network among the files")
            likeness = adapt_identity(stated.identity, networks.generator)
            networks = replace(networks, identity_graph=likeness)
        if stated.attributes:
            bar.set_postfix_str("measuring")
            networks, measured = _with_attributes(networks, stated, tell)
        bar.set_postfix_str("writing")
        info = _info(name, list(held.values()), networks, stated)
        write_pack(folder, info, networks, directions, measured=measured)
        bar.update()
    return folder


def _check_folders(named: Sequence[Named], held: Mapping[Named, Contents]) -> None:
    """Refuse a folder in which all was passed over."""
    for folder in {file.folder for file in named if file.folder is not None}:
        if not any(file.folder == folder for file in held):
            raise nothing_in(folder)


def _with_attributes(networks: Networks, stated: Stated, tell: Tell) -> tuple[Networks, Measured]:
    adapted = adapt_networks(stated.attributes, networks.generator, tell)
    names = tuple(attribute.name for attribute in adapted.attributes)
    networks = replace(networks, attribute_graph=adapted.graph, attribute_names=names)
    return networks, measure_controls(networks, adapted.attributes, codes=stated.codes)


def _info(name: str, held: Sequence[Contents], networks: Networks, stated: Stated) -> PackFacts:
    return PackFacts(
        name=name,
        description=stated.description or _described(held, networks),
        licence=stated.licence or f"not stated; {'; '.join(_notes(held))}",
        provenance=stated.provenance or f"Imported from {', '.join(_sources(held, stated))}.",
        learning_rate=_RATES,
        weights={"perceptual": _PERCEPTUAL} if networks.lpips is not None else {},
    )


def _directions(
    held: dict[Named, Contents], generator: AnyGenerator, stated: Stated, tell: Tell
) -> list[Direction]:
    """Make all directions; files of a folder that hold none of this generator's are taken out of `held`."""
    if stated.directions.edits and not any(_are_components(each) for each in held.values()):
        raise ValueError("--component: expected a file of GANSpace's components, got none")
    found: dict[str, Direction] = {}
    for file, contents in list(held.items()):
        if contents.directions is None:
            continue
        try:
            made = _made(contents.path, contents.directions, generator, stated.directions)
        except SpaceUntold:
            raise  # whoever imports can tell
        except Refused as error:
            if file.folder is None:
                raise
            tell(passed_over(error))
            del held[file]
            continue
        for direction in made:
            if direction.name in found:
                raise Refused(f"{contents.path}: a second direction called {direction.name!r}")
            found[direction.name] = direction
        doubt = doubt_of(file.path, _steps(made[0])) if contents.directions.format.like_codes else ""
        if doubt:
            tell(f"{file.path}: taken as a direction, but {doubt}")
    return list(found.values())


def _are_components(contents: Contents) -> bool:
    return contents.directions is not None and contents.directions.format is COMPONENTS


def _made(
    path: Path, parsed: DirectionFile, generator: AnyGenerator, choices: DirectionChoices
) -> list[Direction]:
    config = generator.config
    shape = CodeShape(config.layers, config.latent_width, config.z_width)
    licence = choices.licence or f"not stated; {parsed.format.licence}"
    with as_damaged(str(path)):
        return parsed.directions(shape, replace(choices, licence=licence))


def _steps(direction: Direction) -> Numbers:
    """What a unit of strength adds to each layer."""
    steps: Numbers = direction.vector.astype(np.float64) * np.array(direction.lengths)[:, None]
    return steps


def _described(held: Sequence[Contents], networks: Networks) -> str:
    resolution = networks.generator.config.resolution
    families = dict.fromkeys(
        each.origin.label for each in held if each.generator is not None or each.encoder is not None
    )
    return f"{', '.join(families)}; {resolution} x {resolution}."


def _notes(held: Sequence[Contents]) -> dict[str, None]:
    """A note for each family, once."""
    return dict.fromkeys(f"{each.origin.label}: {each.origin.licence}" for each in held)


def _sources(held: Sequence[Contents], stated: Stated) -> list[str]:
    files = [(each.path, each.origin.label) for each in held]
    files += [(each.file, "attribute network") for each in stated.attributes]
    files += [(stated.identity.file, "identity network")] if stated.identity else []
    return [f"{path.name} ({label}, SHA-256 {file_digest(path)})" for path, label in files]
