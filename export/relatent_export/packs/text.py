"""Giving a pack an image-text pair, for edits by texts, and attributes that texts score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from safetensors.numpy import save

from relatent.core.attributes import Attribute
from relatent.core.manifest import MANIFEST, read_manifest
from relatent.core.methods import TEXT_INPUT
from relatent.core.pack import Pack, read_pack
from relatent.core.text import DEVIATION, RELEVANCE, TEXT, TextModel, text_table
from relatent_export.attributes.graphs import ATTRIBUTE_GRAPH, with_names
from relatent_export.directions.controls import measure_controls
from relatent_export.directions.relevance import measure_relevance
from relatent_export.nets.image_text import ImageText
from relatent_export.packs.controls import write_controls
from relatent_export.packs.pair import pair_files
from relatent_export.packs.sealing import reseal
from relatent_export.packs.styles import with_styles
from relatent_export.packs.weights import load_networks
from relatent_export.text.encoding import embed_texts
from relatent_export.text.scores import score_graph

NEUTRAL, BETA, STRENGTH = "a person", 0.2, 1.0
"""Of edits by texts unless told otherwise."""


def set_text(
    folder: Path, pair: ImageText, neutral: str = NEUTRAL, beta: float = BETA, strength: float = STRENGTH
) -> Pack:
    """Give a pack a pair, in place of one before, and codes of S, which texts move.

    Args:
        folder: the pack's.
        pair: of networks.
        neutral: what the pack's images show in general.
        beta: the least relevance of a channel that counts unless an edit says otherwise, above 0, below 1.
        strength: how far an edit goes unless it says so, above 0.

    Returns:
        The pack as it is now. Its graphs are to be exported anew.

    Raises:
        PackError: it is no pack that can be read.
        ValueError: a number is out of its range, or the text is empty or too long.
        OSError: a file cannot be read or written; names it.
    """
    if not 0 < beta < 1:
        raise ValueError(f"--beta: expected a relevance above 0 and below 1, got {beta:g}")
    if not 0 < strength < math.inf:
        raise ValueError(f"--strength: expected a finite number above 0, got {strength:g}")
    pack = read_pack(folder)
    networks = load_networks(folder, pack.compare_size)
    embed_texts(pair, [neutral])
    found = measure_relevance(networks, pair)
    model = TextModel(
        pair.tokenizer,
        pair.context,
        pair.pad,
        pair.width,
        neutral,
        beta,
        strength,
        found.relevance,
        found.deviation,
    )
    tensors = save({RELEVANCE: found.relevance, DEVIATION: found.deviation})
    entries = {
        "text": text_table(model),
        "spaces": with_styles(folder, networks),
        "methods": _widened(folder, pair.width),
    }
    reseal(folder, "text", {TEXT: tensors, **pair_files(pair)}, entries)
    return read_pack(folder)


def _widened(folder: Path, width: int) -> dict[str, Any]:
    """The manifest's methods; those that take a text take one of a width."""
    methods: dict[str, Any] = read_manifest(folder / MANIFEST)["methods"]
    for method in methods.values():
        if TEXT_INPUT in method.get("inputs", {}):
            method["inputs"][TEXT_INPUT]["shape"] = [width]
    return methods


def set_scores(
    folder: Path, prompts: Mapping[str, str], neutral: str | None = None, codes: int | None = None
) -> Pack:
    """Give a pack attributes that texts score, in place of those of somebody else's networks before.

    Args:
        folder: the pack's.
        prompts: what each scores, by the attribute's name.
        neutral: what scores start from; the pack's if left out.
        codes: at how many samples' codes to measure controls; as many as its size affords if left out.

    Returns:
        The pack as it is now. Its graphs are to be exported anew.

    Raises:
        PackError: it is no pack that can be read.
        ValueError: it has no pair, or an attribute network of its own, whose features its methods compare; or
            a text is empty or too long.
        OSError: a file cannot be read or written; names it.
    """
    pack = read_pack(folder)
    networks = load_networks(folder, pack.compare_size)
    if networks.image_text is None or pack.text is None:
        raise ValueError(f"{folder}: expected a pack that has an image-text pair (relatent-export text)")
    if networks.attributes is not None:
        raise ValueError(f"{folder}: expected a pack without an attribute network of its own")
    pairs = [(prompt, neutral or pack.text.neutral) for prompt in prompts.values()]
    graph = score_graph(networks.image_text, pairs, networks.generator.config.resolution)
    model = with_names(onnx.ModelProto.FromString(graph), [*prompts])
    graph = model.SerializeToString(deterministic=True)
    networks = replace(networks, attribute_graph=graph, attribute_names=tuple(prompts))
    attributes = tuple(Attribute(name, prompt) for name, prompt in prompts.items())
    found = measure_controls(networks, attributes, codes=codes)
    write_controls(folder, found, {ATTRIBUTE_GRAPH: graph})
    return read_pack(folder)
