"""The `relatent-export` command."""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run `relatent-export`; returns the exit code."""
    options = _parser().parse_args(arguments)
    # The exporter reports its progress through these; ours is the progress bar.
    warnings.filterwarnings("ignore", category=FutureWarning, module="copyreg")
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    try:
        _run(options)
    except ModuleNotFoundError as error:
        print(f"relatent-export: {error}: pip install 'relatent[export]'", file=sys.stderr)
        return 1
    except (FileNotFoundError, ValueError) as error:
        print(f"relatent-export: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="relatent-export", description="Train, export and measure packs.")
    commands = parser.add_subparsers(dest="command", required=True)
    repository = commands.add_parser("repository", help="export a pack's graphs for Triton")
    repository.add_argument("pack", type=Path, help="the pack's folder")
    repository.add_argument(
        "--into", type=Path, default=Path("model_repository"), help="the model repository"
    )
    repository.add_argument(
        "--iterate",
        choices=("loop", "unroll"),
        default="loop",
        help="loop: an ONNX Loop, for CPU and CUDA; unroll: for TensorRT (default: %(default)s)",
    )
    demo = commands.add_parser("demo", help="make the demo pack")
    demo.add_argument(
        "step",
        choices=("train", "fit", "export", "report"),
        help="train the networks; fit the directions and write the pack; export its graphs; measure it",
    )
    demo.add_argument(
        "--work", type=Path, default=Path("out/training"), help="checkpoints (default: %(default)s)"
    )
    demo.add_argument("--pack", type=Path, default=Path("packs/demo"), help="the pack (default: %(default)s)")
    demo.add_argument(
        "--repository",
        type=Path,
        default=Path("model_repository"),
        help="the model repository (default: %(default)s)",
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    # Imported here: --help and a wrong option should not wait for torch.
    if options.command == "repository":
        from export.iterate import Iterate
        from export.repository import write_repository

        for folder in write_repository(options.pack, options.into, Iterate(options.iterate)):
            print(folder)
        return
    from export.demo import commands

    if options.step == "train":
        commands.train(options.work)
    elif options.step == "fit":
        commands.fit(options.work, options.pack)
    elif options.step == "export":
        commands.export(options.pack, options.repository)
    else:
        print(commands.report(options.pack, options.repository))


if __name__ == "__main__":
    sys.exit(main())
