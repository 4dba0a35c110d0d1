"""Pictures to click: drawings where there is a checkout, else what the service makes of a few seeds."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from relatent.client.blocking import Client
from relatent.client.catalog import PackInfo
from relatent.client.errors import RelatentError

SEEDS = (1, 2, 3, 4, 5, 6)
MOST = 6


class Examples:
    """Finds pictures for each pack, once.

    Args:
        client: to ask for samples.
        packs: a folder of packs, each with `drawings` or without; it need not be there.
        folder: for samples.
    """

    def __init__(self, client: Client, packs: Path, folder: Path) -> None:
        self._client = client
        self._packs = packs
        self._folder = folder
        self._lock = threading.Lock()

    def of(self, pack: PackInfo) -> tuple[Path, ...]:
        """Up to `MOST` files of pictures of a pack's kind; none where the service makes none."""
        drawings = sorted((self._packs / pack.name / "drawings").glob("*.png"))[:MOST]
        return tuple(path.resolve() for path in drawings) or self._samples(pack)

    def _samples(self, pack: PackInfo) -> tuple[Path, ...]:
        folder = self._folder / f"{pack.name}-{pack.revision[:12]}"
        with self._lock:
            if not folder.is_dir():
                try:
                    made = self._client.sample(SEEDS, pack=pack.name)
                except RelatentError:  # then there is still all that people bring themselves
                    return ()
                # Whatever ends this halfway, no folder of that name holds less than all.
                self._folder.mkdir(parents=True, exist_ok=True)
                unfinished = Path(tempfile.mkdtemp(dir=self._folder))
                for seed, sample in zip(SEEDS, made, strict=True):
                    sample.image.save(unfinished / f"sample-{seed}.png")
                unfinished.rename(folder)
        return tuple(sorted(folder.glob("*.png")))
