"""One portrait in; its code, its reconstruction and a strip of edits out.

python examples/invert_and_edit.py portrait.png --edit smile --into out/
"""

from __future__ import annotations

import argparse
from pathlib import Path

import relatent


def main() -> None:
    """Invert an image, then move its code along a direction."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", type=Path)
    parser.add_argument("--edit", default="smile", help="a direction: relatent directions lists them")
    parser.add_argument("--into", type=Path, default=Path("out"))
    parser.add_argument("--address", default="127.0.0.1:8500")
    args = parser.parse_args()
    args.into.mkdir(parents=True, exist_ok=True)

    with relatent.Client(args.address) as client:
        inversion = client.invert(args.image, progress=tell)
        inversion.latent.save(args.into / "code.safetensors")
        inversion.reconstruction.save(args.into / "reconstruction.png")
        print(f"PSNR {inversion.quality.psnr:.1f} dB after {inversion.steps} steps by {inversion.method}")

        move = relatent.Move(args.edit, strength=[-2, -1, 0, 1, 2])
        for edited in client.edit(inversion.latent, [move]).images:
            edited.image.save(args.into / f"{args.edit}{edited.strength:+g}.png")


def tell(progress: relatent.Progress) -> None:
    """Called every few steps, as the service reports."""
    print(f"{progress.steps}/{progress.total_steps} steps, loss {progress.best_loss:.4f}")


if __name__ == "__main__":
    main()
