"""What `relatent edit` and `relatent apply` make of one source: files, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relatent.cli import output, sheets, targets
from relatent.cli.inputs import Item
from relatent.cli.printing import one_line
from relatent.client.images import save_image
from relatent.client.latents import SUFFIX
from relatent.client.results import Edit


@dataclass(frozen=True)
class EditFiles:
    """Where the results of one source go: pictures, each beside its code, and a strip of several."""

    pictures: tuple[Path, ...]
    strip: Path | None

    @classmethod
    def of(cls, item: Item, count: int, folder: Path, suffix: str) -> EditFiles:
        """EditFiles of a source that makes so many pictures."""

        def picture(name: str) -> Path:
            return folder / f"{name}.{suffix}"

        if count == 1:
            return cls((picture(item.name),), None)
        numbered = tuple(picture(f"{item.name}.{number:02d}") for number in range(count))
        return cls(numbered, picture(f"{item.name}.strip"))

    @property
    def all(self) -> list[Path]:
        """Every one of them."""
        codes = [picture.with_suffix(SUFFIX) for picture in self.pictures]
        return [*self.pictures, *codes, *([self.strip] if self.strip else [])]


@dataclass(frozen=True)
class WrittenEdit:
    """An edit, and the files that hold it."""

    edit: Edit
    files: EditFiles


def write(edit: Edit, files: EditFiles) -> WrittenEdit:
    """Write an edit's files, each whole or not at all.

    Raises:
        RelatentError, OSError: one of them cannot be written.
    """
    files.pictures[0].parent.mkdir(parents=True, exist_ok=True)
    for file, edited in zip(files.pictures, edit.images, strict=True):
        edited.image.save(file)
        edited.latent.save(file.with_suffix(SUFFIX))
    if files.strip:
        save_image(sheets.strip([edited.image.image for edited in edit.images]), files.strip)
    return WrittenEdit(edit, files)


def lines(item: Item, written: WrittenEdit) -> Iterator[str]:
    """What became of a source, for people."""
    inversion = written.edit.inversion
    inverted = f" (inverted: {output.inversion_line(inversion)})" if inversion else ""
    yield f"{one_line(item.path)}: {one_line(written.files.strip or written.files.pictures[0])}{inverted}"
    for edited in written.edit.images:
        for line in targets.outcome_lines(edited):
            yield f"  {line}"
        if edited.border_error is not None:
            yield f"  border error {255 * edited.border_error:.2f} of 255 levels"


def document(item: Item, written: WrittenEdit) -> dict[str, Any]:
    """The same for programs."""
    inversion = written.edit.inversion
    more: Sequence[dict[str, Any]] = [
        {
            "strength": edited.strength,
            "targets": targets.outcome_documents(edited),
            "border_error": edited.border_error,
        }
        for edited in written.edit.images
    ]
    return {
        "input": item.path,
        "images": [
            {**files, **besides} for files, besides in zip(_pictures(written.files), more, strict=True)
        ],
        "strip": written.files.strip,
        "inversion": output.inversion_document(inversion) if inversion else None,
    }


def kept_document(item: Item, files: EditFiles) -> dict[str, Any]:
    """What is there already of a source, for programs."""
    return {"input": item.path, "images": _pictures(files), "strip": files.strip, "kept": True}


def _pictures(files: EditFiles) -> list[dict[str, Any]]:
    return [{"image": file, "latent": file.with_suffix(SUFFIX)} for file in files.pictures]
