"""Giving a pack what exact edits need: attributes, and how they answer to codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from safetensors.numpy import save

from relatent.core.attributes import Attribute, attribute_entry
from relatent.core.controls import CONTROLS, JACOBIAN, controls_table
from relatent.core.pack import Pack, read_pack
from relatent_export.attributes.graphs import ATTRIBUTE_GRAPH
from relatent_export.attributes.network import ImageNetwork
from relatent_export.attributes.trying import adapt_networks
from relatent_export.directions.controls import Measured, measure_controls
from relatent_export.packs.sealing import reseal
from relatent_export.packs.weights import load_networks


def set_controls(folder: Path, described: Sequence[Attribute] = (), codes: int | None = None) -> Pack:
    """Measure a pack's controls and write them into it.

    Args:
        folder: the pack's.
        described: its attributes as people shall see them; as the manifest has them if left out.
        codes: at how many samples' codes to measure; as many as its size affords if left out.

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
    found = measure_controls(load_networks(folder, pack.compare_size), attributes, codes=codes)
    write_controls(folder, found)
    return read_pack(folder)


def set_attributes(folder: Path, networks: Sequence[ImageNetwork], codes: int | None = None) -> Pack:
    """Give a pack attributes that somebody else's networks read, in place of those of such networks before.

    Args:
        folder: the pack's.
        networks: what reads them.
        codes: at how many samples' codes to measure controls; as many as its size affords if left out.

    Returns:
        The pack as it is now. Its graphs are to be exported anew.

    Raises:
        PackError: it is no pack that can be read.
        ValueError: a network cannot be used, or the pack has an attribute network of its own, whose features
            its methods compare.
        OSError: a file cannot be read or written; names it.
    """
    pack = read_pack(folder)
    held = load_networks(folder, pack.compare_size)
    if held.attributes is not None:
        raise ValueError(f"{folder}: expected a pack without an attribute network of its own")
    adapted = adapt_networks(networks, held.generator)
    names = tuple(attribute.name for attribute in adapted.attributes)
    held = replace(held, attribute_graph=adapted.graph, attribute_names=names)
    found = measure_controls(held, adapted.attributes, codes=codes)
    write_controls(folder, found, {ATTRIBUTE_GRAPH: adapted.graph})
    return read_pack(folder)


def write_controls(folder: Path, found: Measured, files: Mapping[str, bytes] | None = None) -> None:
    """Write what was measured into a pack, and files beside it, with the manifest that seals them.

    Raises:
        PackError: it is no pack that can be read.
        OSError: it cannot be written; names the file.
    """
    files = {**(files or {}), CONTROLS: save({JACOBIAN: found.controls.jacobian})}
    entries = {
        "attributes": [attribute_entry(attribute) for attribute in found.attributes],
        "controls": controls_table(found.controls),
    }
    reseal(folder, "controls", files, entries)
