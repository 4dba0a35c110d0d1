"""A pair's text encoder as a pack's graph: it takes the same of every pack, and means what the pair does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from relatent_export.attributes.trying import open_session
from relatent_export.text.encoding import embed_texts, tokens
from relatent_export.text.image_text import read_image_text
from relatent_export.text.serving import text_graph
from tests.export.text.pairs import WIDTH, write_pair

TEXTS = ["a person", "an old person with glasses", "smiling"]


@pytest.mark.parametrize(
    "text",
    [{}, {"mask": False}, {"kind": TensorProto.INT32}, {"dims": ("batch", "sequence")}],
    ids=["mask", "no mask", "int32", "any length"],
)
def test_the_graph_takes_ids_and_a_mask_and_embeds_as_the_pair_does(
    tmp_path: Path, text: dict[str, Any]
) -> None:
    pair = read_image_text(write_pair(tmp_path / "pair", text=text))
    session = open_session(text_graph(pair))
    given = [(each.name, each.type, each.shape[1:]) for each in session.get_inputs()]
    assert given == [(name, "tensor(int64)", [pair.context]) for name in ("ids", "mask")]
    ids, mask = tokens(pair, TEXTS)
    for batch in (1, 3):
        (found,) = session.run(["embedding"], {"ids": ids[:batch], "mask": mask[:batch]})
        assert found.shape == (batch, WIDTH)
        unit = found / np.linalg.norm(found, axis=1, keepdims=True)
        np.testing.assert_allclose(unit, embed_texts(pair, TEXTS[:batch]), atol=1e-6)


def test_the_same_pair_gives_the_same_bytes(tmp_path: Path) -> None:
    pair = read_image_text(write_pair(tmp_path / "pair"))
    first, second = (text_graph(pair).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second
