"""What the fake server says that it has."""

from __future__ import annotations

from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2

from relatent.v1 import catalog_pb2, types_pb2

PACK, REVISION = "tiny", "1" * 64
SHAPE = (2, 4)


def catalog() -> catalog_pb2.ListPacksResponse:
    return catalog_pb2.ListPacksResponse(packs=[pack()], limits=limits())


def pack() -> catalog_pb2.Pack:
    return catalog_pb2.Pack(
        name=PACK,
        revision=REVISION,
        description="a fake",
        licence="Apache-2.0",
        resolution=8,
        layers=SHAPE[0],
        width=SHAPE[1],
        attributes=["brightness"],
        directions=[
            catalog_pb2.Direction(
                name="brightness",
                attribute="brightness",
                last_layer=1,
                calibration=0.5,
                min_strength=-3,
                max_strength=3,
                method="jacobian",
                leak=4.25,
            ),
            catalog_pb2.Direction(
                name="age",
                min_strength=-3,
                max_strength=3,
                space=catalog_pb2.DIRECTION_SPACE_Z,
                licence="MIT",
                source="InterFaceGAN",
            ),
            catalog_pb2.Direction(name="depth", last_layer=1, space=catalog_pb2.DIRECTION_SPACE_P),
            catalog_pb2.Direction(
                name="channel", attribute="brightness", space=catalog_pb2.DIRECTION_SPACE_S
            ),
            catalog_pb2.Direction(name="old_mapper", last_layer=1, method="text_mapper", learned=True),
        ],
        losses=[catalog_pb2.LossTerm(name="pixel", default_weight=1.0)],
        default_steps=20,
        text=catalog_pb2.TextModel(tokens=32, neutral="a person", strength=1.5, beta=0.25),
    )


def limits() -> catalog_pb2.Limits:
    return catalog_pb2.Limits(
        max_message_bytes=32 << 20,
        max_image_bytes=20 << 20,
        max_image_pixels=50_000_000,
        max_steps=2000,
        max_images=3,
    )


def estimate() -> catalog_pb2.EstimateResponse:
    refused = types_pb2.Refusal(code=code_pb2.RESOURCE_EXHAUSTED, message="the key has had its steps")
    for detail in (
        error_details_pb2.ErrorInfo(reason="STEPS_QUOTA", domain="relatent"),
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=12)),
    ):
        packed = any_pb2.Any()
        packed.Pack(detail)
        refused.details.append(packed)
    return catalog_pb2.EstimateResponse(
        steps=207,
        engine=duration_pb2.Duration(seconds=2, nanos=500_000_000),
        wait=duration_pb2.Duration(nanos=250_000_000),
        answer=duration_pb2.Duration(seconds=3),
        refusal=refused,
        quota=catalog_pb2.QuotaLeft(steps=100),
    )
