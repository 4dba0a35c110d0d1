"""Two images in, the way from one to the other out, as an animation.

python examples/morph.py a.png b.png --frames 12 --into morph.gif
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import relatent


def main() -> None:
    """Invert both, and go from one code to the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--into", type=Path, default=Path("morph.gif"))
    parser.add_argument("--address", default="127.0.0.1:8500")
    args = parser.parse_args()

    with relatent.Client(args.address) as client:
        first, second = (client.invert(image).latent for image in (args.first, args.second))
        amounts = [float(amount) for amount in np.linspace(0, 1, args.frames)]
        edit = client.edit(first, [relatent.Interpolate(second, amounts)])

    frames = [Image.fromarray(np.asarray(edited.image)) for edited in edit.images]
    frames[0].save(args.into, save_all=True, append_images=frames[1:] + frames[::-1], duration=80, loop=0)


if __name__ == "__main__":
    main()
