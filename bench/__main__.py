"""`python -m bench NAME`: measure, print one line of JSON, write out/bench/NAME.json."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from bench.measurement import (
    ALONE,
    DIRECTIONS,
    EDITING,
    FULLSIZE,
    METHODS,
    NAMES,
    OVERLOAD,
    OVERLOAD_CLASSES,
    SOAK,
    TEXTS,
    USES,
    BenchSettings,
    measure,
)

WORK = Path("out/fullsize")


def main() -> int:
    """Run one measurement, or all of them, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measured comparisons.")
    parser.add_argument("name", choices=(*NAMES, *ALONE, "all"))
    parser.add_argument("--packs", type=Path, default=BenchSettings.packs)
    parser.add_argument("--repository", type=Path, default=BenchSettings.repository)
    parser.add_argument("--pack", default=BenchSettings.pack)
    parser.add_argument("--engine", choices=("embedded", "local", "triton"), default=BenchSettings.engine)
    parser.add_argument("--quick", action="store_true", help="show that it works; the figures mean nothing")
    parser.add_argument("--minutes", type=float, default=BenchSettings.minutes, help="how long soak lasts")
    parser.add_argument("--out", type=Path, default=Path("out/bench"))
    arguments = vars(parser.parse_args())
    if arguments["engine"] == "triton" and arguments["name"] != SOAK:
        parser.error(f"--engine triton: expected with {SOAK} only, which starts the Tritons that it takes")
    name, out = arguments.pop("name"), arguments.pop("out")
    settings = BenchSettings(**arguments)
    if name == FULLSIZE:  # which makes a pack of its own
        from bench.fullsize import placed

        settings = placed(settings, WORK)
    if name == "all":
        return _all(settings, out)
    report = measure(name, settings, out)
    if name == OVERLOAD:
        from bench.overload_picture import draw

        draw(report, out / f"{OVERLOAD}.png")
    if name == OVERLOAD_CLASSES:
        from bench import overload_classes_picture

        overload_classes_picture.draw(report, out / f"{OVERLOAD_CLASSES}.png")
    if name == METHODS:
        from bench import methods_picture

        methods_picture.draw(report, out / f"{METHODS}.png")
        methods_picture.draw_sheet(settings, out / f"{METHODS}.sheet.png")
    if name == EDITING:
        from bench import editing_picture

        editing_picture.draw_sheet(settings, out / f"{EDITING}.sheet.png")
    if name == TEXTS:
        from bench import texts_picture

        texts_picture.draw_sheet(settings, out / f"{TEXTS}.sheet.png")
    if name == USES:
        from bench import uses_diffusion_picture, uses_misses, uses_picture

        uses_picture.draw_sheet(settings, out / f"{USES}.sheet.png")
        uses_diffusion_picture.draw_sheet(settings, out / f"{USES}.diffusion.png")
        uses_misses.draw_plot(settings, out / f"{USES}.misses.png")
    if name == DIRECTIONS:
        from bench import directions_picture

        directions_picture.draw_sheet(settings, out / f"{DIRECTIONS}.sheet.png")
    print(json.dumps(report))
    return 1 if name == SOAK and report["complaints"] else 0


def _all(settings: BenchSettings, out: Path) -> int:
    """Run all measurements, one after the other; the first that fails ends it."""
    flags = ["--packs", settings.packs, "--repository", settings.repository, "--pack", settings.pack]
    flags += ["--engine", settings.engine, "--out", out, *(["--quick"] if settings.quick else [])]
    for name in NAMES:
        print(f"bench {name}", file=sys.stderr)
        command = [sys.executable, "-m", "bench", name, *map(str, flags)]
        if status := subprocess.run(command, check=False).returncode:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
