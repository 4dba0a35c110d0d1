"""Take measured figures and the demo's picture from out/ into docs/: `make record`.

The figures of the published size, of overload and of quality are runs of their own, and taken with or without
the others.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import tomli_w

from bench.measurement import ALONE, FULLSIZE, METHODS, NAMES
from relatent.core.manifest import MANIFEST, read_manifest
from scripts.figures import ROOT

TOLD = ("mse", "psnr", "perceptual", "edit_gain", "leak", "judge_gain", "judge_leak", "seconds")
"""What the catalog tells of a method."""


def main() -> int:
    """Record what there is; says what is missing."""
    folder = ROOT / "out" / "bench"
    alone = [name for name in ALONE if (folder / f"{name}.json").is_file()]
    for name in alone:
        if why := _unfit(name, json.loads((folder / f"{name}.json").read_text())):
            print(f"{folder}: {why}", file=sys.stderr)
            return 1
        for file in folder.glob(f"{name}.*png"):
            shutil.copyfile(file, ROOT / "docs" / file.name)
        report = json.loads((folder / f"{name}.json").read_text())
        _record({name: report})
        if name == METHODS:
            _tell_pack(report["methods"])
    if alone and not any((folder / f"{name}.json").exists() for name in NAMES):
        return 0
    missing = [name for name in NAMES if not (folder / f"{name}.json").is_file()]
    if missing:
        print(f"{folder}: no figures of {', '.join(missing)}: run make bench", file=sys.stderr)
        return 1
    figures = {name: json.loads((folder / f"{name}.json").read_text()) for name in NAMES}
    if strange := _strangers(figures):
        print(f"{folder}: {strange}", file=sys.stderr)
        return 1
    sheet = ROOT / "out" / "demo" / "contact_sheet.png"
    if not sheet.is_file():
        print(f"{sheet}: no such picture: run make demo", file=sys.stderr)
        return 1
    _record(figures)
    shutil.copyfile(sheet, ROOT / "docs" / "contact_sheet.png")
    return 0


def _record(figures: Mapping[str, Any]) -> None:
    """Put figures in the place of those recorded before."""
    path = ROOT / "docs" / "bench.json"
    before = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**before, **figures}, indent=2) + "\n")


def _tell_pack(measured: Mapping[str, Mapping[str, float]]) -> None:
    """Put what methods reach into the demo pack's manifest, for the catalog."""
    path = ROOT / "packs" / "demo" / MANIFEST
    manifest = read_manifest(path)
    for name, figures in measured.items():
        manifest["methods"][name]["measured"] = {each: figures[each] for each in TOLD if each in figures}
    path.write_text(tomli_w.dumps(manifest))


def _unfit(name: str, report: Mapping[str, Any]) -> str:
    """Why a report cannot be recorded; empty if it can."""
    if report["quick"]:
        return f"{name} ran with --quick, which measures nothing"
    if name != FULLSIZE and report["pack"] != "demo":
        return f"{name} was measured with pack {report['pack']}, not demo"
    if report.get("engine", "embedded") != "embedded":
        return f"{name} was measured with the {report['engine']} engine, not through Triton"
    return ""


def _strangers(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Why the figures do not belong together, or not into the README; empty if they do."""
    for name, report in figures.items():
        if why := _unfit(name, report):
            return why
    for key, value in next(iter(figures.values()))["environment"].items():
        if key != "load_before" and any(report["environment"][key] != value for report in figures.values()):
            return f"the figures differ in their {key}: measure them together, by make bench"
    return ""


if __name__ == "__main__":
    sys.exit(main())
