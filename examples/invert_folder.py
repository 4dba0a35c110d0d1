"""A folder of images in, a code each out: so many at a time, and going on where an earlier run was stopped.

    python examples/invert_folder.py photos/ --into codes/ --at-once 8

A code that is there already is not computed again. One that ran out of time leaves `NAME.checkpoint`, and the
next run goes on from there, at whatever server then answers.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import relatent

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


async def invert_all(args: argparse.Namespace) -> int:
    """Invert every image that has no code yet; how many failed."""
    args.into.mkdir(parents=True, exist_ok=True)
    images = sorted(path for path in args.folder.iterdir() if path.suffix.lower() in SUFFIXES)
    slots = asyncio.Semaphore(args.at_once)
    async with relatent.AsyncClient(args.address, timeout=args.timeout) as client:

        async def invert(image: Path) -> bool:
            async with slots:
                return await invert_one(client, image, args.into / image.name)

        done = await asyncio.gather(*map(invert, images))
    print(f"{sum(done)} of {len(done)} done")
    return done.count(False)


async def invert_one(client: relatent.AsyncClient, image: Path, result: Path) -> bool:
    """Invert an image, from its checkpoint if there is one; whether it has a code now."""
    # The picture's whole name: a.b.png and a.c.png, or a.png and a.jpg, are two.
    code, checkpoint = (result.with_name(result.name + suffix) for suffix in (".safetensors", ".checkpoint"))
    if code.exists():
        return True
    options = relatent.InvertOptions()
    try:
        if checkpoint.exists():
            options["start"] = relatent.Checkpoint.from_bytes(checkpoint.read_bytes())
        inversion = await client.invert(image, **options)
    except relatent.RelatentError as error:
        print(f"{image}: {error}", file=sys.stderr)
        if error.checkpoint is not None:
            checkpoint.write_bytes(error.checkpoint.to_bytes())
        return False
    inversion.latent.save(code)
    checkpoint.unlink(missing_ok=True)
    return True


def main() -> int:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=Path("codes"))
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds an image")
    parser.add_argument("--address", default="127.0.0.1:8500")
    return 1 if asyncio.run(invert_all(parser.parse_args())) else 0


if __name__ == "__main__":
    sys.exit(main())
