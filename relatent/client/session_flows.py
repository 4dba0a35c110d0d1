"""A session opened, and held over as many calls as it takes; written once for both clients."""

from __future__ import annotations

from typing import Any

import grpc

from relatent.client.errors import UnavailableError, call_error
from relatent.client.exchange import Exchange
from relatent.client.flows import Flows
from relatent.client.images import ImageFormat, ImageInput, format_message, image_message
from relatent.client.latents import LatentCode, latent_message
from relatent.client.requests import InvertOptions
from relatent.client.retrying import Converse, Convert, Flow, Sleep, UntilWanted, logger, retrying
from relatent.client.settings import ClientSettings
from relatent.client.traffic import tell_class
from relatent.client.within import Within, region_message
from relatent.v1 import editing_pb2

_PATH = "/relatent.v1.EditingService/EditStream"
_ENDED_FOR_SILENCE = "SESSION_IDLE"


class SessionFlows:
    """What a client does about sessions.

    Args:
        settings: the client's.
        flows: what else it does.
        timeout: seconds to open a session, and to open it again; None: the client's.
    """

    def __init__(self, settings: ClientSettings, flows: Flows, timeout: float | None) -> None:
        self._settings = settings
        self._flows = flows
        self.timeout = settings.limit(timeout).seconds

    def prepare(
        self,
        source: LatentCode | ImageInput,
        within: Within | None,
        output_format: ImageFormat | str | None,
        options: InvertOptions,
    ) -> Flow[Exchange]:
        """Find the code that is edited, which outlives a server; see `Client.edit_session`."""
        opening = editing_pb2.EditSessionOpening(output_format=format_message(output_format))
        tell_class(opening, self._settings.traffic_class)
        if within is not None:
            image = None if isinstance(source, LatentCode) else (yield Convert(lambda: image_message(source)))
            region = yield Convert(lambda: region_message(within, options.get("fit"), image))
            opening.region.CopyFrom(region)
        inversion = None
        if isinstance(source, LatentCode):
            latent = source
        else:
            inversion = yield from self._flows.invert(source, options, None, 0, self.timeout)
            latent = inversion.latent
        opening.latent.CopyFrom(latent_message(latent))
        return Exchange(opening, inversion, self._settings.check_size)

    def converse(self, exchange: Exchange, talk: Any) -> Flow[None]:
        """Hold a session to its end: whenever its server is lost, open it again within the timeout.

        Where the server has ended it for its silence, that is put off until there is something to say.

        Args:
            exchange: what was said and heard.
            talk: what says and hears it, as the transport that drives this wants it.

        Raises:
            CallError: it could not be opened, or not again.
        """
        addresses = self._flows.addresses

        def attempt(address: str, left: float) -> Flow[bool]:
            """Whether the session was ended for its silence."""
            if exchange.hung_up:  # while this slept after the attempt before
                return False
            exchange.begin()
            try:
                yield Converse(address, _PATH, editing_pb2.EditStreamResponse, left, talk)
            except grpc.RpcError as error:
                if exchange.hung_up or exchange.is_complete:
                    return False
                lost = call_error(error, address)
                if not (lost.retriable and exchange.progressed):
                    raise
                if lost.reason == _ENDED_FOR_SILENCE:
                    return True
                addresses.give_up(address)
                logger.warning("%s: %s; opening the session again", address, lost.message)
                return False
            if not (exchange.hung_up or exchange.is_complete):
                raise UnavailableError(
                    grpc.StatusCode.UNKNOWN, "the stream ended before the session", address=address
                )
            return False

        while True:
            limit = self._settings.limit(self.timeout)
            idle = yield from retrying(attempt, addresses, self._settings.retry, limit)
            if idle:
                yield UntilWanted(talk)
            if exchange.hung_up or exchange.is_complete:
                return
            if not idle and len(addresses) == 1:
                yield Sleep(self._settings.retry.backoff(1))
