"""The demo's image-text pair: a small convolutional network and a small transformer, into one space.

After CLIP (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.demo.factors import FACTORS

EMBEDDING = 64
"""Numbers of an embedding, E."""
CONTEXT = 32
"""Tokens of a text, T."""

_CHANNELS = (24, 48, 96, 96)
_DENSE = 128
_WIDTH, _HEADS, _BLOCKS = 64, 4, 2
_LEAK = 0.1
_FIRST_SCALE = 10.0


class ImageTower(nn.Module):
    """Images to embeddings: strided convolutions, as cheap in a gradient graph as can be.

    Args:
        resolution: of the images, a multiple of 16.
    """

    def __init__(self, resolution: int) -> None:
        super().__init__()
        inputs = (3, *_CHANNELS)
        self.down = nn.ModuleList(
            nn.Conv2d(inputs[i], inputs[i + 1], 3, stride=2, padding=1) for i in range(4)
        )
        self.same = nn.ModuleList(nn.Conv2d(count, count, 3, padding=1) for count in _CHANNELS[:3])
        self.dense = nn.Linear(_CHANNELS[-1] * (resolution // 16) ** 2, _DENSE)
        self.output = nn.Linear(_DENSE, EMBEDDING)
        for module in (*self.down, *self.same, self.dense):
            nn.init.kaiming_normal_(module.get_parameter("weight"), _LEAK)
            nn.init.zeros_(module.get_parameter("bias"))

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised images, float [B, 3, R, R], to embeddings of any length, float [B, E]."""
        x = pixels
        for index, down in enumerate(self.down):
            x = F.leaky_relu(down(x), _LEAK)
            if index < len(self.same):
                x = F.leaky_relu(self.same[index](x), _LEAK)
        output: Tensor = self.output(F.leaky_relu(self.dense(x.flatten(1)), _LEAK))
        return output


class TextTower(nn.Module):
    """Tokens to embeddings: the mean over a text's tokens of what a transformer makes of them.

    Args:
        tokens: how many the tokenizer knows.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(tokens, _WIDTH)
        self.places = nn.Parameter(0.02 * torch.randn(CONTEXT, _WIDTH))
        self.blocks = nn.ModuleList(_TextBlock() for _ in range(_BLOCKS))
        self.norm = nn.LayerNorm(_WIDTH)
        self.output = nn.Linear(_WIDTH, EMBEDDING)
        nn.init.normal_(self.tokens.weight, std=0.1)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Tokens int64 [B, T], and 1 for each that counts, int64 [B, T], to float [B, E]."""
        counts = mask.to(self.places.dtype)
        hidden = (1 - counts)[:, None, None, :] * -1e4
        x = self.tokens(ids) + self.places
        for block in self.blocks:
            x = block(x, hidden)
        weights = counts[:, :, None]
        output: Tensor = self.output((self.norm(x) * weights).sum(1) / weights.sum(1))
        return output


class ImageTextNetworks(nn.Module):
    """Both towers, how sharply embeddings are told apart, and what training reads off them besides.

    Args:
        resolution: of the images.
        tokens: how many the tokenizer knows.
    """

    def __init__(self, resolution: int, tokens: int) -> None:
        super().__init__()
        self.image, self.text = ImageTower(resolution), TextTower(tokens)
        self.scale = nn.Parameter(torch.tensor(_FIRST_SCALE).log())
        self.factors = nn.Linear(EMBEDDING, len(FACTORS))

    def forward(self, pixels: Tensor, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compare images [B, 3, R, R] with texts [C, T].

        Returns:
            How well they go together, float32 [B, C], and what the images' embeddings tell of the factors,
            float32 [B, 16].
        """
        with torch.autocast("cpu", torch.bfloat16):
            image, text = self.image(pixels).float(), self.text(ids, mask).float()
        cosines = F.normalize(image, dim=1) @ F.normalize(text, dim=1).t()
        return cosines * self.scale.exp(), self.factors(image)


class _TextBlock(nn.Module):
    """Attention and a perceptron, each normalised before and added to what it is of."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(_WIDTH) for _ in range(2))
        self.asked = nn.Linear(_WIDTH, 3 * _WIDTH)
        self.found = nn.Linear(_WIDTH, _WIDTH)
        self.wide, self.narrow = nn.Linear(_WIDTH, 4 * _WIDTH), nn.Linear(4 * _WIDTH, _WIDTH)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """[B, T, W] to [B, T, W]; `hidden` [B, 1, 1, T] is far below 0 where nothing is to be looked at."""
        heads = self.asked(self.norms[0](x)).reshape(-1, CONTEXT, 3, _HEADS, _WIDTH // _HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(2, 3) / (_WIDTH // _HEADS) ** 0.5 + hidden
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(-1, CONTEXT, _WIDTH)
        x = x + self.found(mixed)
        return torch.add(x, self.narrow(F.gelu(self.wide(self.norms[1](x)))))
