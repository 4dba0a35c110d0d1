"""What the page on engines says of containers and of NVIDIA's Triton."""

from __future__ import annotations

import re

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from relatent_service.engine.embedded.installation import find_installation
from relatent_service.engine.embedded.launch import size_of_backends
from relatent_service.engine.embedded.locations import MIB, shared_memory_needed
from tests.docs.blocks import ROOT, blocks

ENGINES = ROOT / "docs" / "engines.md"


def number(pattern: str) -> int:
    (found,) = re.findall(pattern, ENGINES.read_text())
    return int(found)


def test_the_shared_memory_told_for_the_demo_pack_is_what_it_needs() -> None:
    assert number(r"(\d+) MiB for the demo pack") == shared_memory_needed(ROOT / "model_repository") / MIB


def test_the_room_told_for_an_embedded_triton_is_enough_and_not_much_more() -> None:
    told = number(r"(\d+) MiB are free") * MIB
    assert told / 2 < size_of_backends(find_installation()) <= told


def test_what_is_to_be_added_to_a_configuration_is_in_tritons_own_schema() -> None:
    for config in (ROOT / "model_repository").glob("*/config.pbtxt"):
        if "ensemble_scheduling" in config.read_text():
            continue
        (more,) = blocks(ENGINES, "protobuf")
        parsed = text_format.Parse(config.read_text() + more, model_config_pb2.ModelConfig())
        assert parsed.parameters["intra_op_thread_count"].string_value == "4"
        assert parsed.parameters["cudnn_conv_algo_search"].string_value == "1"
