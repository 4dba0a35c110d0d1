"""Checking that a pack is whole: what a pack must be to travel."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from relatent.core.manifest import MANIFEST
from relatent.core.pack import LATENTS, Pack, file_digest, read_pack
from relatent_export.attributes.graphs import read_graph
from relatent_export.nets.networks import Networks
from relatent_export.packs.moves import move_file
from relatent_export.packs.weights import JUDGE, load_networks

_TENSORS, _GRAPHS, _TABLES = ".safetensors", ".onnx", ".json"
"""What a pack's own files may be: numbers, operators and numbers, what a tokenizer is made of. No code."""
_DOCUMENTS = (".md", ".json", ".png", ".jpg", ".txt")
"""What may lie beside a pack's own files: it means nothing to any program."""


def verify_pack(folder: Path, show: Callable[[str], None], tell: Callable[[str], None]) -> bool:
    """Check every file of a pack against its manifest, and the manifest against the weights.

    Args:
        folder: the pack's.
        show: takes a sentence that says what was checked, of a pack that is whole.
        tell: takes a line for each thing that is wrong.

    Returns:
        Whether nothing is.

    Raises:
        PackError: it cannot be read.
    """
    pack = read_pack(folder)
    listed: dict[str, str] = tomllib.loads((folder / MANIFEST).read_text())["files"]
    problems = [problem for name in sorted(listed) for problem in _problems(folder, name, listed[name])]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (*listed, MANIFEST, JUDGE) and path.suffix not in _DOCUMENTS:
            problems.append(f"{path}: not in the manifest")
    if not problems:
        problems = _disagreements(pack, load_networks(folder, pack.compare_size), folder / MANIFEST)
        problems += [
            f"{folder / move_file(name)}: not in the manifest, and {name!r} is a learned direction"
            for name, direction in pack.directions.items()
            if direction.learned and move_file(name) not in listed
        ]
    for problem in problems:
        tell(problem)
    if not problems:
        show(f"{folder}: {len(listed)} files as the manifest has them, revision {pack.revision}")
    return not problems


def _disagreements(pack: Pack, networks: Networks, manifest: Path) -> list[str]:
    """What the manifest says that the weights do not have."""
    config = networks.generator.config
    facts = {
        "revision": (pack.revision, networks.revision),
        "resolution": (pack.resolution, config.resolution),
        "latent.layers": (pack.layers, config.layers),
        "latent.width": (pack.width, config.latent_width),
        "latent.z_width": (pack.z_width, config.z_width),
        "encoder": (pack.encoder, networks.encoder is not None),
        "metrics": (pack.metrics, networks.metrics),
        "attributes": (pack.attribute_names, networks.attribute_names),
        "text": (pack.text is not None, networks.image_text is not None),
    }
    problems = [
        f"{manifest}: {name}: the manifest says {said}, the weights have {had}"
        for name, (said, had) in facts.items()
        if said != had
    ]
    if not np.array_equal(pack.mean, networks.generator.mean_code().numpy()):
        problems.append(f"{manifest.parent / LATENTS}: mean: it is not that of the weights")
    return problems


def _problems(folder: Path, name: str, digest: str) -> list[str]:
    path = folder / name
    if not path.is_file():
        return [f"{path}: missing"]
    problems = []
    if path.suffix not in (_TENSORS, _GRAPHS, _TABLES):
        kinds = f"{_TENSORS}, {_GRAPHS} or {_TABLES}"
        problems.append(f"{path}: expected a {kinds} file, which alone hold no code")
    if file_digest(path) != digest:
        problems.append(f"{path}: SHA-256 differs from the manifest's")
    elif path.suffix == _GRAPHS:
        try:
            read_graph(path)
        except ValueError as error:
            problems.append(str(error))
    return problems
