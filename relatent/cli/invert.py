"""`relatent invert`: images in, latent codes and reconstructions out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from relatent.cli import arguments, inversion_arguments, output
from relatent.cli.image_batch import ImageCommand, add_images
from relatent.client.blocking import Client
from relatent.client.results import Inversion
from relatent.client.resuming import ProgressCallback


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "invert",
        help="find the latent codes of images",
        description="Find the latent codes of images. Each gets NAME.safetensors, the code, and a picture "
        "of its reconstruction.",
    )
    add_images(parser)
    arguments.add_out(parser, "out/invert")
    arguments.add_pack(parser)
    inversion_arguments.add_inversion(parser)
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Invert the images; 1 where one of them failed."""
    options = inversion_arguments.invert_options(args)
    options["output_format"] = args.format

    def make(client: Client, image: Path, progress: ProgressCallback) -> Inversion:
        return client.invert(image, progress=progress, **options)

    command = ImageCommand(
        title="inverting",
        make=make,
        latent=lambda inversion: inversion.latent,
        picture=lambda inversion: inversion.reconstruction,
        kind="reconstruction",
        line=output.inversion_line,
        document=output.inversion_document,
    )
    return command.run(args)
