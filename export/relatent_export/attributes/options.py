"""Command-line options that name networks which read attributes, and describe the simple ones."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from relatent_export.attributes.description import read_networks
from relatent_export.attributes.network import Activation, Colour, ImageNetwork, Layout

FILE = "an ONNX image network, or a description of one in TOML (docs/bring-your-own.md)"
"""Of an argument that names one."""
_NUMBERS = ("range", "mean", "std", "size")


def add_files(command: argparse.ArgumentParser) -> None:
    """Add the networks as what a command is about."""
    command.add_argument("attributes", type=Path, nargs="+", metavar="FILE", help=FILE)
    _add_description(command)
    add_codes(command)


def add_optional_files(command: argparse.ArgumentParser) -> None:
    """Add the networks as an option."""
    command.add_argument(
        "--attributes",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help=f"{FILE}, to read attributes with, for exact edits",
    )
    _add_description(command)
    add_codes(command)


def add_identity(command: argparse.ArgumentParser) -> None:
    """Add a network that tells identities, as an option."""
    command.add_argument(
        "--identity",
        type=Path,
        metavar="FILE",
        help=f"{FILE}, whose vectors tell whom an image shows, for a reconstruction's identity",
    )


def described_identity(file: Path) -> ImageNetwork:
    """The network in a file that tells identities.

    Raises:
        ValueError: its description is not what it must be; names the file and the key.
        OSError: the file cannot be read; names it.
    """
    return read_networks([file])[0]


def add_codes(command: argparse.ArgumentParser) -> None:
    """Add how much is measured."""
    command.add_argument(
        "--codes",
        type=int,
        metavar="N",
        help="samples at which to measure how attributes answer (default: 32, fewer for large images)",
    )


def _add_description(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group(
        "of the networks in --attributes that are ONNX files themselves"
        if command.prog.endswith("import")
        else "of the networks that are ONNX files themselves"
    )
    for key, kind, said in (
        ("layout", Layout, "of the input (default: as its shape tells)"),
        ("colour", Colour, "of the input (default: RGB)"),
        ("activation", Activation, "of the output (default: none)"),
    ):
        group.add_argument(f"--attribute-{key}", choices=[str(each) for each in kind], help=said)
    for key, metavar, said in (
        ("size", "PIXELS", "height and width of the input, or one number for both (default: the graph's)"),
        ("range", "LOW,HIGH", "what black and white become (default: 0,1)"),
        ("mean", "NUMBERS", "taken off after that; one, or one for each channel"),
        ("std", "NUMBERS", "divided by after that; one, or one for each channel"),
        ("output", "NAME", "which of the outputs (default: the only one)"),
        ("names", "NAMES", "of the output's numbers, in order"),
    ):
        group.add_argument(f"--attribute-{key}", metavar=metavar, help=f"{said}; commas between several")


def described(options: argparse.Namespace) -> tuple[ImageNetwork, ...]:
    """The networks that a command line names.

    Raises:
        ValueError: a description is not what it must be; names the file and the key.
        OSError: a file cannot be read; names it.
    """
    said: dict[str, Any] = {}
    for key in ("layout", "colour", "activation", "output"):
        if (value := getattr(options, f"attribute_{key}")) is not None:
            said[key] = value
    if options.attribute_names is not None:
        said["names"] = [name.strip() for name in options.attribute_names.split(",")]
    for key in _NUMBERS:
        if (text := getattr(options, f"attribute_{key}")) is not None:
            said[key] = _numbers(key, text)
    if "size" in said:
        said["size"] = said["size"] * 2 if len(said["size"]) == 1 else said["size"]
    if said and not options.attributes:
        raise ValueError(f"--attribute-{next(iter(said))}: expected --attributes besides, got none")
    return read_networks(options.attributes, said) if options.attributes else ()


def _numbers(key: str, text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise ValueError(f"--attribute-{key}: expected numbers with commas between, got {text!r}") from None
