"""What results were made from, kept beside them: so that only what is missing is made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from relatent.cli.edited import EditFiles
from relatent.core import files

FOLDER = ".relatent"
"""Where records lie, in the folder for results; hidden, so never taken for an input."""

_VERSION = 1
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Record:
    """What the results of one source were made from. Digests are SHA-256 in hex.

    Attributes:
        recipe: digest of the recipe.
        source: digest of the source's bytes.
        pack: name of the pack that the results' codes belong to.
        revision: that pack's.
        results: digests of the results by their files' names.
        version: of this form.
    """

    recipe: str
    source: str
    pack: str
    revision: str
    results: Mapping[str, str]
    version: int = _VERSION

    @classmethod
    def of(cls, recipe: str, source: str, pack: str, revision: str, made: EditFiles) -> Record:
        """The record of results that were just written.

        Raises:
            OSError: one of them cannot be read.
        """
        return cls(recipe, source, pack, revision, _digests(made))

    def save(self, path: Path) -> None:
        """Write the record, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_file(path, (json.dumps(asdict(self), indent=2) + "\n").encode())

    def holds(self, recipe: str, source: str, revisions: Mapping[str, str], expected: EditFiles) -> bool:
        """Whether the results that are there are those of a recipe and a source, untouched.

        Args:
            recipe: its digest.
            source: its digest.
            revisions: of the packs that the service has, by name.
            expected: the files that the recipe would make.
        """
        made_of = (self.version, self.recipe, self.source) == (_VERSION, recipe, source)
        if not made_of or revisions.get(self.pack) != self.revision:
            return False
        try:
            return self.results == _digests(expected)
        except OSError:
            return False


def load(path: Path) -> Record | None:
    """Read a record; None where there is none, or none that can be read: what it is of is made again."""
    try:
        record = Record(**json.loads(files.read_file(path, _MOST_BYTES)))
    except (OSError, ValueError, TypeError):
        return None
    return record if isinstance(record.pack, str) else None


def digest(path: Path) -> str:
    """SHA-256, in hex, of a file.

    Raises:
        OSError: it cannot be read.
    """
    return hashlib.sha256(files.read_file(path, _MOST_BYTES)).hexdigest()


def _digests(made: EditFiles) -> dict[str, str]:
    return {file.name: digest(file) for file in made.all}
