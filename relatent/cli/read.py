"""`relatent read`: what a pack's attribute network reads off images."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relatent.cli import arguments, output
from relatent.cli.batch import exit_code, work_through
from relatent.cli.inputs import Item
from relatent.cli.printing import one_line, say
from relatent.client.blocking import Client
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.resuming import ProgressCallback
from relatent.client.transfers import AttributeReading
from relatent.core.fit import Fit


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "read",
        help="read attributes off images",
        description="Read attributes off images as they are, or off those of latent codes, in the units that "
        "edit --to takes.",
        epilog="relatent read portrait.png",
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar=f"IMAGE|FILE{SUFFIX}")
    parser.add_argument("-j", "--jobs", type=arguments.whole, default=8, help="files at a time (default: 8)")
    parser.add_argument(
        "--fit", choices=[fit.value for fit in Fit], help="what to do with an image that is not square"
    )
    arguments.add_pack(parser)
    arguments.add_connection(parser, timeout=60.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read the images; 1 where one of them failed."""
    items = [Item(path, path.name) for path in dict.fromkeys(args.sources)]
    with arguments.client(args, len(items)) as client:
        arguments.check_service(client, args)

        def work(item: Item, _: ProgressCallback) -> Mapping[str, AttributeReading]:
            return readings_of(client, item.path, args.pack, args.fit)

        outcomes = work_through(items, work, title="reading", jobs=args.jobs, client=client)
    done = [(outcome.item.path, outcome.value) for outcome in outcomes if outcome.value is not None]
    if args.json:
        results = [
            {
                "input": path,
                "readings": {name: {"value": each.value, "unit": each.unit} for name, each in read.items()},
            }
            for path, read in done
        ]
        output.print_json({"results": results, "failed": output.failures(outcomes)})
    else:
        for path, read in done:
            rows = [[name, f"{each.value:.3g}", each.unit] for name, each in read.items()]
            say(output.table([one_line(path), "value", "unit"], rows))
    return exit_code(outcomes)


def readings_of(client: Client, path: Path, pack: str, fit: str | None) -> Mapping[str, AttributeReading]:
    """What a picture reads, or the image of a latent code, which says its pack itself.

    Raises:
        RelatentError: it cannot be read.
    """
    if path.suffix.lower() != SUFFIX:
        return client.read(path, pack=pack, fit=fit)
    code = LatentCode.load(path)
    return client.read(client.synthesize([code])[0].image, pack=code.pack)
