from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import text_format
from onnx import TensorProto
from tritonclient.grpc import model_config_pb2

from relatent_export.triton.config import ModelConfig, Tensor, parse_config

CONFIG = ModelConfig(
    name="toy_encode",
    max_batch=8,
    inputs=(Tensor("image", TensorProto.UINT8, (4, 4, 3)),),
    outputs=(Tensor("w", TensorProto.FLOAT, (2, 3)),),
    warmup=(1, 4, 8),
    parameters={"relatent.revision": "abc"},
)


def test_text_says_what_the_values_say_in_tritons_own_schema() -> None:
    parsed = parse_config(CONFIG.to_text())
    assert parsed.name == "toy_encode"
    assert parsed.backend == "onnxruntime"
    assert parsed.max_batch_size == 8
    assert [(t.name, t.data_type, list(t.dims)) for t in parsed.input] == [
        ("image", model_config_pb2.TYPE_UINT8, [4, 4, 3])
    ]
    assert parsed.HasField("dynamic_batching")
    assert not parsed.dynamic_batching.max_queue_delay_microseconds
    assert not parsed.dynamic_batching.HasField("default_queue_policy")
    assert [g.count for g in parsed.instance_group] == [1]
    assert [w.batch_size for w in parsed.model_warmup] == [1, 4, 8]
    assert parsed.parameters["relatent.revision"].string_value == "abc"


def test_a_field_triton_does_not_know_is_refused() -> None:
    with pytest.raises(text_format.ParseError, match="max_batch"):
        parse_config(CONFIG.to_text() + "max_batch: 3\n")


@pytest.mark.parametrize("size", [0, 9])
def test_a_warmup_outside_the_batch_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="warmup: expected sizes from 1 to 8"):
        ModelConfig("x", 8, (), (), (size,))


def test_an_input_that_must_not_be_zero_is_warmed_up_from_a_file_beside_the_configuration(
    tmp_path: Path,
) -> None:
    steps = Tensor("steps", TensorProto.INT32, (1,))
    config = replace(CONFIG, inputs=(*CONFIG.inputs, steps), warmup_data={"steps": b"\1\0\0\0"})
    config.write(tmp_path)
    written = parse_config((tmp_path / "config.pbtxt").read_text())
    for sample in written.model_warmup:
        assert sample.inputs["image"].zero_data
        file = sample.inputs["steps"].input_data_file
        assert (tmp_path / "warmup" / file).read_bytes() == b"\1\0\0\0"
    CONFIG.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.pbtxt"], "nothing is left of another one's"
