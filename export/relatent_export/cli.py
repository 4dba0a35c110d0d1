"""The `relatent-export` command."""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from pathlib import Path

from relatent_export.attributes import options as attribute_options
from relatent_export.commands import analyze as analyze_commands
from relatent_export.commands import attributes as attribute_commands
from relatent_export.commands import coordinates as coordinate_commands
from relatent_export.commands import demo as demo_commands
from relatent_export.commands import directions as direction_commands
from relatent_export.commands import text as text_commands
from relatent_export.families.gathering import told
from relatent_export.progress import tell

_INTERRUPTED = 130
"""What a shell gives for a command that Ctrl-C ended."""


def main(arguments: list[str] | None = None) -> int:
    """Run `relatent-export`; returns the exit code."""
    options = _parser().parse_args(arguments)
    # The exporter reports its progress through these; ours is the progress bar.
    warnings.filterwarnings("ignore", category=FutureWarning, module="copyreg")
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    try:
        return 0 if _run(options) else 1
    except KeyboardInterrupt:
        _tell("interrupted; nothing half-written was left")
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        _tell(f"{error}: pip install 'relatent[export]'")
    except (OSError, ValueError) as error:
        _tell(told(error))
    return 1


def _tell(line: str) -> None:
    tell(f"relatent-export: {line}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="relatent-export", description="Import, train, export and measure packs."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_import(commands)
    inspect = commands.add_parser(
        "inspect",
        help="tell what checkpoints hold, and whether they can be imported",
        description="Tell what checkpoints hold, and whether they can be imported. Exits with 1 if a "
        "file cannot, or if nothing in a folder can.",
    )
    inspect.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="a checkpoint, a direction, or a folder of them"
    )
    verify = commands.add_parser("verify", help="check a pack: every file, and its revision")
    verify.add_argument("pack", type=Path, help="the pack's folder")
    migrate = commands.add_parser("migrate", help="write packs' manifests in today's format")
    migrate.add_argument("packs", type=Path, nargs="+", metavar="PACK", help="a pack's folder")
    methods = commands.add_parser(
        "methods",
        help="give a pack ways of inverting, and measure its domain",
        description="Give a pack ways of inverting, the default first; those that its networks do not allow "
        "are left out. Also measures how far genuine images are from what its generator makes. Export its "
        "graphs anew afterwards.",
    )
    methods.add_argument("pack", type=Path, help="the pack's folder")
    methods.add_argument("names", nargs="*", metavar="METHOD", help="default: all there are")
    attribute_commands.add_commands(commands)
    coordinate_commands.add_commands(commands)
    direction_commands.add_commands(commands)
    text_commands.add_commands(commands)
    analyze_commands.add_commands(commands)
    evaluate = commands.add_parser(
        "evaluate",
        help="measure what a pack's methods make of images",
        description="Invert images by a pack's methods, and measure how close, how plausible and how "
        "editable the codes are, and what they cost: a table, evaluation.json, and plots.",
    )
    evaluate.add_argument("pack", type=Path, help="the pack's folder")
    evaluate.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="of pictures")
    evaluate.add_argument(
        "--methods", nargs="+", default=[], metavar="METHOD", help="default: all of the pack's"
    )
    evaluate.add_argument(
        "--repository",
        type=Path,
        default=Path("model_repository"),
        help="the model repository (default: %(default)s)",
    )
    evaluate.add_argument(
        "--out", type=Path, default=Path("out/evaluate"), help="folder for results (default: %(default)s)"
    )
    _add_repository(commands)
    demo_commands.add_commands(commands)
    return parser


def _add_import(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "import",
        help="make a pack of published checkpoints",
        description="Make a pack of published checkpoints. Files are recognised by what they hold: one with "
        "a generator, and others with an encoder, features to compare, an identity network, directions. No "
        "code in them is run.",
    )
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a file, or a folder of them")
    command.add_argument("--name", required=True, help="of the pack: lower-case letters, digits, underscores")
    command.add_argument(
        "--into", type=Path, default=Path("packs"), help="folder of packs (default: %(default)s)"
    )
    command.add_argument("--description", default="", help="what the pack is, in a sentence")
    command.add_argument("--licence", default="", help="of the weights: an SPDX identifier or a sentence")
    command.add_argument("--provenance", default="", help="where the weights come from")
    command.add_argument(
        "--compare-side",
        type=int,
        default=0,
        metavar="PIXELS",
        help="height and width at which refinement compares images (default: 256, or their own if less)",
    )
    command.add_argument(
        "--space",
        choices=("w", "z"),
        help="of directions of a single vector, where the file's name does not tell",
    )
    command.add_argument("--direction-licence", default="", metavar="LICENCE", help="of the directions")
    command.add_argument(
        "--component",
        action="append",
        default=[],
        metavar="NAME=INDEX:FIRST-LAST",
        help="a GANSpace component as a direction, with the layers that it moves; repeatable (default: all)",
    )
    attribute_options.add_optional_files(command)
    attribute_options.add_identity(command)


def _add_repository(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("repository", help="export a pack's graphs for Triton")
    command.add_argument("pack", type=Path, help="the pack's folder")
    command.add_argument("--into", type=Path, default=Path("model_repository"), help="the model repository")
    command.add_argument(
        "--target",
        choices=("cpu", "cuda", "tensorrt"),
        default="cpu",
        help="what Triton runs the graphs on; tensorrt unrolls refinement's steps (default: %(default)s)",
    )
    command.add_argument(
        "--precision",
        choices=("float32", "fp16"),
        default="float32",
        help="of feature maps and convolutions, on GPUs; all else is float32 (default: %(default)s)",
    )


def _run(options: argparse.Namespace) -> bool:
    """Run a command; returns whether it found all as it should be, where it goes on if not."""
    # Imported here: --help and a wrong option should not wait for torch.
    match options.command:
        case "import":
            _run_import(options)
        case "inspect":
            return _run_inspect(options.files)
        case "verify":
            from relatent_export.packs.verifying import verify_pack

            return verify_pack(options.pack, print, _tell)
        case "migrate":
            from relatent_export.packs.migrating import migrate_pack

            for pack in options.packs:
                print(f"{pack}: {'renewed' if migrate_pack(pack) else 'already as today'}")
        case "methods":
            from relatent_export.objectives.methods import METHODS
            from relatent_export.packs.methods import set_methods

            print(f"{options.pack}: {', '.join(set_methods(options.pack, options.names or [*METHODS]))}")
        case "controls" | "attributes" | "identity":
            print(attribute_commands.run(options))
        case "text" | "scores":
            print(text_commands.run(options))
        case "directions":
            for line in direction_commands.run(options):
                print(line)
        case "coordinates":
            for line in coordinate_commands.run(options):
                print(line)
        case "analyze":
            print(analyze_commands.run(options))
        case "evaluate":
            print(_run_evaluate(options))
        case "repository":
            from relatent_export.compile.precision import Precision
            from relatent_export.triton.repository import write_repository
            from relatent_export.triton.targets import Target

            target, precision = Target(options.target), Precision(options.precision)
            for folder in write_repository(options.pack, options.into, target, precision):
                print(folder)
        case "demo":
            demo_commands.run(options)
    return True


def _run_evaluate(options: argparse.Namespace) -> str:
    from relatent.core.pack import read_pack
    from relatent_export.analysis.evaluating import evaluate
    from relatent_export.analysis.refining import ExportedPack
    from relatent_export.demo.judge import judge_beside
    from relatent_export.packs.weights import load_networks

    pack = read_pack(options.pack)
    networks = load_networks(options.pack, pack.compare_size)
    exported, judge = ExportedPack(pack, options.repository), judge_beside(options.pack)
    return evaluate(exported, networks, options.images, options.methods, options.out, judge)


def _run_inspect(files: list[Path]) -> bool:
    from relatent_export.families.inspecting import inspect_all

    shown: list[str] = []

    def show(description: str) -> None:
        # At once, so that it stands before what is told of the next file.
        print(f"\n{description}" if shown else description, flush=True)
        shown.append(description)

    return inspect_all(files, show, _tell)


def _run_import(options: argparse.Namespace) -> None:
    from relatent.core.spaces import Space
    from relatent_export.directions.formats.ganspace import read_edits
    from relatent_export.directions.formats.published import DirectionChoices
    from relatent_export.families.importing import Stated, import_pack

    stated = Stated(
        description=options.description,
        licence=options.licence,
        provenance=options.provenance,
        compare_size=options.compare_side,
        directions=DirectionChoices(
            space=Space(options.space) if options.space else None,
            licence=options.direction_licence,
            edits=read_edits(options.component),
        ),
        attributes=attribute_options.described(options),
        identity=attribute_options.described_identity(options.identity) if options.identity else None,
        codes=options.codes,
    )
    print(import_pack(options.files, options.into, options.name, stated, _tell))


if __name__ == "__main__":
    sys.exit(main())
