"""Training a latent mapper for a prompt; goes on where it was interrupted, to the same result.

    1 - cos(E(G(w + Δ)), t) + λ · mean of Δ²,   t = E(G(w)) + 2 (T(prompt) - T(neutral))

E embeds images and T texts. StyleCLIP's own t is T(prompt), which draws all that it does not name to the
middle: of 24 drawings for choices it changed age by 42 percent of its range and all else by 3.7 percent of
theirs, and with this t by 36 and 2.4. The direction of E(G(w + Δ)) - E(G(w)) alone (Gal et al.,
"StyleGAN-NADA", 2021) leaves open how far codes go, and age went by 10 percent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from relatent.core.text import AIM
from relatent_export.nets.image_text import ImageText
from relatent_export.nets.networks import Networks, encode
from relatent_export.text.encoding import ImageEmbedding, embed_texts
from relatent_export.text.latent_mapper import LatentMapper
from relatent_export.training.checkpoint import (
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
)
from relatent_export.training.resuming import kept_at, train
from relatent_export.training.schedule import cosine

STEPS = 200

_BATCH = 8
_LEARNING_RATE = 5e-3
_L2_WEIGHT = 0.8
"""As published."""
_TINY = 1e-6
_SEEDS = 1_000_003
"""Steps of one seed, which draw samples of their own."""


@dataclass(frozen=True)
class MapperTask:
    """What a mapper is trained for.

    Attributes:
        prompt: what is asked for.
        neutral: the same, without it.
        steps: of training.
        seed: of weights and samples.
    """

    prompt: str
    neutral: str
    steps: int
    seed: int


class MapperTraining:
    """One run in progress; owns mapper and optimiser.

    Args:
        networks: the pack's.
        model: the image-text pair.
        task: what for.

    Raises:
        ValueError: the texts mean the same to the pair, or one is blank or too long.
    """

    def __init__(self, networks: Networks, model: ImageText, task: MapperTask) -> None:
        config = networks.generator.config
        torch.manual_seed(task.seed)
        self.networks, self.task = networks, task
        self.embedding = ImageEmbedding(model, config.resolution).eval()
        asked, neutral = torch.from_numpy(embed_texts(model, [task.prompt, task.neutral]))
        self.asked = asked - neutral
        if float(self.asked.norm()) < _TINY:
            raise ValueError(f"neutral: expected a text other than the prompt, {task.prompt!r}, got the same")
        self.mapper = LatentMapper(config.layers, config.latent_width)
        self.adam = torch.optim.Adam(self.mapper.parameters(), _LEARNING_RATE)

    def step(self, progress: float) -> None:
        """See a batch."""
        self.adam.param_groups[0]["lr"] = _LEARNING_RATE * cosine(progress)
        with torch.no_grad():
            w = self._codes(round(progress * self.task.steps))
            goal = self.embedding(self._images(w)) + AIM * self.asked
        change = self.mapper.change(w)
        found = self.embedding(self._images(w + change))
        loss = 1 - F.cosine_similarity(found, goal, dim=1).mean()
        loss = loss + _L2_WEIGHT * change.square().mean()
        self.adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()

    def state(self) -> dict[str, Tensor]:
        """Mapper and optimiser."""
        return {**module_tensors("mapper", self.mapper), **optimizer_tensors("adam", self.adam)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        load_module("mapper", self.mapper, tensors)
        load_optimizer("adam", self.adam, tensors)

    def _codes(self, step: int) -> Tensor:
        """Codes of a step's samples; every other one as the encoder has it of the sample's image."""
        generator, config = self.networks.generator, self.networks.generator.config
        random = torch.Generator().manual_seed(self.task.seed * _SEEDS + step)
        z = torch.randn(_BATCH, config.z_width, generator=random)
        codes = generator.codes(z, 1.0)
        if self.networks.encoder is None:
            return codes
        images = self._images(codes[::2])
        encoded = encode(self.networks.encoder, generator.synthesis, images)
        return torch.cat([encoded, codes[1::2]])

    def _images(self, w: Tensor) -> Tensor:
        images: Tensor = self.networks.generator.synthesis(w)
        return images


def train_mapper(
    networks: Networks,
    model: ImageText,
    prompt: str,
    neutral: str,
    steps: int,
    seed: int,
    work: Path | None = None,
) -> LatentMapper:
    """Train, or go on training, a mapper for a prompt.

    Args:
        networks: the pack's; nothing of them changes.
        model: the image-text pair.
        prompt: what is asked for, such as "an old person".
        neutral: the same without it, such as "a person".
        steps: of training.
        seed: of weights and samples.
        work: a folder that keeps the run, apart from those of other tasks and networks; None: none does.

    Returns:
        The mapper, frozen: the same whether training was interrupted or not.

    Raises:
        ValueError: an argument is not what it must be.
        OSError: the checkpoint cannot be read or written; names it.
    """
    if steps < 1:
        raise ValueError(f"steps: expected 1 or more, got {steps}")
    task = MapperTask(prompt, neutral, steps, seed)
    run = MapperTraining(networks, model, task)
    train(run, steps, "mapper", kept_at(work, "mapper", networks.revision, _seen(networks, model), task))
    return run.mapper.eval().requires_grad_(False)


def _seen(networks: Networks, model: ImageText) -> str:
    """What tells the pair and the encoder from others."""
    digest = hashlib.sha256(model.image + model.text + model.tokenizer.encode())
    for tensor in networks.encoder.state_dict().values() if networks.encoder is not None else ():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
