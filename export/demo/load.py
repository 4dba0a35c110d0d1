"""The demo pack's networks."""

from __future__ import annotations

from pathlib import Path

from export.networks import Networks, load_networks

DEMO_PACK = Path("packs/demo")


def load_demo(folder: Path = DEMO_PACK) -> Networks:
    """Read the demo pack's networks."""
    return load_networks(folder)
