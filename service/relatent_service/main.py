"""A server's life: put together, serve, drain, stop."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import grpc

from relatent.core.access_keys import AccessKeysError
from relatent.core.manifest import PackError
from relatent.core.pack import read_packs
from relatent_service.access.access import Access
from relatent_service.access.certificates import UnusableCertificate
from relatent_service.access.exposure import exposure
from relatent_service.access.watched import keep_renewing
from relatent_service.caching.latents import LatentCache
from relatent_service.caching.redis_store import open_redis
from relatent_service.caching.remote import RemoteResults, Store
from relatent_service.catalog import ServedPacks
from relatent_service.channels import TritonCredentials, UnusableTritonCredentials
from relatent_service.editing.open_sessions import OpenSessions
from relatent_service.editing.synthesizer import Synthesizer
from relatent_service.engine.choose import EngineKind, NoEngine, choose_engine, describe
from relatent_service.engine.engine import Engine
from relatent_service.engine.measured import MeasuredEngine
from relatent_service.engine.models import Models
from relatent_service.engine.retrying import RetryingEngine
from relatent_service.engine.traced import traced
from relatent_service.inversion.inverter import Inverter
from relatent_service.inversion.rehearsal import rehearse
from relatent_service.listening import CannotListen, listen_for_calls, serve_metrics
from relatent_service.memory import give_back
from relatent_service.readiness import Readiness
from relatent_service.ready_file import UnusableReadyFile, remove_ready_file, write_ready_file
from relatent_service.rpc.catalog import CatalogServicer
from relatent_service.rpc.diffusion import DiffusionServicer
from relatent_service.rpc.edit_stream import EditSessions
from relatent_service.rpc.editing import EditingServicer
from relatent_service.rpc.estimating import Estimates
from relatent_service.rpc.health import HealthServicer
from relatent_service.rpc.interceptors import CallInterceptor
from relatent_service.rpc.inversion import InversionServicer
from relatent_service.rpc.inverting import Inversions
from relatent_service.rpc.reading.images import Decoder
from relatent_service.rpc.restoration import RestorationServicer
from relatent_service.rpc.server import SERVICES, Servicers, make_server
from relatent_service.rpc.synthesis import SynthesisServicer
from relatent_service.settings import ServerSettings
from relatent_service.signals import stop_signal, stop_with_input
from relatent_service.telemetry.logs import set_up_logs
from relatent_service.telemetry.metrics import Metrics
from relatent_service.telemetry.tracing import set_up_traces
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.lifecycle import Lifecycle
from relatent_service.traffic.pace import Pace
from relatent_service.traffic.quotas import Quotas

log = logging.getLogger(__name__)

LAST_CHUNK_SECONDS = 10.0
"""How long calls still under way after the drain may take to end, once told to."""


@dataclass(frozen=True)
class Server:
    """Everything that makes up a server, put together; nothing runs yet."""

    settings: ServerSettings
    access: Access
    engine: Engine
    metrics: Metrics
    lifecycle: Lifecycle
    admission: Admission
    health: HealthServicer
    readiness: Readiness
    cache: LatentCache
    grpc: grpc.aio.Server

    async def drain(self) -> None:
        """Take no more calls; let those under way end, then make them, and let go of everything."""
        log.info("draining", extra={"calls": self.lifecycle.running})
        self.lifecycle.drain()
        self.admission.send_away()
        await self.health.set(False)
        if not await self.lifecycle.idle(self.settings.drain_seconds):
            log.warning("ending calls at their next chunk", extra={"calls": self.lifecycle.running})
            self.lifecycle.stop()
            await self.lifecycle.idle(LAST_CHUNK_SECONDS)
        await self.grpc.stop(grace=0.5)
        await self.cache.close()
        await self.engine.stop()
        log.info("stopped")


def put_together(
    settings: ServerSettings,
    packs: ServedPacks,
    engine: Engine,
    pace: Pace,
    metrics: Metrics,
    access: Access | None = None,
    store: Store | None = None,
) -> Server:
    """Put a server together around an engine that tells the pace of its work.

    Args:
        settings: of the server.
        packs: that it serves.
        engine: that runs their graphs.
        pace: told of their costs by the engine.
        metrics: of the server.
        access: who is let in; None: anybody.
        store: where several servers share results; None: nowhere.
    """
    access = access or Access()
    if access.certificate is not None:
        metrics.watch_certificate(access.certificate.ends)
    lifecycle = Lifecycle()
    quotas = Quotas(lambda key, steps: metrics.key_steps.labels(key).inc(steps))
    admission = Admission(settings.max_inflight, settings.max_queue, pace, lifecycle, metrics.let_in, quotas)
    metrics.watch(admission)
    models = Models(engine, metrics, pace, admission.share)
    inverter = Inverter(models, admission, lifecycle, metrics)
    remote = None if store is None else RemoteResults(store, metrics)
    cache = LatentCache(
        settings.latent_cache_bytes, remote, settings.max_queue, lambda: engine.graphs, metrics
    )
    synthesizer = Synthesizer(models, admission)
    decoder = Decoder(settings.image_limits)
    inversions = Inversions(admission, inverter, decoder, cache)
    lasting = OpenSessions(settings.max_sessions, metrics.sessions)
    sessions = EditSessions(packs, settings, synthesizer, inversions, decoder, lifecycle, metrics, lasting)
    health = HealthServicer(SERVICES)
    servicers = Servicers(
        inversion=InversionServicer(packs, settings, inversions),
        restoration=RestorationServicer(packs, settings, admission, inverter, decoder),
        editing=EditingServicer(packs, settings, synthesizer, inversions, decoder, sessions, quotas),
        diffusion=DiffusionServicer(packs, settings, admission, inverter, decoder),
        synthesis=SynthesisServicer(packs, settings, synthesizer),
        catalog=CatalogServicer(packs, settings, Estimates(packs, settings, admission, quotas)),
        health=health,
    )
    interceptor = CallInterceptor(access.door, quotas, lifecycle, metrics, settings.max_message_bytes)
    return Server(
        settings=settings,
        access=access,
        engine=engine,
        metrics=metrics,
        lifecycle=lifecycle,
        admission=admission,
        health=health,
        readiness=Readiness(
            engine, partial(rehearse, models=models, pace=pace), packs, lifecycle, health.set
        ),
        cache=cache,
        grpc=make_server(settings, servicers, interceptor),
    )


async def serve(
    settings: ServerSettings,
    packs: ServedPacks,
    access: Access,
    triton_credentials: TritonCredentials | None = None,
) -> None:
    """Serve until told to stop by SIGTERM, SIGINT or the end of the input; signalled twice, stop at once."""
    metrics = Metrics()
    kind = EngineKind(settings.engine)
    chosen = choose_engine(kind, settings.repository, settings.triton, triton_credentials)
    pace = Pace()
    engine = RetryingEngine(traced(MeasuredEngine(chosen, pace)), metrics.retries.inc)
    store = open_redis(settings.latent_cache_redis, settings.latent_cache_seconds)
    server = put_together(settings, packs, engine, pace, metrics, access, store)
    stop = stop_signal()
    if settings.stop_with_stdin:
        stop_with_input(stop)
    listening = listen_for_calls(server.grpc, settings.listen, access.certificate)
    scrapes = await serve_metrics(metrics.registry, settings.metrics_listen, access.certificate)
    await server.grpc.start()
    addresses = {
        "grpc": str(listening),
        "metrics": str(replace(settings.metrics_listen, port=scrapes.port)),
    }
    log.info("listening", extra=addresses)
    to_triton = [] if triton_credentials is None else [triton_credentials]
    renewing = asyncio.create_task(keep_renewing([*access.watched, *to_triton]))
    running = asyncio.create_task(_run(server, chosen, addresses))
    await asyncio.wait((running, stop), return_when=asyncio.FIRST_COMPLETED)
    running.cancel()  # an engine that is still starting must not go on to
    try:
        with suppress(asyncio.CancelledError):
            await running
    finally:
        _remove_ready_file(settings)
        await server.drain()
        await scrapes.stop()
        renewing.cancel()


async def _run(server: Server, engine: Engine, addresses: dict[str, str]) -> None:
    await server.readiness.start()
    serving = {**addresses, **describe(engine)}  # which engine it is, and its ports, are settled as it starts
    log.info("serving", extra=serving)
    if server.settings.ready_file is not None:
        write_ready_file(server.settings.ready_file, serving)
    await server.readiness.watch()


def _remove_ready_file(settings: ServerSettings) -> None:
    if settings.ready_file is None:
        return
    try:
        remove_ready_file(settings.ready_file)
    except UnusableReadyFile as error:  # no reason not to end in order
        log.warning("the ready file stays: %s", error)


def main(settings: ServerSettings) -> int:
    """Run a server; returns the process's exit status."""
    give_back()
    set_up_logs(settings.log_level)
    set_up_traces()
    try:
        packs = ServedPacks(read_packs(settings.packs))
        access = Access.of(settings.certificate_files, settings.api_keys)
        triton = settings.triton_credentials
        triton_credentials = None if triton is None else TritonCredentials(triton)
    except PackError as error:
        return _cannot_start(f"unusable packs: {error}")
    except AccessKeysError as error:
        return _cannot_start(f"--api-keys {error}")
    except (UnusableCertificate, UnusableTritonCredentials) as error:
        return _cannot_start(str(error))
    _warn_of_exposure(settings)
    try:
        if settings.ready_file is not None:
            remove_ready_file(settings.ready_file)
        asyncio.run(serve(settings, packs, access, triton_credentials))
    except CannotListen as error:
        return _cannot_start(f"cannot listen: {error}")
    except (NoEngine, UnusableReadyFile) as error:
        return _cannot_start(str(error))
    return 0


def _cannot_start(why: str) -> int:
    log.critical(why)
    return 2


def _warn_of_exposure(settings: ServerSettings) -> None:
    if settings.insecure:
        return
    tls = settings.certificate_files is not None
    known = settings.api_keys is not None or settings.tls_client_ca is not None
    for warning in exposure(settings.listen, settings.metrics_listen, tls=tls, known=known):
        log.warning(warning)
