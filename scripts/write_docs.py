"""Write the parts of the documentation that are known elsewhere: `make docs`.

A part stands between `<!-- begin NAME -->` and `<!-- end NAME -->` in the README or a page of docs/.
With `--check` nothing is written, and a page that would change fails.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import get_type_hints

import relatent_service.telemetry.metrics
from relatent_service.engine.engine import EngineTimedOut, EngineUnavailable
from relatent_service.errors import InvalidField, ServiceError, TryLater
from relatent_service.rpc.status import code_of, reason_of
from relatent_service.settings import PREFIX, ServerSettings
from scripts.figures import ROOT, benches, fullsize, numbers, overload, quality, seconds_to_quality
from scripts.figures_of_classes import overload_classes
from scripts.figures_of_diffusion import diffused_factors, diffusion, diffusion_choices
from scripts.figures_of_directions import finders, texts, walks
from scripts.figures_of_editing import age_and_glasses, edit_latency, edits, local_edits, sessions
from scripts.figures_of_methods import code_bytes, domain, methods, trades
from scripts.figures_of_misses import misses
from scripts.figures_of_scaling import autoscale
from scripts.figures_of_soak import soak
from scripts.figures_of_uses import colours, restorations

PART = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def main() -> int:
    """Write or check every page."""
    parser = argparse.ArgumentParser(description="Write the parts of the documentation known elsewhere.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page would change")
    check = parser.parse_args().check
    stale = False
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = page.read_text()
        current = PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}\n{part[3]}", text)
        if check and current != text:
            print(f"{page.relative_to(ROOT)} is not current: run make docs", file=sys.stderr)
            stale = True
        if not check:
            page.write_text(current)
    return 1 if stale else 0


def flags() -> str:
    """The service's flags, from its settings."""
    rows = ["| Flag | Environment | Default | |", "|---|---|---|---|"]
    for name, hint in get_type_hints(ServerSettings, include_extras=True).items():
        (flag,) = hint.__metadata__
        default = f"`{flag.default}`" if flag.default else ""
        rows.append(f"| `--{name.replace('_', '-')}` | `{PREFIX}{name.upper()}` | {default} | {flag.help} |")
    return "\n".join(rows)


def metrics() -> str:
    """The service's metrics, from the table of the module that has them."""
    return "\n".join(
        line
        for line in (relatent_service.telemetry.metrics.__doc__ or "").splitlines()
        if line.startswith("|")
    )


def errors() -> str:
    """The errors a caller can meet, from the exceptions and the one place that maps them to gRPC."""
    rows = ["| Reason | gRPC code | Details besides ErrorInfo | When |", "|---|---|---|---|"]
    kinds: list[type[Exception]] = [*_leaves(ServiceError), EngineUnavailable, EngineTimedOut]
    for kind in kinds:
        error = kind.__new__(kind)
        details = "BadRequest" if issubclass(kind, InvalidField) else ""
        details = "RetryInfo" if issubclass(kind, (TryLater, EngineUnavailable)) else details
        when = (kind.__doc__ or "").splitlines()[0]
        rows.append(f"| `{reason_of(error)}` | `{code_of(error).name}` | {details} | {when} |")
    return "\n".join(rows)


def _leaves(kind: type[ServiceError]) -> list[type[ServiceError]]:
    """The exceptions that are raised: those with a reason of their own."""
    below = [leaf for child in kind.__subclasses__() for leaf in _leaves(child)]
    return [kind, *below] if "reason" in vars(kind) and kind is not ServiceError else below


PARTS = {
    "autoscale": autoscale,
    "benches": benches,
    "edits": edits,
    "age_and_glasses": age_and_glasses,
    "edit_latency": edit_latency,
    "local_edits": local_edits,
    "sessions": sessions,
    "soak": soak,
    "diffusion": diffusion,
    "diffused_factors": diffused_factors,
    "diffusion_choices": diffusion_choices,
    "finders": finders,
    "texts": texts,
    "walks": walks,
    "code_bytes": code_bytes,
    "domain": domain,
    "methods": methods,
    "restorations": restorations,
    "colours": colours,
    "misses": misses,
    "trades": trades,
    "errors": errors,
    "flags": flags,
    "fullsize": fullsize,
    "metrics": metrics,
    "numbers": numbers,
    "overload": overload,
    "overload_classes": overload_classes,
    "quality": quality,
    "seconds_to_quality": seconds_to_quality,
}

if __name__ == "__main__":
    sys.exit(main())
