"""Checking that a pack is whole: what a pack must be to travel."""

from __future__ import annotations

import tomllib
from pathlib import Path

from export.weights import load_networks
from relatent.pack import MANIFEST, PackError, file_digest, read_pack

_TENSORS = ".safetensors"
_DOCUMENTS = (".md", ".json", ".png", ".jpg", ".txt")
"""What may lie beside a pack's own files: it means nothing to any program."""


def verify_pack(folder: Path) -> str:
    """Check every file of a pack against its manifest, and its revision against its weights.

    Returns:
        A sentence that says what was checked.

    Raises:
        PackError: what is wrong, a line each.
    """
    pack = read_pack(folder)
    listed: dict[str, str] = tomllib.loads((folder / MANIFEST).read_text())["files"]
    problems = [problem for name in sorted(listed) for problem in _problems(folder, name, listed[name])]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (*listed, MANIFEST) and path.suffix not in _DOCUMENTS:
            problems.append(f"{path}: not in the manifest")
    if not problems and (revision := load_networks(folder).revision) != pack.revision:
        problems.append(
            f"{folder / MANIFEST}: revision: the manifest says {pack.revision}, the weights have {revision}"
        )
    if problems:
        raise PackError("\n".join(problems))
    return f"{folder}: {len(listed)} files as the manifest has them, revision {pack.revision}"


def _problems(folder: Path, name: str, digest: str) -> list[str]:
    path = folder / name
    if not path.is_file():
        return [f"{path}: missing"]
    problems = []
    if path.suffix != _TENSORS:
        problems.append(f"{path}: expected a {_TENSORS} file, the only kind that holds no code")
    if file_digest(path) != digest:
        problems.append(f"{path}: SHA-256 differs from the manifest's")
    return problems
