"""The picture of `bench.texts`: drawings, and what texts make of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.drawings import HeldOut
from bench.finding import encoded
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.texts import moved, optimised
from relatent.core.codes import Codes
from relatent.core.pack import read_pack
from relatent_export.demo.captions import Prompt
from relatent_export.demo.pictures import save_sheet
from relatent_export.packs.weights import load_networks

SHOWN = 6
TEXTS = ("an old person with glasses", "a smiling person", "a person with long blond hair")
"""Of which the first is refined towards as well."""


def draw_sheet(settings: BenchSettings, path: Path) -> None:
    """Drawings as the encoder has them (first row), along texts' global directions, and refined to one."""
    folder = settings.packs / settings.pack
    pack = read_pack(folder)
    pair, graphs = load_networks(folder, pack.compare_size).image_text, Graphs(pack, settings.repository)
    assert pair is not None
    drawings = HeldOut.first(SHOWN)
    codes = encoded(graphs, drawings)
    prompts = [Prompt(text, "a person", "", 1) for text in TEXTS]
    made = [Codes.plain(codes), *(moved(pack.text, pair, codes, prompt) for prompt in prompts)]
    made.append(optimised(graphs, pair, codes, drawings.images, prompts[0]))
    save_sheet([[np.concatenate([*graphs.images(each)], axis=1)] for each in made], path)
