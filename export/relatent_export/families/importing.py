"""From files on disk to a pack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from relatent.core.directions import Direction
from relatent.core.methods import NAME
from relatent.core.pack import file_digest
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import Refused
from relatent_export.checkpoints.wording import laid_out
from relatent_export.directions.formats.doubts import doubt_of
from relatent_export.directions.formats.files import SpaceUntold, read_directions
from relatent_export.directions.formats.ganspace import GanspaceEdit
from relatent_export.directions.formats.rows import Numbers
from relatent_export.families.building import build_networks, check
from relatent_export.families.contents import Contents, Family
from relatent_export.families.families import recognise
from relatent_export.families.gathering import Named, Tell, expand, nothing_in, passed_over
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
        compare_side: side in pixels at which refinement compares images; 256, or R if less, if 0.
        direction_space: of directions whose file and name do not tell it.
        direction_licence: of the directions.
        components: of GANSpace's file, those to take, by name; all if empty.
    """

    description: str = ""
    licence: str = ""
    provenance: str = ""
    compare_side: int = 0
    direction_space: Space | None = None
    direction_licence: str = ""
    components: Mapping[str, GanspaceEdit] = field(default_factory=dict)


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
        Refused: a file cannot be imported, or the files do not make one family.
        ValueError: the name is none, or taken.
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
        networks = build_networks(list(held.values()), stated.compare_side)
        directions = _directions(held, networks.generator, stated, tell)
        bar.update()
        bar.set_postfix_str("writing")
        _check_folders(named, held)
        write_pack(folder, _info(name, list(held.values()), networks, stated), networks, directions)
        bar.update()
    return folder


def _check_folders(named: Sequence[Named], held: Mapping[Named, Contents]) -> None:
    """Refuse a folder in which all was passed over."""
    for folder in {file.folder for file in named if file.folder is not None}:
        if not any(file.folder == folder for file in held):
            raise nothing_in(folder)


def _info(name: str, held: Sequence[Contents], networks: Networks, stated: Stated) -> PackFacts:
    return PackFacts(
        name=name,
        description=stated.description or _described(held, networks),
        licence=stated.licence or f"not stated; {'; '.join(_notes(held))}",
        provenance=stated.provenance or f"Imported from {', '.join(_sources(held))}.",
        learning_rate=_RATES,
        weights={"perceptual": _PERCEPTUAL} if networks.lpips is not None else {},
    )


def _directions(
    held: dict[Named, Contents], generator: AnyGenerator, stated: Stated, tell: Tell
) -> list[Direction]:
    """Read all directions; files of a folder that hold none of this generator's are taken out of `held`."""
    if stated.components and not any(contents.family is Family.GANSPACE for contents in held.values()):
        raise ValueError("--component: expected a file of GANSpace's components, got none")
    found: dict[str, Direction] = {}
    for file, contents in list(held.items()):
        if not contents.family.is_direction:
            continue
        try:
            read = _read_directions(contents, generator, stated)
        except SpaceUntold:
            raise  # whoever imports can tell
        except Refused as error:
            if file.folder is None:
                raise
            tell(passed_over(error))
            del held[file]
            continue
        for direction in read:
            if direction.name in found:
                raise Refused(f"{contents.path}: a second direction called {direction.name!r}")
            found[direction.name] = direction
        doubt = doubt_of(file.path, _rows(read[0])) if contents.family is Family.DIRECTION else ""
        if doubt:
            tell(f"{file.path}: taken as a direction, but {doubt}")
    return list(found.values())


def _rows(direction: Direction) -> Numbers:
    """What a unit of strength adds to each row."""
    rows: Numbers = direction.vector.astype(np.float64) * np.array(direction.lengths)[:, None]
    return rows


def _read_directions(contents: Contents, generator: AnyGenerator, stated: Stated) -> list[Direction]:
    config = generator.config
    read = partial(
        read_directions,
        contents.data,
        contents.path,
        config.layers,
        config.latent_width,
        config.z_width,
        edits=stated.components or None if contents.family is Family.GANSPACE else None,
        licence=stated.direction_licence or f"not stated; {contents.family.licence}",
    )
    with laid_out(str(contents.path)):
        try:
            return read()
        except SpaceUntold:
            if stated.direction_space is None:
                raise
            return read(space=stated.direction_space)


def _described(held: Sequence[Contents], networks: Networks) -> str:
    side = networks.generator.config.resolution
    families = dict.fromkeys(each.family.label for each in held if each.generator or each.encoder)
    return f"{', '.join(families)}; {side} x {side}."


def _notes(held: Sequence[Contents]) -> dict[str, None]:
    """A note for each family, once."""
    return dict.fromkeys(f"{each.family.label}: {each.family.licence}" for each in held)


def _sources(held: Sequence[Contents]) -> list[str]:
    return [f"{each.path.name} ({each.family.label}, SHA-256 {file_digest(each.path)})" for each in held]
