"""The command that makes the demo pack, step by step."""

from __future__ import annotations

import argparse
from pathlib import Path

_STEPS = (
    *("train", "fit", "directions", "forced-encoder", "export", "judge", "text", "without-glasses"),
    "report",
)
"""Of making the demo pack."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it."""
    demo = commands.add_parser("demo", help="make the demo pack")
    demo.add_argument(
        "step",
        choices=_STEPS,
        help="train the networks; fit the directions and write the pack; fit its directions alone; train its "
        "encoder on for codes that are like random ones; export its graphs; train what judges images in "
        "reports; train what tells images by texts; train its generator on without glasses, for a bench; "
        "measure it",
    )
    demo.add_argument(
        "--work", type=Path, default=Path("out/training"), help="checkpoints (default: %(default)s)"
    )
    demo.add_argument("--pack", type=Path, default=Path("packs/demo"), help="the pack (default: %(default)s)")
    demo.add_argument(
        "--repository", type=Path, default=Path("model_repository"), help="default: %(default)s"
    )
    demo.add_argument(
        "--generator",
        type=Path,
        default=Path("bench/without_glasses.safetensors"),
        help="that without-glasses writes (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> None:
    """Take a step.

    Raises:
        PackError, ValueError: it cannot be done.
        OSError: a file cannot be read or written; names it.
    """
    from relatent_export.demo import commands

    if options.step == "train":
        commands.train(options.work)
    elif options.step == "fit":
        commands.fit(options.work, options.pack)
    elif options.step == "directions":
        commands.directions(options.pack)
    elif options.step == "forced-encoder":
        print(commands.forced_encoder(options.work, options.pack))
    elif options.step == "judge":
        print(commands.judge(options.work, options.pack))
    elif options.step == "text":
        print(commands.text(options.work, options.pack))
    elif options.step == "without-glasses":
        print(commands.without_glasses(options.work, options.pack, options.generator))
    elif options.step == "export":
        commands.export(options.pack, options.repository)
    else:
        print(commands.report(options.pack, options.repository))
