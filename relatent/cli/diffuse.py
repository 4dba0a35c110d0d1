"""`relatent diffuse`: a part of one image put into another, and one coherent image made of both."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from relatent.cli import arguments, inversion_arguments, output, words
from relatent.cli.inputs import prepare_out, refuse_overwriting
from relatent.cli.printing import one_line, say
from relatent.client.errors import InputError
from relatent.client.images import writable_format
from relatent.client.latents import SUFFIX
from relatent.client.within import Within

_OUT = Path("out/diffuse.png")


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "diffuse",
        help="put a part of one image into another",
        description="Put the part of TARGET that --within says into CONTEXT, and make one coherent image of "
        f"both (semantic diffusion). Writes the picture, and beside it NAME{SUFFIX}, the code of the "
        "generator's image.",
        epilog="relatent diffuse face.png portrait.png --within mask.png --feather 2 --blend -o both.png",
    )
    parser.add_argument("target", type=Path, metavar="TARGET", help="the image whose part is kept")
    parser.add_argument("context", type=Path, metavar="CONTEXT", help="the image that all else follows")
    parser.add_argument(
        "--within", type=Path, required=True, metavar="MASK", help="white where TARGET is kept"
    )
    parser.add_argument(
        "--feather",
        type=words.norm,
        metavar="PIXELS",
        help="how soft a --blend is: standard deviation of the mask's blur",
    )
    parser.add_argument(
        "--blend",
        action="store_true",
        help="keep TARGET's and CONTEXT's own pixels, but over the border between them",
    )
    parser.add_argument("-o", "--out", type=Path, default=_OUT, metavar="FILE", help="default: %(default)s")
    arguments.add_pack(parser)
    inversion_arguments.add_inversion(parser, ("--mask", "--prompt", "--neutral", "--no-cache"))
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Diffuse, and write what came of it."""
    _check(args)
    out, code = args.out, args.out.with_suffix(SUFFIX)
    writable_format(out)  # before any work is done
    inputs = [args.target, args.context, args.within, *inversion_arguments.inversion_files(args)]
    refuse_overwriting(inputs, [out, code])
    options = inversion_arguments.invert_options(args)
    within = Within(args.within, args.feather or 0.0)
    with arguments.client(args) as client:
        prepare_out(out.parent)
        made = client.diffuse(args.target, within, args.context, blend=args.blend, **options)
    made.image.save(out)
    made.inversion.latent.save(code)
    if args.json:
        output.print_json(
            {
                "target": args.target,
                "context": args.context,
                "image": out,
                "latent": code,
                "border_error": made.border_error,
                "stitched_border_error": made.stitched_border_error,
                "inversion": output.inversion_document(made.inversion),
            }
        )
        return 0
    say(f"{one_line(out)}: {output.inversion_line(made.inversion)}")
    errors = (255 * made.border_error, 255 * made.stitched_border_error)
    say("  border error {:.2f} of 255 levels; {:.2f} where the two are only stitched".format(*errors))
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.blend and not args.feather:
        raise InputError("--blend: expected a --feather above 0 besides, which it is as wide as")
    if args.feather and not args.blend:
        raise InputError("--feather: expected --blend besides, which it softens")
