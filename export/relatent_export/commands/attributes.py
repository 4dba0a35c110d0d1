"""The commands that give a pack networks of somebody else's, and measure how its attributes answer."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from relatent_export.attributes import options as described


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them."""
    controls = commands.add_parser("controls", help="measure anew how a pack's attributes answer to codes")
    controls.add_argument("pack", type=Path, help="the pack's folder")
    described.add_codes(controls)
    attributes = commands.add_parser(
        "attributes",
        help="give a pack attributes",
        description="Give a pack attributes that any ONNX image networks read, in place of such ones before, "
        "and measure how they answer to codes. Export its graphs anew afterwards.",
    )
    attributes.add_argument("pack", type=Path, help="the pack's folder")
    described.add_files(attributes)
    identity = commands.add_parser(
        "identity",
        help="give a pack a network that tells identities",
        description="Give a pack any ONNX network that makes vectors of images, in place of such a one "
        "before: the cosine of two is a reconstruction's identity. Export its graphs anew afterwards.",
    )
    identity.add_argument("pack", type=Path, help="the pack's folder")
    identity.add_argument("identity", type=Path, metavar="FILE", help=described.FILE)


def run(options: argparse.Namespace) -> str:
    """Do what one of them asks for; returns what to say of it.

    Raises:
        PackError, ValueError: it cannot be done.
        OSError: a file cannot be read or written; names it.
    """
    from relatent_export.packs.controls import set_attributes, set_controls
    from relatent_export.packs.identity import set_identity

    if options.command == "identity":
        network = described.described_identity(options.identity)
        return f"{options.pack}: {', '.join(set_identity(options.pack, network).metrics)}"
    networks = () if options.command == "controls" else described.described(options)
    change = partial(set_attributes, networks=networks) if networks else set_controls
    return f"{options.pack}: {', '.join(change(options.pack, codes=options.codes).attribute_names)}"
