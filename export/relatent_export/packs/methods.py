"""Giving a pack other methods of inverting: its manifest alone, for its weights stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tomli_w

from relatent.core.domain import domain_table
from relatent.core.manifest import FORMAT, MANIFEST, read_manifest
from relatent.core.methods import StartRule
from relatent.core.pack import Pack, read_pack
from relatent.core.spaces import Space
from relatent_export.analysis.domain import measure_domain
from relatent_export.objectives.methods import METHODS, available
from relatent_export.packs.pack import method_tables
from relatent_export.packs.weights import load_networks
from relatent_export.writing import named, whole_file


def set_methods(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Write a pack's manifest with these methods, and with what its domain measures.

    The default's step sizes and weights hold for all, and what was measured of a method that it has stays.

    Args:
        folder: the pack's.
        names: of methods, the default first.

    Returns:
        The methods that the pack has now: those that its networks allow.

    Raises:
        PackError: it is no pack that can be read.
        ValueError: there is no method of a name, or the pack's networks allow none.
        OSError: the manifest cannot be written; names the file.
    """
    if unknown := [name for name in names if name not in METHODS]:
        raise ValueError(f"methods: expected some of {', '.join(METHODS)}, got {unknown[0]!r}")
    pack = read_pack(folder)
    networks = load_networks(folder, pack.compare_size)
    found = available(networks, names)
    if not found:
        raise ValueError(f"methods: the networks of {folder} allow none of {', '.join(names)}")
    manifest = read_manifest(folder / MANIFEST)
    kept = [Space.STYLE] if Space.STYLE in pack.spaces else []
    tables = method_tables(networks, found, _rates(pack), pack.default_method.terms, kept)
    for name, table in tables["methods"].items():
        if name in pack.methods and pack.methods[name].measured:
            table["measured"] = dict(pack.methods[name].measured)
    manifest |= tables
    if (domain := measure_domain(networks)) is not None:
        manifest["domain"] = domain_table(domain)
    with named(folder / MANIFEST), whole_file(folder / MANIFEST) as partial:
        partial.write_text(tomli_w.dumps({**manifest, "format": FORMAT}))
    return found


def _rates(pack: Pack) -> dict[str, float]:
    """Step sizes from the encoder's code and from the mean."""
    rates = pack.default_method.rates
    return {"encoder": rates[StartRule.LATENT], "mean": rates[StartRule.MEAN]}
