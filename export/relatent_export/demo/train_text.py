"""Train the demo's image-text model on captions of drawings; resumes from its own checkpoint.

As CLIP is trained (Radford et al. 2021), but for the targets: of each portrait and each caption of a batch it
is known how well they go together, so that all pairs teach, and not only the one that was drawn.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

from relatent_export.compile.onnx import EXAMPLES, clean, export_module, save_graph
from relatent_export.demo.captions import Caption, caption, log_ratios, vocabulary
from relatent_export.demo.text_networks import CONTEXT, ImageTextNetworks
from relatent_export.demo.train_attributes import finish
from relatent_export.demo.world import RESOLUTION, Drawings
from relatent_export.training.checkpoint import (
    load_module,
    load_optimizer,
    load_state,
    module_tensors,
    optimizer_tensors,
    save_state,
)
from relatent_export.training.pixels import soften
from relatent_export.training.schedule import cosine, warm_up
from relatent_export.writing import whole_file

MEAN, STD = 0.5, 0.3
"""What the image tower's pixels are normalised by, of pixels in [0, 1]."""

_DRAWINGS = 40_000
"""Drawings in the model's training set."""
_WARM = 0.02
_FORGOTTEN = 0.02
"""Share of words that training does not tell, as if they were none that it knows."""
_FACTORS_WEIGHT = 2.0
"""Of reading factors off embeddings: pairs alone teach nothing for long, since neither tower begins to."""
_PAD, _UNKNOWN, _START, _END = _SPECIAL = ("<pad>", "<unknown>", "<start>", "<end>")


@dataclass(frozen=True)
class TextSettings:
    """How to train.

    Attributes:
        images: drawings seen in all.
        batch: drawings and captions a step.
        learning_rate: AdamW's at its highest; a short warm-up, then a cosine to zero.
        noise: standard deviation of noise added to some drawings, in units of [-1, 1] pixels.
        seed: of weights, data order and captions.
    """

    images: int = 384_000
    batch: int = 128
    learning_rate: float = 1e-3
    noise: float = 0.05
    seed: int = 3


class TextTraining:
    """One run in progress; owns networks, optimiser, random state and the image count."""

    def __init__(self, settings: TextSettings) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.tokenizer = settings, build_tokenizer()
        self.network = ImageTextNetworks(RESOLUTION, self.tokenizer.get_vocab_size())
        self.adam = torch.optim.AdamW(self.network.parameters(), settings.learning_rate, weight_decay=1e-3)
        self.random = torch.Generator().manual_seed(settings.seed)
        self.images, self.seconds = 0, 0.0

    def run(self, data: Tensor, factors: Tensor) -> Iterator[float]:
        """Train to the end of the run.

        Args:
            data: uint8 [N, 3, R, R].
            factors: float32 [N, 16].

        Yields:
            The loss after each step.
        """
        while self.images < self.settings.images:
            started = time.monotonic()
            progress = self.images / self.settings.images
            rate = self.settings.learning_rate * warm_up(progress, _WARM) * cosine(progress)
            self.adam.param_groups[0]["lr"] = rate
            picks = torch.randint(len(data), (self.settings.batch,), generator=self.random)
            image = soften(data[picks].float() / 127.5 - 1, self.settings.noise, self.random)
            loss = self._loss(image, factors[picks])
            self.adam.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.adam.step()
            self.images += self.settings.batch
            self.seconds += time.monotonic() - started
            yield loss.item()

    def save(self, path: Path) -> None:
        """Write everything needed to go on."""
        tensors = {
            **module_tensors("network", self.network),
            **optimizer_tensors("adam", self.adam),
            "random": self.random.get_state(),
        }
        save_state(path, tensors, {"images": self.images, "seconds": self.seconds})

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        tensors, facts = load_state(path)
        load_module("network", self.network, tensors)
        load_optimizer("adam", self.adam, tensors)
        self.random.set_state(tensors["random"])
        self.images, self.seconds = facts["images"], facts["seconds"]

    def _loss(self, image: Tensor, factors: Tensor) -> Tensor:
        """How far a batch's pairs are from being told apart as they can be, and factors from being read."""
        random = Random(f"{self.settings.seed}/{self.images}")
        captions = [caption(row, random) for row in factors.tolist()]
        ids, mask = self._tokens(captions)
        logits, read = self.network((image / 2 + 0.5 - MEAN) / STD, ids, mask)
        ratios = log_ratios(factors, captions)
        pairs = _divergence(ratios, logits) + _divergence(ratios.t(), logits.t())
        return pairs / 2 + _FACTORS_WEIGHT * F.mse_loss(read, factors)

    def _tokens(self, captions: Sequence[Caption]) -> tuple[Tensor, Tensor]:
        encoded = self.tokenizer.encode_batch([each.text for each in captions])
        ids = torch.tensor([each.ids for each in encoded])
        mask = torch.tensor([each.attention_mask for each in encoded])
        forgotten = (torch.rand(ids.shape, generator=self.random) < _FORGOTTEN) & (mask == 1)
        return ids.masked_fill(forgotten, _SPECIAL.index(_UNKNOWN)), mask


def _divergence(wanted: Tensor, found: Tensor) -> Tensor:
    """Kullback and Leibler's, of what rows of odds [B, C] choose; a mean over the rows."""
    return F.kl_div(found.log_softmax(1), wanted.log_softmax(1), reduction="batchmean", log_target=True)


def build_tokenizer() -> Tokenizer:
    """A tokenizer of words in lower case, which pads and cuts texts to `CONTEXT` tokens."""
    words = (*_SPECIAL, *vocabulary())
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, _UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}", special_tokens=[(_START, 2), (_END, 3)]
    )
    tokenizer.enable_padding(pad_id=0, pad_token=_PAD, length=CONTEXT)
    tokenizer.enable_truncation(CONTEXT)
    return tokenizer


def train_text(work: Path, settings: TextSettings | None = None) -> tuple[ImageTextNetworks, float]:
    """Train, or go on training, the image-text model.

    Args:
        work: folder for the checkpoint, `text.safetensors`, and a log.
        settings: how to train; the demo's own if left out.

    Returns:
        The networks, frozen, and the seconds that their steps took.
    """
    training = TextTraining(settings or TextSettings())
    finish(training, work / "text.safetensors", Drawings.TEXT, _DRAWINGS)
    return training.network.eval().requires_grad_(False), training.seconds


def write_image_text(networks: ImageTextNetworks, folder: Path) -> list[Path]:
    """Write the model as CLIP's exports are written: two graphs, a tokenizer, and how images are prepared.

    Returns:
        The files.

    Raises:
        OSError: they cannot be written; names the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pixels = torch.randn(EXAMPLES, 3, RESOLUTION, RESOLUTION)
    ids = torch.zeros(EXAMPLES, CONTEXT, dtype=torch.int64)
    towers: tuple[tuple[str, nn.Module, list[Tensor], list[str], str], ...] = (
        ("vision_model.onnx", networks.image, [pixels], ["pixel_values"], "image_embeds"),
        ("text_model.onnx", networks.text, [ids, ids + 1], ["input_ids", "attention_mask"], "text_embeds"),
    )
    for name, tower, inputs, names, output in towers:
        save_graph(clean(export_module(tower, inputs, names, [output])), folder / name)
    preparing = {
        "do_normalize": True,
        "image_mean": [MEAN] * 3,
        "image_std": [STD] * 3,
        "size": {"shortest_edge": RESOLUTION},
        "crop_size": {"height": RESOLUTION, "width": RESOLUTION},
    }
    texts = {
        "tokenizer.json": build_tokenizer().to_str(pretty=True),
        "preprocessor_config.json": json.dumps(preparing, indent=2) + "\n",
    }
    for name, text in texts.items():
        with whole_file(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")
    return [folder / name for name in (*(tower[0] for tower in towers), *texts)]
