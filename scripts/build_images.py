"""Build the images without a container engine, and measure them: `make images`.

buildah builds the Dockerfile as root, in a chroot, without a daemon. With `--stand-ins` the bases come from
Debian's archive by debootstrap, where the registries of the real ones cannot be reached: Debian 12 with its
Python, and for Triton one with curl, which holds no Triton, so that only what is above the base can be tried.

Writes NAME.tar, an OCI archive, and NAME.cdx.json, what is in it, for each image to --out, and prints their
sizes. Fails where the service's image is larger than it may be.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scripts.figures import ROOT
from scripts.image_archives import ArchivedImage, read_archive, table
from scripts.sbom import check

BASES = {"service": "PYTHON_IMAGE", "standalone": "PYTHON_IMAGE", "triton": "TRITON_IMAGE"}
"""Of each target, the argument of the Dockerfile that names its base."""
STAND_INS = {
    "PYTHON_IMAGE": ("python3", "python3-venv", "libpython3.11", "ca-certificates"),
    "TRITON_IMAGE": ("curl", "ca-certificates"),
}
"""Debian's packages that stand in for each base, beside those that every system has."""
UNREAD = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
)
"""What the slim images of Debian leave out."""
SOURCE_LABEL = "org.opencontainers.image.source"
SERVICE_LIMIT = 400_000_000
"""Bytes of the service's image, its base included."""
OF_THE_MACHINE = ("/etc/ssl/certs", "/etc/pip.conf")
"""What pip needs in the build where a proxy with an authority of its own, or a mirror, stands before PyPI."""


class CannotBuild(Exception):
    """Something that is needed is missing; the message says what."""


@dataclass(frozen=True)
class Builder:
    """buildah, with a store of its own.

    Attributes:
        store: the folder of what it builds.
    """

    store: Path

    def run(self, command: str, *arguments: str | Path) -> str:
        """Run a command of buildah's; what it prints on standard output.

        Raises:
            subprocess.CalledProcessError: it failed; its own words are on standard error.
        """
        where = ["--root", str(self.store / "storage"), "--runroot", str(self.store / "run")]
        # What it mounts goes when it ends, so that nothing keeps the store from being removed.
        called = ["unshare", "--mount", "buildah", *where, command, *map(str, arguments)]
        return subprocess.run(called, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout.strip()

    def bootstrap(self, name: str, packages: Sequence[str]) -> None:
        """Make an image of Debian's packages."""
        folder = self.store / "bootstrapped"
        command = [
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(packages)}",
            "bookworm",
            str(folder),
        ]
        subprocess.run(command, check=True, stdout=sys.stderr)
        for unread in UNREAD:
            shutil.rmtree(folder / unread, ignore_errors=True)
        container = self.run("from", "scratch")
        self.run("add", "--quiet", container, f"{folder}/", "/")
        self.run("commit", "--quiet", "--rm", container, name)
        shutil.rmtree(folder)

    def build(
        self, target: str, arguments: Mapping[str, str], labels: Mapping[str, str], seconds: int
    ) -> None:
        """Build a target of the Dockerfile; its files and itself are as old as it is told, since 1970."""
        told = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        told += [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
        seen = [
            word for path in OF_THE_MACHINE if Path(path).exists() for word in ("-v", f"{path}:{path}:ro")
        ]
        fixed = [
            "--isolation",
            "chroot",
            "--layers",
            "--timestamp",
            str(seconds),
            "--tag",
            f"localhost/{target}",
        ]
        said = self.run("build", "--target", target, *fixed, *told, *seen, ".")
        print(said, file=sys.stderr)

    def keep(self, image: str, archive: Path) -> ArchivedImage:
        """Write an image to an OCI archive."""
        archive.unlink(missing_ok=True)
        self.run("push", "--quiet", image, f"oci-archive:{archive}")
        return read_archive(archive)


def main() -> int:
    """Build what is asked for."""
    description = "Build the images without a container engine, and measure them."
    parser = argparse.ArgumentParser(prog="python -m scripts.build_images", description=description)
    parser.add_argument("targets", nargs="*", help=f"some of {', '.join(BASES)}; all unless given")
    parser.add_argument("--stand-ins", action="store_true", help="bases from Debian's archive")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "images", help="out/images unless given")
    parser.add_argument("--source", help="address of the source, for the label of that name")
    asked = parser.parse_args()
    if unknown := set(asked.targets) - BASES.keys():
        parser.error(f"expected some of {', '.join(BASES)}, got {', '.join(sorted(unknown))}")
    targets = asked.targets or list(BASES)
    asked.out.mkdir(parents=True, exist_ok=True)
    try:
        _need("buildah", *(["debootstrap"] if asked.stand_ins else []))
        with tempfile.TemporaryDirectory(dir=asked.out) as folder:
            builder = Builder(Path(folder))
            bases = _stand_ins(builder) if asked.stand_ins else {}
            revision = _revision(asked.source)
            built = [(target, *_build(builder, target, bases, revision, asked.out)) for target in targets]
    except CannotBuild as error:
        print(error, file=sys.stderr)
        return 1
    print(table(built))
    sizes = {name: image.size for name, image, _ in built}
    if sizes.get("service", 0) > SERVICE_LIMIT:
        print(f"service: expected at most {SERVICE_LIMIT:,} bytes, got {sizes['service']:,}", file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True)
class Revision:
    """What is built.

    Attributes:
        arguments: of the Dockerfile, for its labels.
        labels: more of them.
        seconds: since 1970, when it was made.
    """

    arguments: dict[str, str]
    labels: dict[str, str]
    seconds: int


def _revision(source: str | None) -> Revision:
    seconds = int(_git("log", "-1", "--format=%ct"))
    changed = "-changed" if _git("status", "--porcelain") else ""
    created = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    arguments = {"REVISION": _git("rev-parse", "HEAD") + changed, "CREATED": created}
    return Revision(arguments, {} if source is None else {SOURCE_LABEL: source}, seconds)


def _stand_ins(builder: Builder) -> dict[str, str]:
    """Bases of Debian's; the Dockerfile's arguments that name them."""
    names = {argument: f"localhost/{argument.lower()}" for argument in STAND_INS}
    for argument, name in names.items():
        builder.bootstrap(name, STAND_INS[argument])
    return names


def _build(
    builder: Builder, target: str, bases: Mapping[str, str], revision: Revision, out: Path
) -> tuple[ArchivedImage, ArchivedImage]:
    """Build a target and write it and its bill; the image and its base."""
    builder.build(target, {**revision.arguments, **bases}, revision.labels, revision.seconds)
    image = builder.keep(f"localhost/{target}", out / f"{target}.tar")
    if image.bill is None:
        raise CannotBuild(f"{target}: expected a bill of what is in it")
    check(image.bill)
    (out / f"{target}.cdx.json").write_text(image.bill)
    base = image.labels["org.opencontainers.image.base.name"]
    return image, builder.keep(base, builder.store / "base.tar")


def _need(*programs: str) -> None:
    if missing := [program for program in programs if shutil.which(program) is None]:
        names = " ".join(missing)
        raise CannotBuild(
            f"Images are built with {names}, which is not on PATH. "
            f"On Debian and Ubuntu: apt-get install {names}"
        )
    if os.geteuid() != 0:
        raise CannotBuild("Images are built as root: in a chroot, which nobody else may enter")


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
