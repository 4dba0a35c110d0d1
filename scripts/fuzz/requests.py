"""What is sent: requests of every method that the pack `tiny` answers, and changed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from relatent.core.pack import Pack
from relatent.v1 import (
    catalog_pb2,
    diffusion_pb2,
    editing_pb2,
    inversion_pb2,
    restoration_pb2,
    synthesis_pb2,
    types_pb2,
)
from relatent_service.inversion.refinement import starting_at
from relatent_service.rpc.messages import checkpoint_message
from scripts.fuzz.methods import METHODS, RpcMethod
from scripts.fuzz.mutations import messages_in, mutate_bytes, mutate_fields
from scripts.fuzz.pictures import odd_picture
from tests.fixtures.requests import code, encoded, image, latent

_KINDS = ("whole", *("fields",) * 5, *("picture",) * 3, *("bytes",) * 2)
_STEPS = 40

FORMATS = types_pb2.ImageFormat.values()

Examples = Mapping[str, Sequence[Sequence[Message]]]


@dataclass(frozen=True)
class Probe:
    """A call to be made.

    Attributes:
        method: its name.
        messages: its requests as they travel; one, but for methods that take a stream.
    """

    method: str
    messages: tuple[bytes, ...]


def make_probe(examples: Examples, rng: Random) -> Probe:
    """A request of any method: whole, with other fields, with a spoilt picture, or with spoilt bytes."""
    method = METHODS[rng.choice(sorted(examples))]
    messages = [_copy(message) for message in rng.choice(examples[method.name])]
    kind = rng.choice(_KINDS)
    if kind == "fields":
        mutate_fields(rng.choice(messages), rng)
    if kind == "picture":
        _spoil_picture(messages, rng)
    travelling = [message.SerializeToString() for message in messages]
    if kind == "bytes":
        at = rng.randrange(len(travelling))
        travelling[at] = mutate_bytes(travelling[at], rng)
    return Probe(method.name, tuple(travelling))


def whole_requests(pack: Pack) -> Examples:
    """What the pack `tiny` answers where it restores and knows texts.

    Returns:
        Of each method several requests, of each its messages.
    """
    refinements, restorations, edits = _inversions(pack), _restorations(), _edits()
    diffusion = diffusion_pb2.DiffuseRequest(target=image(1), context=image(2), region=_region(), blend=True)
    return {
        "Invert": [[inversion_pb2.InvertRequest(image=image(), options=options)] for options in refinements],
        "InvertStream": [
            [_reporting(METHODS["InvertStream"], image=image(), options=options)] for options in refinements
        ],
        "Restore": [[restoration_pb2.RestoreRequest(**fields)] for fields in restorations],
        "RestoreStream": [[_reporting(METHODS["RestoreStream"], **fields)] for fields in restorations],
        "Edit": [[edit] for edit in edits],
        "EditStream": [_session(edit) for edit in edits],
        "Read": [[editing_pb2.ReadRequest(image=image(), fit=types_pb2.FIT_CROP)]],
        "Diffuse": [[diffusion]],
        "Synthesize": [
            [
                synthesis_pb2.SynthesizeRequest(
                    latents=[latent(code(1)), latent(code(2)[0])], output_format=types_pb2.IMAGE_FORMAT_JPEG
                )
            ]
        ],
        "Sample": [
            [
                synthesis_pb2.SampleRequest(
                    pack="tiny",
                    seeds=[1, 2, 2**63],
                    truncation=0.5,
                    output_format=types_pb2.IMAGE_FORMAT_RAW_RGB,
                )
            ],
            [synthesis_pb2.SampleRequest(path=synthesis_pb2.SeedPath(first=1, last=2, amounts=[0, 0.5, 1]))],
        ],
        "ListPacks": [[catalog_pb2.ListPacksRequest()]],
        "GetPack": [[catalog_pb2.GetPackRequest(pack="tiny")]],
        "Estimate": [
            [catalog_pb2.EstimateRequest(deadline=Duration(seconds=2), **call)]
            for call in (
                {"invert": inversion_pb2.InvertRequest(options=refinements[0])},
                {"edit": edits[0]},
                {"restore": restoration_pb2.RestoreRequest(**restorations[0])},
                {"diffuse": diffusion},
                {"synthesize": synthesis_pb2.SynthesizeRequest(latents=[latent(code(1))])},
                {"sample": synthesis_pb2.SampleRequest(seeds=[1, 2])},
            )
        ],
    }


def _copy(message: Message) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _spoil_picture(messages: Sequence[Message], rng: Random) -> None:
    pictures = [
        inner for message in messages for inner in messages_in(message) if isinstance(inner, types_pb2.Image)
    ]
    if pictures:
        rng.choice(pictures).CopyFrom(odd_picture(rng))
    else:
        mutate_fields(rng.choice(messages), rng)


def _reporting(method: RpcMethod, **fields: Any) -> Message:
    return method.request(**fields, preview_every=1, checkpoint_every=2)


def _half() -> types_pb2.Image:
    mask = np.zeros((8, 8), np.uint8)
    mask[:, :4] = 255
    return types_pb2.Image(data=encoded(mask))


def _region() -> editing_pb2.Region:
    return editing_pb2.Region(mask=_half(), feather=1)


def _inversions(pack: Pack) -> list[inversion_pb2.InversionOptions]:
    options, refinement = inversion_pb2.InversionOptions, inversion_pb2.Refinement
    plateau = inversion_pb2.Plateau(steps=3, min_improvement=0.01)
    checkpoint = checkpoint_message(pack, starting_at(pack.default_method, code(1)))
    few = refinement(steps=_STEPS)
    return [
        options(refinement=refinement(steps=9, weights={"pixel": 2, "anchor": 0.1}, mask=_half())),
        options(
            method="momentum",
            mean=inversion_pb2.MeanStart(),
            fit=types_pb2.FIT_PAD,
            output_format=types_pb2.IMAGE_FORMAT_WEBP,
            restarts=3,
        ),
        options(latent=latent(code(1)), refinement=refinement(plateau=plateau, target_loss=1e-6)),
        options(checkpoint=checkpoint, refinement=few, no_cache=True),
        options(
            encoder=inversion_pb2.EncoderStart(), refinement=few, output_format=types_pb2.IMAGE_FORMAT_RAW_RGB
        ),
        options(refinement=refinement(time_budget=Duration(nanos=10**8), best_at_deadline=True)),
        options(method="text", refinement=refinement(text="old person", neutral="a person")),
    ]


def _restorations() -> list[dict[str, Any]]:
    options, degradation = restoration_pb2.RestorationOptions, restoration_pb2.Degradation
    small = types_pb2.Image(data=encoded(np.full((4, 4, 3), 99, np.uint8)))
    grey, quarter = [0.3, 0.6, 0.1] * 3, restoration_pb2.Resampling(rows=2, columns=4)
    return [
        {
            "image": image(),
            "options": options(preset=restoration_pb2.RESTORATION_PRESET_COLORIZE, keep_known=True),
        },
        {"image": small, "options": options(preset=restoration_pb2.RESTORATION_PRESET_UPSCALE)},
        {
            "image": image(),
            "options": options(
                preset=restoration_pb2.RESTORATION_PRESET_INPAINT, degradation=degradation(mask=_half())
            ),
        },
        {"image": image(), "options": options(preset=restoration_pb2.RESTORATION_PRESET_DENOISE)},
        {
            "image": image(),
            "options": options(degradation=degradation(blur=0.7, resampling=quarter, colour=grey)),
        },
    ]


def _edits() -> list[editing_pb2.EditRequest]:
    operation, layers = editing_pb2.Operation, editing_pb2.LayerRange(first=1, last=1)
    goal = editing_pb2.AttributeGoal(attribute="brightness", by=[5])
    operations = [
        operation(
            direction=editing_pb2.DirectionMove(
                direction="brightness",
                strengths=[0.5],
                conditions=["redness"],
                mode=editing_pb2.STRENGTH_MODE_ABSOLUTE,
            )
        ),
        operation(style_mix=editing_pb2.StyleMix(other=latent(code(2)), layers=layers)),
        operation(interpolation=editing_pb2.Interpolation(other=latent(code(3)), amounts=[0.5])),
        operation(truncation=editing_pb2.Truncation(psi=0.7)),
        operation(reduction=editing_pb2.Reduction()),
        operation(attribute_target=editing_pb2.AttributeTarget(goals=[goal], max_rounds=3)),
        operation(
            expression_transfer=editing_pb2.ExpressionTransfer(
                source=latent(code(4)), target=latent(code(5)), amounts=[1], threshold=0.1
            )
        ),
        operation(text=editing_pb2.TextMove(prompt="old person", strengths=[1], beta=0.3)),
    ]
    edits = [
        editing_pb2.EditRequest(
            latent=latent(code(index)), operations=[each], output_format=FORMATS[index % 5]
        )
        for index, each in enumerate(operations)
    ]
    options = inversion_pb2.InversionOptions(refinement=inversion_pb2.Refinement(steps=4))
    source = editing_pb2.ImageSource(image=image(3), options=options)
    edits.append(editing_pb2.EditRequest(image=source, operations=operations[:1], region=_region()))
    edits.append(editing_pb2.EditRequest(latent=latent(code(1)), operations=operations[:4], region=_region()))
    return edits


def _session(edit: editing_pb2.EditRequest) -> list[Message]:
    """The edit as a session: its opening, the change, and another one."""
    opening = editing_pb2.EditSessionOpening(
        latent=edit.latent if edit.HasField("latent") else None,
        image=edit.image if edit.HasField("image") else None,
        region=edit.region if edit.HasField("region") else None,
        output_format=edit.output_format,
    )
    changes = [
        editing_pb2.EditChange(number=1, operations=edit.operations),
        editing_pb2.EditChange(number=2, operations=edit.operations[:1]),
    ]
    return [
        editing_pb2.EditStreamRequest(open=opening),
        *(editing_pb2.EditStreamRequest(change=change) for change in changes),
    ]
