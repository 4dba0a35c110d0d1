"""Giving a pack a network that tells whom images show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from relatent.core.pack import Pack, read_pack
from relatent_export.attributes.graphs import IDENTITY_GRAPH
from relatent_export.attributes.identity import adapt_identity
from relatent_export.attributes.network import ImageNetwork
from relatent_export.packs.sealing import reseal
from relatent_export.packs.weights import load_networks


def set_identity(folder: Path, network: ImageNetwork) -> Pack:
    """Give a pack somebody else's network that tells identities, in place of such a one before.

    Args:
        folder: the pack's.
        network: images to vectors.

    Returns:
        The pack as it is now. Its graphs are to be exported anew.

    Raises:
        PackError: it is no pack that can be read.
        ValueError: the network cannot be used, or the pack has an identity network of its own.
        OSError: a file cannot be read or written; names it.
    """
    pack = read_pack(folder)
    held = load_networks(folder, pack.compare_size)
    if held.identity is not None:
        raise ValueError(f"{folder}: expected a pack without an identity network of its own")
    graph = adapt_identity(network, held.generator)
    held = replace(held, identity_graph=graph)
    reseal(folder, "identity", {IDENTITY_GRAPH: graph}, {"metrics": list(held.metrics)})
    return read_pack(folder)
