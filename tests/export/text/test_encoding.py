"""Texts and images are embedded at unit length, images as the pair itself wants them, with gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from relatent_export.compile.onnx import EXAMPLES
from relatent_export.nets.image_text import ImageText
from relatent_export.text.encoding import ImageEmbedding, embed_texts, run_images, tokens
from tests.export.nets.exporting import assert_exports
from tests.export.text.pairs import CONTEXT, SIDE, WIDTH


def pixels(side: int, batch: int = 3, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, 3, side, side), generator=random, dtype=torch.uint8)


def test_texts_are_embedded_at_unit_length_each_by_itself(pair: ImageText) -> None:
    texts = ["a person", "a smiling person", "old"]
    together = embed_texts(pair, texts)
    assert together.shape == (3, WIDTH)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(together[1:2], embed_texts(pair, texts[1:2]), atol=1e-6)


def test_texts_are_filled_up_to_the_context(pair: ImageText) -> None:
    ids, mask = tokens(replace(pair, pad=7), ["a person", "old"])
    assert ids.tolist() == [[2, 3, 7, 7, 7, 7], [5, 7, 7, 7, 7, 7]]
    assert mask.sum(1).tolist() == [2, 1]


def test_texts_that_say_nothing_or_too_much_are_refused_by_their_place(pair: ImageText) -> None:
    with pytest.raises(ValueError, match=r"texts\[1\]: expected words, got ' '"):
        embed_texts(pair, ["a person", " "])
    with pytest.raises(ValueError, match=rf"texts\[0\]: expected a text of at most {CONTEXT} tokens, got 7"):
        embed_texts(pair, ["a " * 7])


def test_images_are_normalised_as_the_pair_wants_them(pair: ImageText) -> None:
    image = pixels(SIDE)
    mean, std = (np.array(each, np.float32)[:, None, None] for each in (pair.mean, pair.std))
    expected = run_images(
        onnx.ModelProto.FromString(pair.image), (image.numpy() / np.float32(255) - mean) / std
    )
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = ImageEmbedding(pair, SIDE)(image.float() / 127.5 - 1)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
    forgotten = replace(pair, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    assert np.abs(ImageEmbedding(forgotten, SIDE)(image.float() / 127.5 - 1).numpy() - expected).max() > 1e-2


def test_images_of_a_whole_multiple_are_averaged(pair: ImageText) -> None:
    image = pixels(2 * SIDE).float() / 127.5 - 1
    halved = torch.nn.functional.avg_pool2d(image, 2)
    torch.testing.assert_close(ImageEmbedding(pair, 2 * SIDE)(image), ImageEmbedding(pair, SIDE)(halved))


@pytest.mark.parametrize("side", [8, 11, 24, 40])
def test_others_are_resized_as_pictures_are_for_clip(pair: ImageText, side: int) -> None:
    image = pixels(side)
    resized = [[_resized(plane) for plane in each] for each in image.numpy()]
    expected = ImageEmbedding(pair, SIDE)(torch.from_numpy(np.array(resized)) / 127.5 - 1)
    torch.testing.assert_close(
        ImageEmbedding(pair, side)(image.float() / 127.5 - 1), expected, atol=1e-4, rtol=1e-4
    )


def _resized(plane: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    picture = Image.fromarray(plane.astype(np.float32))
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def test_gradients_reach_the_pixels_and_are_those_of_finite_differences(pair: ImageText) -> None:
    embedding = ImageEmbedding(pair, 24).double()
    image = (pixels(24, 1).double() / 127.5 - 1).requires_grad_()
    assert torch.autograd.gradcheck(embedding, (image,), fast_mode=True)


def test_the_embedding_is_exported_for_batches_of_any_size(pair: ImageText) -> None:
    assert_exports(ImageEmbedding(pair, 2 * SIDE), torch.randn(EXAMPLES, 3, 2 * SIDE, 2 * SIDE))
