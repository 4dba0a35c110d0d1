"""The commands that give a pack an image-text pair, and attributes that texts score."""

from __future__ import annotations

import argparse
import re
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them."""
    text = commands.add_parser(
        "text",
        help="give a pack an image-text pair, for edits by texts",
        description="Give a pack any pair of ONNX networks that embed images and texts as CLIP does, in "
        "place of one before, and measure what style channels change of images' vectors. Export its graphs "
        "anew afterwards.",
    )
    text.add_argument("pack", type=Path, help="the pack's folder")
    text.add_argument(
        "model",
        type=Path,
        metavar="FOLDER",
        help="with image and text encoder, tokenizer.json and preprocessor_config.json (docs/text.md)",
    )
    text.add_argument("--neutral", metavar="TEXT", help="what the pack's images show (default: a person)")
    text.add_argument("--beta", type=float, metavar="RELEVANCE", help="of style channels that count in edits")
    text.add_argument("--strength", type=float, help="of edits that tell none")
    scores = commands.add_parser(
        "scores",
        help="give a pack attributes that texts score",
        description="Give a pack with an image-text pair attributes that texts score, in place of such ones "
        "before, and measure how they answer to codes. Export its graphs anew afterwards.",
    )
    scores.add_argument("pack", type=Path, help="the pack's folder")
    scores.add_argument(
        "scores",
        type=_score,
        nargs="+",
        metavar="NAME=PROMPT",
        help='such as glasses="a person with glasses"',
    )
    scores.add_argument("--neutral", metavar="TEXT", help="what scores start from (default: the pack's)")
    scores.add_argument("--codes", type=int, metavar="N", help="samples at which to measure how they answer")


def run(options: argparse.Namespace) -> str:
    """Do what one of them asks for; returns what to say of it.

    Raises:
        PackError, ValueError: it cannot be done.
        OSError: a file cannot be read or written; names it.
    """
    from relatent_export.packs.text import BETA, NEUTRAL, STRENGTH, set_scores, set_text
    from relatent_export.text.image_text import read_image_text

    if options.command == "scores":
        if len({name for name, _ in options.scores}) < len(options.scores):
            raise ValueError(
                f"scores: expected each name once, got {', '.join(name for name, _ in options.scores)}"
            )
        pack = set_scores(options.pack, dict(options.scores), options.neutral, options.codes)
        return f"{options.pack}: {', '.join(pack.attribute_names)}"
    pair = read_image_text(options.model)
    set_text(
        options.pack,
        pair,
        NEUTRAL if options.neutral is None else options.neutral,
        BETA if options.beta is None else options.beta,
        STRENGTH if options.strength is None else options.strength,
    )
    return f"{options.pack}: texts of {pair.context} tokens at most, vectors of {pair.width} numbers"


def _score(text: str) -> tuple[str, str]:
    name, _, prompt = text.partition("=")
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or not prompt.strip():
        raise argparse.ArgumentTypeError(
            f"expected NAME=PROMPT, a name of lower-case letters, digits and underscores, got {text!r}"
        )
    return name, prompt
