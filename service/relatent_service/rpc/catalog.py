"""`relatent.v1.CatalogService`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from relatent.core.attributes import Attribute
from relatent.core.directions import Direction
from relatent.core.methods import Method
from relatent.core.pack import Pack
from relatent.core.spaces import Space
from relatent.core.text import TextModel
from relatent.v1 import catalog_pb2, catalog_pb2_grpc
from relatent_service.catalog import ServedPacks
from relatent_service.rpc.context import Context
from relatent_service.rpc.estimating import Estimates
from relatent_service.rpc.spaces import PRESETS, SPACES
from relatent_service.settings import ServerSettings

_SPACES = {
    Space.W: catalog_pb2.DIRECTION_SPACE_W,
    Space.W_PLUS: catalog_pb2.DIRECTION_SPACE_W_PLUS,
    Space.Z: catalog_pb2.DIRECTION_SPACE_Z,
    Space.STYLE: catalog_pb2.DIRECTION_SPACE_S,
    Space.P: catalog_pb2.DIRECTION_SPACE_P,
}


@dataclass(frozen=True)
class CatalogServicer(catalog_pb2_grpc.CatalogServiceServicer):
    """Describes what is served, and what calls would cost."""

    packs: ServedPacks
    settings: ServerSettings
    estimates: Estimates

    async def ListPacks(  # noqa: N802
        self, request: catalog_pb2.ListPacksRequest, context: Context
    ) -> catalog_pb2.ListPacksResponse:
        """List the packs."""
        packs = [self._pack_message(pack) for pack in self.packs.allowed().values()]
        return catalog_pb2.ListPacksResponse(packs=packs, limits=self._limits_message())

    async def GetPack(  # noqa: N802
        self, request: catalog_pb2.GetPackRequest, context: Context
    ) -> catalog_pb2.GetPackResponse:
        """Describe one pack."""
        pack = self.packs.pack(request.pack, "pack")
        return catalog_pb2.GetPackResponse(pack=self._pack_message(pack), limits=self._limits_message())

    async def Estimate(  # noqa: N802
        self, request: catalog_pb2.EstimateRequest, context: Context
    ) -> catalog_pb2.EstimateResponse:
        """Say what a call would cost and wait now."""
        return self.estimates.estimate(request)

    def _limits_message(self) -> catalog_pb2.Limits:
        return catalog_pb2.Limits(
            max_message_bytes=self.settings.max_message_bytes,
            max_image_bytes=self.settings.max_image_bytes,
            max_image_pixels=self.settings.max_image_pixels,
            max_steps=self.settings.max_steps,
            max_images=self.settings.max_images,
        )

    def _pack_message(self, pack: Pack) -> catalog_pb2.Pack:
        return catalog_pb2.Pack(
            name=pack.name,
            revision=pack.revision,
            description=pack.description,
            licence=pack.licence,
            provenance=pack.provenance,
            resolution=pack.resolution,
            layers=pack.layers,
            width=pack.width,
            attributes=pack.attribute_names,
            directions=[_direction_message(pack, direction) for direction in pack.directions.values()],
            losses=_loss_terms(pack.default_method),
            default_steps=min(pack.default_method.default_steps, self.settings.max_steps),
            encoder=pack.encoder,
            compare_side=pack.compare_size,
            metrics=pack.metrics,
            methods=[self._method_message(pack, method) for method in pack.methods.values()],
            presets=[
                catalog_pb2.PresetChoice(preset=PRESETS[preset], method=choice.method, steps=choice.steps)
                for preset, choice in pack.presets.items()
            ],
            domain=None if pack.domain is None else catalog_pb2.Domain(**asdict(pack.domain)),
            described_attributes=map(_attribute_message, pack.attributes),
            exact_edits=pack.controls is not None,
            text=None if pack.text is None else _text_message(pack.text),
        )

    def _method_message(self, pack: Pack, method: Method) -> catalog_pb2.Method:
        return catalog_pb2.Method(
            name=method.name,
            space=SPACES[method.space],
            losses=_loss_terms(method),
            default_steps=min(method.default_steps, self.settings.max_steps),
            starts=method.rates,
            inputs=method.inputs,
            measured=method.measured,
            code_bytes=pack.spaces[method.space].bytes,
        )


def _loss_terms(method: Method) -> list[catalog_pb2.LossTerm]:
    return [catalog_pb2.LossTerm(name=name, default_weight=weight) for name, weight in method.terms.items()]


def _attribute_message(attribute: Attribute) -> catalog_pb2.Attribute:
    return catalog_pb2.Attribute(
        name=attribute.name,
        label=attribute.label,
        unit=attribute.unit,
        low=attribute.low,
        high=attribute.high,
    )


def _direction_message(pack: Pack, direction: Direction) -> catalog_pb2.Direction:
    scales = {attribute.name: attribute.scale for attribute in pack.attributes}
    return catalog_pb2.Direction(
        name=direction.name,
        attribute=direction.attribute,
        first_layer=direction.first_layer,
        last_layer=direction.last_layer,
        calibration=direction.calibration * scales.get(direction.attribute, 1.0),
        min_strength=direction.min_strength,
        max_strength=direction.max_strength,
        space=_SPACES[direction.space],
        licence=direction.licence,
        source=direction.source,
        method=direction.method,
        leak=direction.leak,
        learned=direction.learned,
    )


def _text_message(model: TextModel) -> catalog_pb2.TextModel:
    return catalog_pb2.TextModel(
        tokens=model.context, neutral=model.neutral, strength=model.strength, beta=model.beta
    )
