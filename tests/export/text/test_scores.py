"""A text score is a graph that attributes are read with, as a pack's own and as a user's network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from relatent.core.attributes import Attribute
from relatent_export.attributes.graphs import IMAGE, READINGS
from relatent_export.attributes.network import ImageNetwork, TakenAttribute
from relatent_export.attributes.trying import adapt_networks, open_session, synthesis_reader
from relatent_export.nets.image_text import ImageText
from relatent_export.nets.networks import Networks
from relatent_export.text.encoding import ImageEmbedding, embed_texts
from relatent_export.text.scores import score_graph
from tests.export.attributes.networks import write_means

PROMPTS = [("an old person", "a person"), ("a smiling person", "a person")]


@pytest.fixture(scope="module")
def graph(pair: ImageText) -> bytes:
    return score_graph(pair, PROMPTS, 32)


def images(count: int = 3) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_a_score_is_a_hundred_times_the_difference_of_cosines(pair: ImageText, graph: bytes) -> None:
    found = open_session(onnx.ModelProto.FromString(graph)).run([READINGS], {IMAGE: images()})[0]
    embedded = ImageEmbedding(pair, 32)(torch.from_numpy(images()).permute(0, 3, 1, 2).float() / 127.5 - 1)
    asked, neutral = (embed_texts(pair, texts) for texts in zip(*PROMPTS, strict=True))
    expected = 100 * (embedded.numpy() @ asked.T - embedded.numpy() @ neutral.T)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_pack_takes_it_for_a_users_attribute_network(small: Networks, graph: bytes, tmp_path: Path) -> None:
    (tmp_path / "old.onnx").write_bytes(graph)
    taken = (TakenAttribute(Attribute("old", "old"), 0),)
    means = ImageNetwork(write_means(tmp_path / "means.onnx"))
    adapted = adapt_networks([ImageNetwork(tmp_path / "old.onnx", taken=taken), means], small.generator)
    assert [each.name for each in adapted.attributes] == ["old", "means_0", "means_1", "means_2"]
    found = open_session(onnx.ModelProto.FromString(adapted.graph)).run([READINGS], {IMAGE: images()})[0]
    alone = open_session(onnx.ModelProto.FromString(graph)).run([READINGS], {IMAGE: images()})[0]
    np.testing.assert_allclose(found[:, 0], alone[:, 0], atol=1e-4)


def test_it_tells_changes_of_a_code_that_bytes_would_lose(
    small: Networks, graph: bytes, tmp_path: Path
) -> None:
    (tmp_path / "old.onnx").write_bytes(graph)
    adapted = adapt_networks([ImageNetwork(tmp_path / "old.onnx")], small.generator, lambda _: None)
    read = synthesis_reader(adapted.graph, small.generator.synthesis)
    codes = small.generator.codes(torch.randn(2, 8, generator=torch.Generator().manual_seed(2)), 1.0).numpy()
    assert (read(codes + np.float32(1e-4)) != read(codes)).all()


def test_a_network_that_takes_bytes_is_prepared_for_by_nobody(
    small: Networks, pair: ImageText, tmp_path: Path
) -> None:
    file = tmp_path / "score.onnx"
    file.write_bytes(score_graph(pair, PROMPTS, 32))
    with pytest.raises(ValueError, match=r"score\.onnx: mean: expected none of a network that takes bytes"):
        adapt_networks([ImageNetwork(file, mean=(0.5,))], small.generator)
    file.write_bytes(score_graph(pair, PROMPTS, 16))
    with pytest.raises(ValueError, match=r"score\.onnx: size: expected \[32, 32\], as the generator's"):
        adapt_networks([ImageNetwork(file)], small.generator)


def test_no_prompts_and_blank_ones_are_refused(pair: ImageText) -> None:
    with pytest.raises(ValueError, match="prompts: expected one or more, got none"):
        score_graph(pair, [], 32)
    with pytest.raises(ValueError, match=r"texts\[0\]: expected words"):
        score_graph(pair, [("", "a person")], 32)
