"""`relatent demo`: real image files inverted and edited by a real service, on one contact sheet."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from relatent.cli import arguments, demo_results, output
from relatent.cli import printing as telling
from relatent.cli.batch import work_through
from relatent.cli.demo_results import MORPH_AMOUNTS, PACK, Portrait, contact_sheet, report
from relatent.cli.inputs import Item, prepare_out
from relatent.cli.local_service import LocalService, terminable
from relatent.client.blocking import Client
from relatent.client.catalog import PackInfo
from relatent.client.errors import InputError
from relatent.client.goals import Goal, Reach
from relatent.client.images import save_image
from relatent.client.requests import Interpolate, InvertOptions
from relatent.client.results import EditedImage, Inversion
from relatent.client.resuming import ProgressCallback
from relatent.core.files import write_file
from relatent.core.presets import Preset

_TIMEOUT = 600.0
"""Seconds of a call: patience for slow machines, as nothing else waits."""

Say = Callable[[str], None]
"""Tells people how far it is."""

EDIT_SHARE = 0.9
"""How far an edit goes in its attribute's range: clearly, and not to its very end."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help="see it work: start a service, invert and edit drawings",
        description="Start a service on this machine, invert and edit held-out drawings, and put the results "
        "on one contact sheet. To be run in a checkout of Relatent.",
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("out/demo"), help="default: %(default)s")
    parser.add_argument("--portraits", type=arguments.whole, default=5, help="default: 5")
    parser.add_argument("--steps", type=arguments.whole, default=100, help="refinement steps (default: 100)")
    parser.add_argument("--engine", default="auto", help="what runs the graphs (default: auto)")
    parser.add_argument("--packs", type=Path, default=Path("packs"), help="default: %(default)s")
    parser.add_argument(
        "--repository", type=Path, default=Path("model_repository"), help="default: %(default)s"
    )
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo."""
    say: Say = partial(print, flush=True, file=sys.stderr) if args.json else telling.say
    drawings = _drawings(args)
    prepare_out(args.out)
    log = args.out / "service.log"
    flags = ["--engine", args.engine, "--packs", str(args.packs), "--repository", str(args.repository)]
    began = time.monotonic()
    say("Starting the service …")
    with terminable(), LocalService(flags, log) as service:
        seconds = {"start": time.monotonic() - began}
        engine = str(service.ready.get("engine", "unknown"))
        say(f"  ready after {seconds['start']:.1f} s at {service.address}, engine: {engine}")
        if note := service.ready.get("note"):
            say(f"  {note}")
        with Client(service.address, timeout=_TIMEOUT) as client:
            portraits = _work(client, drawings, args.steps, seconds, say)
    seconds["total"] = time.monotonic() - began
    numbers = report(portraits, engine, seconds)
    sheet, document = args.out / "contact_sheet.png", args.out / "report.json"
    save_image(contact_sheet(portraits, numbers), sheet)
    write_file(document, f"{output.json_text(numbers)}\n".encode())
    mean = numbers["mean"]
    say(
        f"Done in {seconds['total']:.0f} s. PSNR over {len(portraits)} drawings: "
        f"{mean['encoder']['psnr']:.1f} dB by the encoder alone, {mean['refined']['psnr']:.1f} dB refined.\n"
        f"  {sheet}  what it looks like\n  {document}  the numbers\n  {log}  what the service said"
    )
    if args.json:
        output.print_json(numbers | {"output": sheet})
    return 0


def _drawings(args: argparse.Namespace) -> list[Item]:
    folder = args.packs / PACK / "drawings"
    files = sorted(folder.glob("*.png"))[: args.portraits]
    if len(files) < 2:
        raise InputError(f"{folder}: expected drawings in there; run this in a checkout of Relatent")
    return [Item(file, file.stem) for file in files]


def _work(
    client: Client, drawings: Sequence[Item], steps: int, seconds: dict[str, float], say: Say
) -> list[Portrait]:
    pack = client.pack(PACK)
    _check_attributes(pack)
    say(f"Inverting {len(drawings)} drawings by the encoder alone …")
    encoded, seconds["encoder"] = _invert(client, drawings, _asked(pack, Preset.FAST, 0))
    say(f"  {seconds['encoder']:.1f} s")
    say(f"Refining them together, {steps} gradient steps each …")
    inverted, seconds["refined"] = _invert(client, drawings, _asked(pack, Preset.BEST, steps))
    done = sum(inversion.steps for inversion in inverted)
    say(f"  {seconds['refined']:.1f} s, {done / seconds['refined']:.1f} steps/s")
    say("Editing and morphing …")
    began = time.monotonic()
    following = [*inverted[1:], inverted[0]]
    portraits = [
        Portrait(item.path, start, end, _edits(client, end, pack), _morph(client, end, other))
        for item, start, end, other in zip(drawings, encoded, inverted, following, strict=True)
    ]
    seconds["edits"] = time.monotonic() - began
    say(f"  {seconds['edits']:.1f} s")
    return portraits


def _asked(pack: PackInfo, quality: Preset, steps: int) -> InvertOptions:
    """A quality where the pack has presets, and else its default method."""
    if quality in pack.presets:
        return InvertOptions(pack=PACK, quality=quality, steps=steps)
    return InvertOptions(pack=PACK, steps=steps)


def _check_attributes(pack: PackInfo) -> None:
    wanted = {column.attribute for column in demo_results.EDITS}
    if missing := sorted(wanted - pack.described.keys()):
        raise InputError(f"pack {PACK}: no attribute called {', '.join(missing)}")


def _invert(
    client: Client, drawings: Sequence[Item], options: InvertOptions
) -> tuple[list[Inversion], float]:
    def invert(item: Item, progress: ProgressCallback) -> Inversion:
        return client.invert(item.path, progress=progress, **options)

    began = time.monotonic()
    outcomes = work_through(drawings, invert, title="  refining", jobs=len(drawings), client=client)
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return [outcome.value for outcome in outcomes if outcome.value is not None], time.monotonic() - began


def _edits(client: Client, inversion: Inversion, pack: PackInfo) -> tuple[EditedImage, ...]:
    chosen = []
    for column in demo_results.EDITS:
        attribute = pack.described[column.attribute]
        middle, half = (attribute.low + attribute.high) / 2, (attribute.high - attribute.low) / 2
        ends = [middle - EDIT_SHARE * half, middle + EDIT_SHARE * half]
        hold = [name for name in pack.described if name not in (column.attribute, *column.free)]
        edit = client.edit(inversion.latent, [Reach([Goal(column.attribute, to=ends)], hold=hold)])
        # Who smiles already shows little of more smile: take the end that is further away.
        chosen.append(max(edit.images, key=lambda edited: _moved(edited, column.attribute)))
    return tuple(chosen)


def _moved(edited: EditedImage, attribute: str) -> float:
    outcome = edited.targets[0].attributes[attribute]
    return abs(outcome.reached - outcome.before)


def _morph(client: Client, inversion: Inversion, other: Inversion) -> tuple[EditedImage, ...]:
    return client.edit(inversion.latent, [Interpolate(other.latent, MORPH_AMOUNTS)]).images
