"""Write deploy/images/: the packages that images are built with, each of one version, known by its digests.

`python -m scripts.lock_images` resolves anew what pyproject.toml asks for; what it takes is what the next
images have. pip resolves for each kind of processor, without installing anything, and all have to agree.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from scripts.figures import ROOT

FOLDER = ROOT / "deploy" / "images"
PYTHON = "3.11"
"""Of the Dockerfile's PYTHON_IMAGE."""
GLIBC = ("manylinux_2_35", "manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
HEAD = "# Written by `python -m scripts.lock_images`. Of Python {python}, for {processors}.\n"
EXTRAS = ("serve", "redis", "tracing")
RUNTIMES = ("onnxruntime", "nvidia-pytriton")
"""What runs graphs here, not in Tritons elsewhere."""
LOCKS = {"service.txt": ("x86_64", "aarch64"), "standalone.txt": ("x86_64",)}
"""What is written, and the processors that it is for: the wheel with Triton in it is for one alone."""

Resolved = dict[str, tuple[str, str]]
"""By name: version and SHA-256."""


def main() -> int:
    """Write both files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, processors in LOCKS.items():
        found = [_resolve(wanted(name), processor) for processor in processors]
        (FOLDER / name).write_text(written(found, processors))
    return 0


def wanted(name: str) -> list[str]:
    """The requirements that one of the files fulfils, of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines: list[str] = [*project["dependencies"], *(line for extra in EXTRAS for line in extras[extra])]
    markers = {"python_version": PYTHON, "sys_platform": "linux", "platform_machine": LOCKS[name][0]}
    parsed = [Requirement(line) for line in lines]
    kept = [each for each in parsed if each.marker is None or each.marker.evaluate(markers)]
    if name == "service.txt":
        kept = [each for each in kept if each.name not in RUNTIMES]
    for each in kept:
        each.marker = None
    return [str(each) for each in kept]


def written(found: Sequence[Resolved], processors: Sequence[str]) -> str:
    """The file, of what was resolved for each processor.

    Raises:
        ValueError: a package has other versions for other processors.
    """
    lines = [HEAD.format(python=PYTHON, processors=" and ".join(processors))]
    for name in sorted(set().union(*found)):
        versions = {each[name][0] for each in found if name in each}
        if len(versions) > 1:
            raise ValueError(f"{name}: expected one version for all processors, got {', '.join(versions)}")
        digests = sorted({each[name][1] for each in found if name in each})
        hashes = " ".join(f"--hash=sha256:{digest}" for digest in digests)
        lines.append(f"{name}=={versions.pop()} {hashes}\n")
    return "".join(lines)


def _resolve(requirements: Sequence[str], processor: str) -> Resolved:
    """What pip would install there."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--isolated", "--only-binary", ":all:"]  # whatever this machine has
        command += ["--python-version", PYTHON, "--target", folder, "--report", str(report)]
        command += [word for libc in GLIBC for word in ("--platform", f"{libc}_{processor}")]
        subprocess.run([*command, *requirements], check=True)
        installed: list[dict[str, Any]] = json.loads(report.read_text())["install"]
    return {
        each["metadata"]["name"].lower().replace("_", "-"): (
            each["metadata"]["version"],
            each["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for each in installed
    }


if __name__ == "__main__":
    sys.exit(main())
