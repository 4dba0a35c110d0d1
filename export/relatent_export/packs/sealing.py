"""Changing a pack: files and the manifest that seals them, all at once or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from relatent.core.manifest import FORMAT, MANIFEST, read_manifest
from relatent.core.pack import file_digest
from relatent_export.writing import named, whole_folder


def reseal(
    folder: Path,
    what: str,
    files: Mapping[str, bytes],
    entries: Mapping[str, Any],
    gone: Collection[str] = (),
) -> None:
    """Write files into a pack, and the manifest with their digests.

    Args:
        folder: the pack's.
        what: is changed, for the name of what lies beside the pack meanwhile.
        files: by name.
        entries: of the manifest, in place of those of the same names.
        gone: names of files that the pack is to have no more.

    Raises:
        PackError: it is no pack that can be read.
        OSError: it cannot be written; names the file.
    """
    manifest: dict[str, Any] = read_manifest(folder / MANIFEST)
    with whole_folder(folder, f"{manifest['name']}.{what}", stale=gone) as partial:
        for name, data in files.items():
            with named(folder / name):
                (partial / name).write_bytes(data)
        digests = {name: file_digest(partial / name) for name in files}
        kept = {name: digest for name, digest in manifest["files"].items() if name not in gone}
        manifest |= {"format": FORMAT, **entries, "files": {**kept, **digests}}
        with named(folder / MANIFEST):
            (partial / MANIFEST).write_text(tomli_w.dumps(manifest))
