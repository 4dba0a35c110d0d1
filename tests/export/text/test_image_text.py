"""Pairs are read as exports of CLIP have them; all else is refused by file and reason."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from relatent_export.nets.image_text import IDS, IMAGE_EMBEDS, MASK, PIXELS, TEXT_EMBEDS
from relatent_export.text.encoding import embed_texts, run_images
from relatent_export.text.image_text import read_image_text
from tests.export.text.pairs import (
    CONTEXT,
    SIDE,
    WIDTH,
    WORDS,
    weights,
    write_image,
    write_pair,
    write_preparing,
    write_text,
    write_tokenizer,
)


def test_a_pair_is_read_with_all_that_is_said_of_it(tmp_path: Path) -> None:
    pair = read_image_text(write_pair(tmp_path))
    assert (pair.side, pair.width, pair.context, pair.pad) == (SIDE, WIDTH, CONTEXT, 0)
    assert (pair.mean, pair.std) == ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    for graph, inputs, outputs in (
        (pair.image, [PIXELS], [IMAGE_EMBEDS]), (pair.text, [IDS, MASK], [TEXT_EMBEDS])
    ):  # fmt: skip
        model = onnx.ModelProto.FromString(graph)
        assert [each.name for each in model.graph.input] == inputs
        assert [each.name for each in model.graph.output] == outputs


@pytest.mark.parametrize(("image", "text"), [("image", "text"), ("visual", "textual")])
def test_other_names_of_files_inputs_and_outputs_do(tmp_path: Path, image: str, text: str) -> None:
    expected = read_image_text(write_pair(tmp_path / "usual"))
    folder = write_pair(tmp_path / "other")
    for name in ("vision_model.onnx", "text_model.onnx"):
        os.remove(folder / name)
    write_image(folder / f"{image}.onnx", name="input", output="features")
    write_text(folder / f"{text}.onnx", ids="tokens", output="features")
    found = read_image_text(folder)
    pixels = weights(2, 3, SIDE, SIDE)
    one, other = (run_images(onnx.ModelProto.FromString(each.image), pixels) for each in (found, expected))
    np.testing.assert_array_equal(one, other)
    texts = ["a person", "old"]
    np.testing.assert_array_equal(embed_texts(found, texts), embed_texts(expected, texts))


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32])
@pytest.mark.parametrize("mask", [True, False])
def test_texts_may_have_no_mask_and_be_of_either_type(tmp_path: Path, kind: int, mask: bool) -> None:
    pair = read_image_text(write_pair(tmp_path, text={"kind": kind, "mask": mask}))
    assert embed_texts(pair, ["a person", "old", "smiling"]).shape == (3, WIDTH)


def test_graphs_of_an_old_opset_do(tmp_path: Path) -> None:
    assert read_image_text(write_pair(tmp_path, image={"opset": 11})).width == WIDTH


def test_clips_own_numbers_stand_for_what_is_missing(tmp_path: Path) -> None:
    folder = write_pair(tmp_path, {"dims": ("b", 3, "h", "w")}, {"dims": ("b", "t")})
    os.remove(folder / "preprocessor_config.json")
    pair = read_image_text(folder)
    assert (pair.side, pair.context) == (224, 77)
    assert pair.mean == (0.48145466, 0.4578275, 0.40821073)
    assert pair.std == (0.26862954, 0.26130258, 0.27577711)
    write_preparing(folder / "preprocessor_config.json", size=24)
    write_tokenizer(folder / "tokenizer.json", context=9)
    pair = read_image_text(folder)
    assert (pair.side, pair.context) == (24, 9)


@pytest.mark.parametrize(
    ("image", "text", "what"),
    [
        (
            {"dims": ("b", 3, SIDE)},
            {},
            r"vision_model\.onnx: pixel_values: expected images \[B, 3, S, S\], got",
        ),
        ({"dims": ("b", 1, SIDE, SIDE)}, {}, r"vision_model\.onnx: pixel_values: expected images"),
        ({"dims": ("b", 3, 20, 20)}, {}, r"vision_model\.onnx: .*expected sides of 16 pixels, as preproc"),
        ({"dims": (1, 3, SIDE, SIDE)}, {}, r"vision_model\.onnx: it does not run on 2 at once"),
        ({"kind": TensorProto.DOUBLE}, {}, r"vision_model\.onnx: pixel_values: expected float32, got DOUBLE"),
        ({"last": "Acos"}, {}, r"vision_model\.onnx: .*(finite numbers|node .*: expected an operator)"),
        ({"last": "Erf"}, {"width": 4}, r"text_model\.onnx: expected embeddings of 5 numbers.* got 4"),
        ({}, {"kind": TensorProto.FLOAT}, r"text_model\.onnx: expected the inputs input_ids, int64 or int32"),
        ({}, {"dims": ("b", CONTEXT, 1)}, r"text_model\.onnx: input_ids: expected \[B, T\], got"),
        ({}, {"tokens": 8}, r"tokenizer\.json: expected tokens below 8, as many as text_model\.onnx.* got 9"),
        ({}, {"dims": (1, CONTEXT)}, r"text_model\.onnx: it does not run on 2 at once"),
    ],
)
def test_graphs_that_are_no_pair_are_refused_by_file_and_reason(
    tmp_path: Path, image: Mapping[str, Any], text: Mapping[str, Any], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        read_image_text(write_pair(tmp_path, image, text))


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"image_mean": [0.5]}, "image_mean: expected three numbers"),
        ({"image_std": [0.5, 0, 0.5]}, "image_std: expected numbers above 0"),
        ({"image_mean": [0.5, float("nan"), 0.5]}, "image_mean: expected finite numbers"),
        ({"size": "large"}, "crop_size: expected a number of pixels, got 'large'"),
    ],
)
def test_a_preparation_that_is_none_is_refused_by_its_key(
    tmp_path: Path, said: Mapping[str, Any], what: str
) -> None:
    folder = write_pair(tmp_path)
    write_preparing(folder / "preprocessor_config.json", **said)
    with pytest.raises(ValueError, match=rf"preprocessor_config\.json: {what}"):
        read_image_text(folder)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("vision_model.onnx", "expected an ONNX graph"),
        ("text_model.onnx", "expected an ONNX graph"),
        ("tokenizer.json", "expected a tokenizer"),
        ("preprocessor_config.json", "expected a table in JSON"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, name: str, what: str) -> None:
    folder = write_pair(tmp_path)
    (folder / name).write_bytes(b"[1, 2]")
    with pytest.raises(ValueError, match=f"{name}: {what}"):
        read_image_text(folder)


def test_missing_files_are_told_by_all_their_names(tmp_path: Path) -> None:
    folder = write_pair(tmp_path)
    os.remove(folder / "text_model.onnx")
    expected = r"expected text\.onnx or text_model\.onnx or textual\.onnx, found none"
    with pytest.raises(FileNotFoundError, match=expected):
        read_image_text(folder)


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    folder = write_pair(tmp_path)
    model = onnx.load(folder / "vision_model.onnx")
    onnx.save(
        model, folder / "vision_model.onnx", save_as_external_data=True, location="weights", size_threshold=0
    )
    os.remove(folder / "weights")
    with pytest.raises(ValueError, match=r"vision_model\.onnx: .*expected weights inside the file"):
        read_image_text(folder)


def test_outputs_of_which_none_is_meant_are_told(tmp_path: Path) -> None:
    folder = write_pair(tmp_path)
    model = onnx.load(folder / "text_model.onnx")
    model.graph.output[0].name = "sum"
    model.graph.output.append(
        onnx.helper.make_tensor_value_info("text_embeds_of", TensorProto.FLOAT, ["b", WIDTH])
    )
    model.graph.node[-1].output[0] = "text_embeds_of"
    onnx.save(model, folder / "text_model.onnx")
    with pytest.raises(
        ValueError, match=r"text_model\.onnx: expected an output text_embeds, or one of 2 axes"
    ):
        read_image_text(folder)


def test_the_tokenizers_own_words_are_known(tmp_path: Path) -> None:
    pair = read_image_text(write_pair(tmp_path))
    one, other, same = embed_texts(pair, ["old person", "smiling person", "old person"])
    np.testing.assert_array_equal(one, same)
    assert float(one @ other) < 0.99
    assert len(WORDS) <= 12
