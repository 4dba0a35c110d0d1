from __future__ import annotations

from pathlib import Path

import numpy as np

from relatent.client.latents import LatentCode
from relatent.playground import downloads
from relatent.playground.downloads import Downloads, latent_bytes, links, new_key


def test_files_are_made_when_they_are_taken_and_are_always_the_newest() -> None:
    kept, key, made = Downloads(), new_key(), []

    def make() -> bytes:
        made.append("made")
        return b"first"

    kept.offer(key, {"picture.png": make})
    assert made == []
    assert kept.take(key, "picture.png") == b"first"
    kept.offer(key, {"picture.png": lambda: b"second"})
    assert kept.take(key, "picture.png") == b"second"
    assert made == ["made"]


def test_nothing_is_taken_that_was_not_offered() -> None:
    kept = Downloads()
    kept.offer("key", {"picture.png": lambda: b""})
    assert kept.take("key", "other.png") is None
    assert kept.take("other", "picture.png") is None


def test_only_the_newest_visitors_results_are_kept() -> None:
    kept = Downloads()
    for number in range(downloads.MOST + 1):
        kept.offer(str(number), {"file": lambda: b"kept"})
        kept.offer("0" if number < downloads.MOST else "last", {"file": lambda: b"kept"})
    assert kept.take("1", "file") is None
    assert kept.take("0", "file") == kept.take("last", "file") == b"kept"


def test_links_say_what_they_bring() -> None:
    told = links("key", {"latent code": "edited.safetensors"})
    assert 'href="/downloads/key/edited.safetensors" download="edited.safetensors">latent code</a>' in told


def test_a_code_is_the_file_that_it_is_kept_in(tmp_path: Path) -> None:
    code = LatentCode(np.full((2, 4), 0.5), "tiny", "1" * 64)
    (tmp_path / "code.safetensors").write_bytes(latent_bytes(code))
    assert np.array_equal(LatentCode.load(tmp_path / "code.safetensors").values, code.values)
