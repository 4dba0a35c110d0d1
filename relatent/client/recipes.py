"""Recipes: edits kept as small JSON files, to be done again to any image.

    recipe = relatent.Recipe([relatent.Reach([relatent.Goal("smile", to=0.8)])], {"quality": "best"})
    recipe.save("smiling.json")

The same input gives the same bytes: so nothing in a recipe ends by time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from relatent.client import recipe_format, schemas
from relatent.client.errors import InputError
from relatent.client.latents import LatentCode, latent_message
from relatent.client.recipe_format import Kept, Written
from relatent.client.requests import InvertOptions, Operation
from relatent.client.within import Within
from relatent.core import files

MOST_BYTES = 1 << 20
"""Of a recipe's file; the codes that it needs lie in files of their own."""


@dataclass(frozen=True)
class Recipe:
    """An edit that can be done again.

    Attributes:
        operations: in order, as `Client.edit` takes them.
        inversion: how to invert images; of a `mask`, its path. Nothing that ends by time.
        pack: the pack to invert into; empty: the service's only one.
        files: where the codes of operations lie, by their place, such as `operations[0].other`; and that of
            `inversion.start`. Only needed to write the recipe: codes stay in files of their own.
        within: the part of images that the edit is confined to; of its mask, the path.

    Raises:
        InputError: a value is not what the format allows, by its place.
    """

    operations: Sequence[Operation]
    inversion: InvertOptions = field(default_factory=InvertOptions)
    pack: str = ""
    files: Mapping[str, str | os.PathLike[str]] = field(default_factory=dict)
    within: Within | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        # What the format is asked about is whether it could be written, wherever its codes lie.
        schemas.check(self._document(lambda value, where: _stand_in(value)), recipe_format.schema())

    @property
    def options(self) -> InvertOptions:
        """How to invert an image, the pack included, as `Client.edit` takes it."""
        return InvertOptions(**{**self.inversion, "pack": self.pack}) if self.pack else self.inversion

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that it takes codes and a mask from."""
        masks = [self.inversion.get("mask"), None if self.within is None else self.within.mask]
        paths = [cast(str, mask) for mask in masks if mask is not None]
        return tuple(map(Path, [*self.files.values(), *paths]))

    def digest(self) -> str:
        """SHA-256, in hex, of all that decides what it makes: its values, and the bytes of codes and masks.

        Where its files lie, and how they are called, does not count.

        Raises:
            InputError: a mask cannot be read.
        """
        document = self._document(lambda value, where: _digest_of(value, where))
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

    def to_json(self, folder: str | os.PathLike[str] = ".") -> str:
        """The recipe for a file in a folder, from where its codes' paths are written.

        Raises:
            InputError: `files` has no place for a code.
        """

        def written(value: Kept, where: str) -> Any:
            if not isinstance(value, LatentCode):
                return recipe_format.relative(Path(value), Path(folder))
            if where not in self.files:
                raise InputError(f"{where}: expected, in files, the file that holds this code, got none")
            return {"file": recipe_format.relative(Path(self.files[where]), Path(folder))}

        return json.dumps(self._document(written), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, folder: str | os.PathLike[str] = ".") -> Recipe:
        """Read what `to_json` wrote, codes included.

        Args:
            text: the document.
            folder: where the paths in it begin.

        Raises:
            InputError: it is no recipe: the first thing that is wrong, by its place.
            LatentFileError: a code that it needs cannot be read.
        """
        document = schemas.parse(text)
        recipe_format.check_version(document)
        schemas.check(document, recipe_format.schema())
        found: dict[str, Path] = {}

        def code(entry: Mapping[str, str], where: str) -> LatentCode:
            found[where] = Path(folder, entry["file"])
            return LatentCode.load(found[where])

        operations = recipe_format.read_operations(document["operations"], code)
        inversion = recipe_format.read_inversion(document.get("inversion", {}), Path(folder), code)
        within = recipe_format.read_within(document.get("within"), Path(folder))
        return cls(operations, inversion, document.get("pack", ""), found, within)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recipe to a file, whole or not at all, codes by their paths from its folder.

        Raises:
            InputError: `files` has no place for a code, or the file cannot be written.
        """
        text = self.to_json(Path(path).parent)
        try:
            files.write_file(Path(path), text.encode())
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a recipe's file, and the codes that it needs.

        Raises:
            InputError: there is none, or it is no recipe; names the file and the place in it.
        """
        try:
            text = files.read_file(Path(path), MOST_BYTES)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
        try:
            return cls.from_json(text, Path(path).parent)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def _document(self, written: Written) -> dict[str, Any]:
        return recipe_format.document(self.operations, self.inversion, self.pack, self.within, written)


def _stand_in(value: Kept) -> Any:
    return {"file": "?"} if isinstance(value, LatentCode) else "?"


def _digest_of(value: Kept, where: str) -> str:
    if isinstance(value, LatentCode):
        data = latent_message(value).SerializeToString(deterministic=True)
    else:
        try:
            data = files.read_file(Path(value), 1 << 30)
        except OSError as error:
            raise InputError(f"{where}: {value}: {error.strerror or error}") from error
    return hashlib.sha256(data).hexdigest()
