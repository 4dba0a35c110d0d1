"""What commands print: text for people, one JSON document for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import Any, TypeVar

from tqdm import tqdm

from relatent.cli.batch import Outcome
from relatent.cli.folders import PassedOver
from relatent.cli.printing import as_text, is_plain, one_line, say, told
from relatent.client.errors import CallError
from relatent.client.results import Inversion

T = TypeVar("T")

_SHOWN = 10
"""How many files that are passed over are named on standard error; the rest are counted."""


def progress(parts: Sequence[T], title: str) -> Iterable[T]:
    """Go through parts of a work, with a bar on a terminal's standard error."""
    bar: Iterable[T] = tqdm(parts, title, disable=None, file=sys.stderr, leave=False, dynamic_ncols=True)
    return bar


def json_text(document: Any) -> str:
    """A document as JSON; numbers that it cannot hold, such as NaN, become null.

    A path whose name holds bytes that are no text is given beside as a `file:` address, under its key with
    `_uri`, since JSON holds nothing but text.
    """
    return json.dumps(_plain(document), indent=2, allow_nan=False)


def print_json(document: Any) -> None:
    """Print the command's answer for programs."""
    say(json_text(document))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text under a header."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def inversion_line(inversion: Inversion) -> str:
    """An inversion in one line."""
    quality = inversion.quality
    measured = [f"PSNR {quality.psnr:.1f} dB", f"SSIM {quality.ssim:.3f}"]
    if quality.perceptual is not None:
        measured.append(f"perceptual {quality.perceptual:.4f}")
    if quality.identity is not None:
        measured.append(f"identity {quality.identity:.3f}")
    if inversion.in_domain is not None:
        measured.append(f"in-domain score {inversion.in_domain.score:.2g}")
    resumed = f", resumed {inversion.resumed}x" if inversion.resumed else ""
    cached = ", cached" if inversion.cached else ""
    return (
        f"{', '.join(measured)} "
        f"after {inversion.steps} steps ({inversion.stop_reason.value}{resumed}{cached}), "
        f"{inversion.timings.total:.1f} s"
    )


def inversion_document(inversion: Inversion) -> dict[str, Any]:
    """An inversion as JSON holds it."""
    return {
        "pack": inversion.latent.pack,
        "revision": inversion.latent.revision,
        "method": inversion.method,
        "quality": asdict(inversion.quality),
        **({} if inversion.in_domain is None else {"in_domain": asdict(inversion.in_domain)}),
        "steps": inversion.steps,
        "stop_reason": inversion.stop_reason.value,
        "resumed": inversion.resumed,
        "cached": inversion.cached,
        "timings": asdict(inversion.timings),
        "losses": list(inversion.losses),
    }


def failures(outcomes: Sequence[Outcome[Any]]) -> list[dict[str, Any]]:
    """The files that failed, as JSON holds them."""
    return [
        {"input": outcome.item.path, **error_document(outcome.error)}
        for outcome in outcomes
        if outcome.error is not None
    ]


def passed_over(files: Sequence[PassedOver]) -> list[dict[str, Any]]:
    """What was passed over, as JSON holds it."""
    return [{"input": each.path, "why": each.why} for each in files]


def tell_passed_over(files: Sequence[PassedOver]) -> None:
    """Say on standard error what is passed over, so that nothing is so in silence."""
    for each in files[:_SHOWN]:
        print(f"relatent: {one_line(each.path)}: passed over: {one_line(each.why)}", file=sys.stderr)
    if len(files) > _SHOWN:
        more = f"{len(files) - _SHOWN:,} more passed over; --json lists them all"
        print(f"relatent: {more}", file=sys.stderr)


def summary(outcomes: Sequence[Outcome[Any]], passed: int, out: Path) -> str:
    """How many files went well, how many did not or were passed over, and where the results are."""
    failed = sum(outcome.error is not None for outcome in outcomes)
    done = len(outcomes) - failed
    parts = [f"{done} of {len(outcomes)} done"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{passed} passed over"] if passed else []
    where = f"; results in {one_line(out)}/" if done else ""
    return f"{', '.join(parts)}{where}"


def _plain(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            plain = {}
            for key, each in value.items():
                plain[key] = _plain(each)
                if isinstance(each, PurePath) and not is_plain(each):
                    plain[f"{key}_uri"] = Path(each).absolute().as_uri()
            return plain
        case list() | tuple():
            return [_plain(each) for each in value]
        case str() | PurePath():
            return as_text(str(value))
        case _:
            return value


def error_document(error: Exception) -> dict[str, Any]:
    """An error as JSON holds it."""
    document: dict[str, Any] = {"error": told(error)}
    if isinstance(error, CallError):
        document |= {"code": error.code.name, "reason": error.reason}
    return document
