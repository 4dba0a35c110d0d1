"""Ten texts, three ways each: how many drawings move as the text says, how far, and what moves besides.

The ways are StyleCLIP's: `global` directions in S, as the service's edits by texts have them; `optimise`, the
method `text`; and `mapper`, a network trained for each text. All start from the encoder's codes of held-out
drawings. `right` is the share of drawings whose factor moved the right way, of those where it has room for a
tenth of its range, and `right_of_all` of all; `change` how far it moved that way and `leak` how far all
others moved, in percent of ranges. Read by the pack's network, which no way has seen, and by the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from bench.drawings import HeldOut
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.timing import seconds, significant
from relatent.core.codes import Codes
from relatent.core.pack import Pack, read_pack
from relatent.core.text import AIM, TextModel
from relatent_export.analysis.editing import Reader
from relatent_export.analysis.evaluation import BATCH, attribute_reader
from relatent_export.analysis.refining import ExportedRefinement
from relatent_export.demo.captions import PROMPTS, Prompt
from relatent_export.demo.judge import judge_beside
from relatent_export.directions.finders.registry import FINDERS
from relatent_export.nets.image_text import ImageText
from relatent_export.nets.networks import Networks
from relatent_export.packs.weights import load_networks
from relatent_export.text.encoding import embed_texts
from relatent_export.text.mapper import train_mapper

Floats = NDArray[np.float32]
Way: TypeAlias = Callable[[Prompt], Codes]

DRAWINGS = 64
ROOM = 0.1
"""Of a factor's range: where less is left to where a text leads, a drawing does not count."""


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        For each way the means over the texts of `right`, `right_of_all`, `change`, `leak`, the same with
        `judge_` before them, the `seconds` that a text took for all drawings, and these for each of the
        `texts`.
    """
    folder = settings.packs / settings.pack
    pack, quick = read_pack(folder), settings.quick
    networks = load_networks(folder, pack.compare_size)
    if (judge := judge_beside(folder)) is None or pack.text is None or networks.image_text is None:
        raise ValueError(f"{folder}: expected a judge and an image-text pair")
    graphs = Graphs(pack, settings.repository)
    readers: dict[str, Reader] = {"": attribute_reader(graphs), "judge_": judge}
    prompts = PROMPTS[:1] if quick else PROMPTS
    return {"ways": measure(pack, graphs, networks, readers, prompts, Drawn(4) if quick else Drawn())}


class Drawn:
    """How much is measured, and on what.

    Args:
        count: of drawings.
        steps: of training a mapper.
        drawings: the set.
    """

    def __init__(
        self, count: int = DRAWINGS, steps: int | None = None, drawings: HeldOut | None = None
    ) -> None:
        self.steps = steps or (1 if count < DRAWINGS else FINDERS["text_mapper"].samples)
        self.drawings = drawings or HeldOut.first(count)


def measure(
    pack: Pack,
    graphs: Graphs,
    networks: Networks,
    readers: Mapping[str, Reader],
    prompts: tuple[Prompt, ...],
    drawn: Drawn,
) -> dict[str, Any]:
    """All ways, of some drawings."""
    assert pack.text is not None
    assert networks.image_text is not None
    pair, images = networks.image_text, drawn.drawings.images
    codes = np.concatenate([graphs.encode(images[at : at + BATCH]) for at in range(0, len(images), BATCH)])
    ways: dict[str, Way] = {
        "global": lambda prompt: moved(pack.text, pair, codes, prompt),
        "optimise": lambda prompt: optimised(graphs, pair, codes, images, prompt),
        "mapper": lambda prompt: mapped(networks, pair, codes, prompt, drawn.steps),
    }
    before = _readings(graphs, readers, Codes.plain(codes))
    report = {}
    for name, way in ways.items():
        texts = {}
        for prompt in prompts:
            found: list[Codes] = []
            taken = seconds(partial(_keep, found, way, prompt))
            after = _readings(graphs, readers, found[0])
            texts[prompt.text] = {**_figures(pack, prompt, before, after), "seconds": significant(taken)}
        keys = next(iter(texts.values()))
        means = {key: significant(float(np.mean([each[key] for each in texts.values()]))) for key in keys}
        report[name] = {**means, "texts": texts}
    return report


def _keep(found: list[Codes], way: Way, prompt: Prompt) -> None:
    found.append(way(prompt))


def moved(model: TextModel | None, pair: ImageText, codes: Floats, prompt: Prompt) -> Codes:
    """By the global direction, as far as edits go that tell nothing."""
    assert model is not None
    neutral, asked = embed_texts(pair, [prompt.neutral, prompt.text])
    change = model.strength * model.change(neutral, asked, model.beta)
    return Codes.plain(codes).styled(lambda styles: styles + change, len(change))


def optimised(graphs: Graphs, pair: ImageText, codes: Floats, images: Any, prompt: Prompt) -> Codes:
    """By the method `text`, in its default steps."""
    method = graphs.pack.methods["text"]
    neutral, asked = embed_texts(pair, [prompt.neutral, prompt.text])
    found = []
    for at in range(0, len(codes), BATCH):
        part = codes[at : at + BATCH]
        given = {"text": np.repeat(np.float32(AIM) * (asked - neutral)[None], len(part), axis=0)}
        rate = method.rates[method.default_start]
        refinement = ExportedRefinement(graphs, part, images[at : at + BATCH], rate, method, given)
        refinement.advance(method.default_steps)
        found.append(refinement.answer)
    return Codes.joined(found)


@torch.no_grad()
def mapped(networks: Networks, pair: ImageText, codes: Floats, prompt: Prompt, steps: int) -> Codes:
    """By a mapper that is trained for the text."""
    with torch.enable_grad():
        mapper = train_mapper(networks, pair, prompt.text, prompt.neutral, steps, 0)
    w: Floats = mapper(torch.from_numpy(codes), torch.ones(len(codes), 1)).numpy()
    return Codes.plain(w)


def _readings(graphs: Graphs, readers: Mapping[str, Reader], codes: Codes) -> dict[str, Floats]:
    chunks = [codes[at : at + BATCH] for at in range(0, len(codes), BATCH)]
    images = np.concatenate([graphs.images(chunk) for chunk in chunks])
    parts = [images[at : at + BATCH] for at in range(0, len(images), BATCH)]
    return {name: np.concatenate([read(part) for part in parts]) for name, read in readers.items()}


def _figures(
    pack: Pack, prompt: Prompt, before: Mapping[str, Floats], after: Mapping[str, Floats]
) -> dict[str, float]:
    place = pack.attribute_names.index(prompt.factor)
    widths = np.array([attribute.width for attribute in pack.attributes])
    figures: dict[str, float] = {}
    for name, read in before.items():
        change = 100 * (after[name] - read) / widths
        room = prompt.sign * read[:, place] < 1 - ROOM * widths[place]
        way = prompt.sign * change[:, place]
        others = np.abs(np.delete(change, place, axis=1))
        found = {
            "right": np.mean(way[room] > 0),
            "right_of_all": np.mean(way > 0),
            "change": way.mean(),
            "leak": others.mean(),
        }
        figures |= {f"{name}{key}": significant(float(value)) for key, value in found.items()}
    return figures
