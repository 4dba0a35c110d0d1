"""What visitors may take home, made when they do; kept in memory, and only the newest of it."""

from __future__ import annotations

import html
import tempfile
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

from relatent.client.latents import SUFFIX, LatentCode

PATH = "/downloads"
MOST = 200
"""Visitors' results that are kept."""

Maker = Callable[[], bytes]


class Downloads:
    """Holds, for each visitor's result, how its files are made."""

    def __init__(self) -> None:
        self._offers: OrderedDict[str, Mapping[str, Maker]] = OrderedDict()
        self._lock = threading.Lock()

    def offer(self, key: str, files: Mapping[str, Maker]) -> None:
        """Offer files, in the place of those that were offered by this key.

        Args:
            key: of a result, from `new_key`.
            files: how each is made, by its name.
        """
        with self._lock:
            self._offers[key] = files
            self._offers.move_to_end(key)
            while len(self._offers) > MOST:
                self._offers.popitem(last=False)

    def take(self, key: str, name: str) -> bytes | None:
        """A file's bytes; None where nothing of the kind is offered (any more)."""
        with self._lock:
            maker = self._offers.get(key, {}).get(name)
        return maker() if maker else None


def new_key() -> str:
    """A name for a result that nobody guesses."""
    return uuid.uuid4().hex


def links(key: str, names: Mapping[str, str]) -> str:
    """Links to files, as HTML.

    Args:
        key: that they are offered by.
        names: of the files, by what each link says.
    """
    made = [
        f'<a class="download" href="{PATH}/{key}/{html.escape(name)}" download="{html.escape(name)}">'
        f"{html.escape(label)}</a>"
        for label, name in names.items()
    ]
    return f'<p class="downloads">Download: {" ".join(made)}</p>'


def latent_bytes(latent: LatentCode) -> bytes:
    """A code as the file that it is kept in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"code{SUFFIX}"
        latent.save(path)
        return path.read_bytes()
