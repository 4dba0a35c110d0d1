"""Commands that make a code and a picture of every image they are handed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from relatent.cli import arguments, inversion_arguments, output
from relatent.cli.batch import Outcome, exit_code, work_through
from relatent.cli.folders import PassedOver
from relatent.cli.inputs import Item, collect, prepare_out, refuse_overwriting
from relatent.cli.printing import one_line, say
from relatent.client.blocking import Client
from relatent.client.images import Picture
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.resuming import ProgressCallback

T = TypeVar("T")


@dataclass(frozen=True)
class ImageCommand(Generic[T]):
    """What such a command does, and how it tells of it.

    Attributes:
        title: of the progress bar.
        make: what it asks of the service for an image.
        latent: the code of what came of it.
        picture: its picture.
        kind: what the picture is called in JSON.
        line: what came of it in one line.
        document: what came of it as JSON holds it, without files.
    """

    title: str
    make: Callable[[Client, Path, ProgressCallback], T]
    latent: Callable[[T], LatentCode]
    picture: Callable[[T], Picture]
    kind: str
    line: Callable[[T], str]
    document: Callable[[T], dict[str, Any]]

    def run(self, args: argparse.Namespace) -> int:
        """Work on the images of a command's arguments; 1 where one of them failed."""
        found = collect(args.images, args.out)
        items = found.items
        inputs = [*(item.path for item in items), *inversion_arguments.inversion_files(args)]
        refuse_overwriting(inputs, (file for item in items for file in _results(item, args)))
        with arguments.client(args, len(items)) as client:
            arguments.check_service(client, args)
            prepare_out(args.out)
            output.tell_passed_over(found.passed_over)

            def work(item: Item, progress: ProgressCallback) -> T:
                made = self.make(client, item.path, progress)
                code, picture = _results(item, args)
                code.parent.mkdir(parents=True, exist_ok=True)
                self.latent(made).save(code)
                self.picture(made).save(picture)
                return made

            outcomes = work_through(items, work, title=self.title, jobs=args.jobs, client=client)
        self._report(outcomes, found.passed_over, args)
        return exit_code(outcomes)

    def _report(
        self, outcomes: list[Outcome[T]], passed: Sequence[PassedOver], args: argparse.Namespace
    ) -> None:
        done = [(outcome.item, outcome.value) for outcome in outcomes if outcome.value is not None]
        if args.json:
            results = []
            for item, made in done:
                code, picture = _results(item, args)
                files = {"input": item.path, "latent": code, self.kind: picture}
                results.append(files | self.document(made))
            failed, skipped = output.failures(outcomes), output.passed_over(passed)
            output.print_json({"results": results, "failed": failed, "passed_over": skipped})
            return
        for item, made in done:
            say(f"{one_line(item.path)}: {self.line(made)}")
        say(output.summary(outcomes, len(passed), args.out))


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add what such a command works on, and how many at a time."""
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE|FOLDER")
    parser.add_argument("-j", "--jobs", type=arguments.whole, default=8, help="images at a time (default: 8)")


def _results(item: Item, args: argparse.Namespace) -> tuple[Path, Path]:
    return args.out / f"{item.name}{SUFFIX}", args.out / f"{item.name}.{args.format}"
