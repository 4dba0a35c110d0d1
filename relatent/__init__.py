"""Relatent: GAN inversion and editing as production software.

    import relatent

    with relatent.Client("127.0.0.1:8500") as client:
        inversion = client.invert("portrait.png")
        edit = client.edit(inversion.latent, [relatent.Move("smile", 1.5)])
        edit.images[0].image.save("smiling.png")

Names are loaded when first used, so that importing the stubs in `relatent.v1` or the pack format in
`relatent.core.pack` loads no client code.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relatent.client.aio import (
        AsyncClient,
    )
    from relatent.client.async_edit_session import AsyncEditSession
    from relatent.client.blocking import (
        Client,
    )
    from relatent.client.catalog import (
        AttributeInfo,
        Catalog,
        DirectionInfo,
        Limits,
        LossTerm,
        MethodInfo,
        PackInfo,
        TextInfo,
    )
    from relatent.client.diffusions import Diffusion
    from relatent.client.edit_session import EditSession
    from relatent.client.errors import (
        CallError,
        ClientStateError,
        ContractError,
        DeadlineError,
        FieldViolation,
        InputError,
        InvalidArgumentError,
        LatentFileError,
        NotFoundError,
        OverloadedError,
        PermissionDeniedError,
        PreconditionError,
        RelatentError,
        ServerError,
        TlsError,
        UnauthenticatedError,
        UnavailableError,
        UnimplementedError,
    )
    from relatent.client.estimates import Estimate, PlannedCall, QuotaLeft
    from relatent.client.goals import Goal, Reach
    from relatent.client.images import (
        ImageFormat,
        ImageInput,
        Picture,
    )
    from relatent.client.latents import (
        LatentCode,
    )
    from relatent.client.recipes import (
        Recipe,
    )
    from relatent.client.requests import (
        Interpolate,
        InvertOptions,
        Mix,
        Move,
        Operation,
        Reduce,
        Start,
        Truncate,
    )
    from relatent.client.restoring import (
        Degraded,
        Match,
        Restoration,
    )
    from relatent.client.results import (
        AttributeOutcome,
        Checkpoint,
        Edit,
        EditedImage,
        InDomain,
        Inversion,
        Progress,
        SessionAnswer,
        SynthesizedImage,
        TargetOutcome,
        Timings,
    )
    from relatent.client.retrying import (
        RetryPolicy,
    )
    from relatent.client.seeds import (
        SeedPath,
    )
    from relatent.client.texts import Text
    from relatent.client.tls import Tls
    from relatent.client.transfers import (
        AttributeReading,
        Transfer,
    )
    from relatent.client.within import (
        Within,
    )
    from relatent.core.domain import (
        Domain,
    )
    from relatent.core.fit import (
        Fit,
    )
    from relatent.core.methods import (
        StartRule,
    )
    from relatent.core.presets import (
        Preset,
        PresetChoice,
    )
    from relatent.core.quality import (
        Quality,
    )
    from relatent.core.restoration import (
        RestorationPreset,
    )
    from relatent.core.spaces import (
        Space,
    )
    from relatent.core.stopping import (
        Plateau,
        StopReason,
    )
    from relatent.core.targets import (
        AttributePart,
        End,
    )
    from relatent.core.traffic import TrafficClass

_MODULES = tuple(
    f"relatent.client.{name}"
    for name in (
        "errors",
        "images",
        "latents",
        "results",
        "catalog",
        "diffusions",
        "estimates",
        "goals",
        "requests",
        "restoring",
        "retrying",
        "blocking",
        "aio",
        "edit_session",
        "async_edit_session",
        "recipes",
        "seeds",
        "tls",
        "traffic",
        "transfers",
        "within",
    )
)

__all__ = [
    "AsyncClient",
    "AsyncEditSession",
    "AttributeInfo",
    "AttributeOutcome",
    "AttributePart",
    "AttributeReading",
    "CallError",
    "Catalog",
    "Checkpoint",
    "Client",
    "ClientStateError",
    "ContractError",
    "DeadlineError",
    "Degraded",
    "Diffusion",
    "DirectionInfo",
    "Domain",
    "Edit",
    "EditSession",
    "EditedImage",
    "End",
    "Estimate",
    "FieldViolation",
    "Fit",
    "Goal",
    "ImageFormat",
    "ImageInput",
    "InDomain",
    "InputError",
    "Interpolate",
    "InvalidArgumentError",
    "Inversion",
    "InvertOptions",
    "LatentCode",
    "LatentFileError",
    "Limits",
    "LossTerm",
    "Match",
    "MethodInfo",
    "Mix",
    "Move",
    "NotFoundError",
    "Operation",
    "OverloadedError",
    "PackInfo",
    "PermissionDeniedError",
    "Picture",
    "PlannedCall",
    "Plateau",
    "PreconditionError",
    "Preset",
    "PresetChoice",
    "Progress",
    "Quality",
    "QuotaLeft",
    "Reach",
    "Recipe",
    "Reduce",
    "RelatentError",
    "Restoration",
    "RestorationPreset",
    "RetryPolicy",
    "SeedPath",
    "ServerError",
    "SessionAnswer",
    "Space",
    "Start",
    "StartRule",
    "StopReason",
    "SynthesizedImage",
    "TargetOutcome",
    "Text",
    "TextInfo",
    "Timings",
    "Tls",
    "TlsError",
    "TrafficClass",
    "Transfer",
    "Truncate",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "Within",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in map(importlib.import_module, _MODULES):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module 'relatent' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
