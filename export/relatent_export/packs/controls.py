"""Giving a pack what exact edits need: descriptions of its attributes, and how they answer to codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tomli_w
from safetensors.numpy import save

from relatent.core.attributes import Attribute, attribute_entry
from relatent.core.controls import CONTROLS, JACOBIAN, controls_table
from relatent.core.manifest import FORMAT, MANIFEST, read_manifest
from relatent.core.pack import Pack, file_digest, read_pack
from relatent_export.directions.controls import CODES, Measured, measure_controls
from relatent_export.packs.weights import load_networks
from relatent_export.writing import named, whole_folder


def set_controls(folder: Path, described: Sequence[Attribute] = (), codes: int = CODES) -> Pack:
    """Measure a pack's controls and write them into it.

    Args:
        folder: the pack's.
        described: its attributes as people shall see them; as the manifest has them if left out.
        codes: at how many samples' codes to measure.

    Returns:
        The pack as it is now.

    Raises:
        PackError: it is no pack that can be read.
        ValueError: it has no attributes, or others than are described.
        OSError: it cannot be written; names the file.
    """
    pack = read_pack(folder)
    attributes = tuple(described) or pack.attributes
    if not pack.attributes:
        raise ValueError(f"{folder}: expected a pack that has an attribute network")
    if (names := tuple(each.name for each in attributes)) != pack.attribute_names:
        raise ValueError(f"attributes: expected {', '.join(pack.attribute_names)}, got {', '.join(names)}")
    write_controls(
        folder, measure_controls(load_networks(folder, pack.compare_size), attributes, codes=codes)
    )
    return read_pack(folder)


def write_controls(folder: Path, found: Measured) -> None:
    """Write what was measured into a pack.

    Raises:
        PackError: it is no pack that can be read.
        OSError: it cannot be written; names the file.
    """
    manifest = read_manifest(folder / MANIFEST)
    with whole_folder(folder, f"{manifest['name']}.controls") as partial:
        with named(folder / CONTROLS):
            (partial / CONTROLS).write_bytes(save({JACOBIAN: found.controls.jacobian}))
        manifest |= {
            "format": FORMAT,
            "attributes": [attribute_entry(attribute) for attribute in found.attributes],
            "controls": controls_table(found.controls),
            "files": {**manifest["files"], CONTROLS: file_digest(partial / CONTROLS)},
        }
        with named(folder / MANIFEST):
            (partial / MANIFEST).write_text(tomli_w.dumps(manifest))
