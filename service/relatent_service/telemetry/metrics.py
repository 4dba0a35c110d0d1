"""Every Prometheus metric of the service, on a registry of its own.

| Name | Kind | Labels | What it counts |
|---|---|---|---|
| `grpc_server_started_total` | counter | type, service, method | calls begun |
| `grpc_server_handled_total` | counter | type, service, method, code | calls ended |
| `grpc_server_handling_seconds` | histogram | type, service, method | from a call's begin to its end |
| `relatent_refinement_steps_total` | counter | graph | refinement steps done |
| `relatent_key_steps_total` | counter | key | steps done for an API key, as quotas count them |
| `relatent_batch_size` | histogram | graph | samples of one engine call; refinements meet in Triton only |
| `relatent_chunk_seconds` | histogram | graph | a chunk of steps, the engine's queue included, outages not |
| `relatent_queue_seconds` | histogram | class | waiting for a slot, of calls that got one |
| `relatent_inversions_total` | counter | pack, method, stop_reason | inversions answered |
| `relatent_reconstruction_psnr_decibels` | histogram | pack, method | of finished inversions |
| `relatent_reconstruction_mse` | histogram | pack, method | of finished inversions |
| `relatent_reconstruction_perceptual` | histogram | pack, method | of finished inversions |
| `relatent_sessions` | gauge | | editing sessions that last |
| `relatent_session_changes_total` | counter | outcome | changes: answered, refused, dropped for newer ones |
| `relatent_inflight` | gauge | class | calls at work |
| `relatent_waiting` | gauge | class | calls waiting for a slot |
| `relatent_set_aside` | gauge | | calls whose slots were given away because their readers do not read |
| `relatent_rejected_total` | counter | reason, class | calls turned away: queue_full, draining, … |
| `relatent_latent_cache_lookups_total` | counter | outcome | hit, hit_redis, shared, miss |
| `relatent_latent_cache_errors_total` | counter | reason | what went wrong with Redis |
| `relatent_latent_cache_bytes` | gauge | | what the results kept in this process take |
| `relatent_triton_retries_total` | counter | | engine calls repeated because no answer came |
| `relatent_backlog_seconds` | gauge | | seconds of the engine's time that all calls need: scale on this |
| `relatent_certificate_expires_timestamp_seconds` | gauge | | end of the certificate; with TLS |

A key's name is no secret, and there are as many as the file of keys has had since the server began: whoever
writes that file bounds the labels, no caller does.

The `grpc_server_*` labels are `grpc_type`, `grpc_service`, `grpc_method` and `grpc_code`, as in the public
gRPC middlewares; health checks and reflection are not counted. A `class` is `interactive` or `bulk`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from relatent.core.quality import Quality
from relatent.core.traffic import TrafficClass
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call

JOB_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
DECIBELS = (10, 15, 20, 22.5, 25, 27.5, 30, 32.5, 35, 40, 50)
ERRORS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.3, 1.0)
_GRPC = ("grpc_type", "grpc_service", "grpc_method")
_METHOD = ("pack", "method")
_CLASS = ("class",)


class Metrics:
    """The service's metrics; see the table above."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(name, text, labels, registry=self.registry)

        def histogram(
            name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
        ) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

        self.started = counter("grpc_server_started", "Calls begun.", _GRPC)
        self.handled = counter("grpc_server_handled", "Calls ended.", (*_GRPC, "grpc_code"))
        self.handling = histogram("grpc_server_handling_seconds", "Duration of calls.", JOB_SECONDS, _GRPC)
        self.steps = counter("relatent_refinement_steps", "Refinement steps done.", ("graph",))
        self.key_steps = counter("relatent_key_steps", "Steps done for API keys.", ("key",))
        self.batch_size = histogram("relatent_batch_size", "Samples an engine call.", BATCHES, ("graph",))
        self.chunk = histogram("relatent_chunk_seconds", "Chunks of refinement.", JOB_SECONDS, ("graph",))
        self.queue = histogram("relatent_queue_seconds", "Waiting for a slot.", JOB_SECONDS, _CLASS)
        self.inversions = counter(
            "relatent_inversions", "Inversions answered.", ("pack", "method", "stop_reason")
        )
        self.psnr = histogram(
            "relatent_reconstruction_psnr_decibels", "PSNR of reconstructions.", DECIBELS, _METHOD
        )
        self.mse = histogram("relatent_reconstruction_mse", "MSE of reconstructions.", ERRORS, _METHOD)
        self.perceptual = histogram(
            "relatent_reconstruction_perceptual", "Perceptual distance of reconstructions.", ERRORS, _METHOD
        )
        self.rejected = counter("relatent_rejected", "Calls turned away.", ("reason", *_CLASS))
        self.sessions = Gauge("relatent_sessions", "Editing sessions.", registry=self.registry)
        self.changes = counter("relatent_session_changes", "Changes of editing sessions.", ("outcome",))
        self.retries = counter("relatent_triton_retries", "Engine calls repeated.")
        self.cache_lookups = counter("relatent_latent_cache_lookups", "Inversions looked for.", ("outcome",))
        self.cache_errors = counter("relatent_latent_cache_errors", "Failures of Redis.", ("reason",))
        self.cache_bytes = Gauge("relatent_latent_cache_bytes", "Results kept.", registry=self.registry)
        self._inflight = Gauge("relatent_inflight", "Calls at work.", _CLASS, registry=self.registry)
        self._waiting = Gauge("relatent_waiting", "Calls waiting.", _CLASS, registry=self.registry)
        self._aside = Gauge("relatent_set_aside", "Calls set aside.", registry=self.registry)
        self._backlog = Gauge("relatent_backlog_seconds", "Seconds of backlog.", registry=self.registry)

    def inverted(self, pack: str, method: str, stop_reason: str, quality: Quality) -> None:
        """Count an inversion that was answered, and how good it is."""
        self.inversions.labels(pack, method, stop_reason).inc()
        self.psnr.labels(pack, method).observe(quality.psnr)
        self.mse.labels(pack, method).observe(quality.mse)
        if quality.perceptual is not None:
            self.perceptual.labels(pack, method).observe(quality.perceptual)

    def let_in(self, call: Call) -> None:
        """Count how long a call waited that has got its slot."""
        self.queue.labels(call.traffic_class).observe(call.queue_seconds)

    def watch(self, admission: Admission) -> None:
        """Read the gauges off the admission whenever they are asked for."""
        for each in TrafficClass:
            self._inflight.labels(each).set_function(partial(admission.inflight_of, each))
            self._waiting.labels(each).set_function(partial(admission.waiting_of, each))
        self._aside.set_function(lambda: admission.aside)
        self._backlog.set_function(admission.backlog_seconds)

    def watch_certificate(self, ends: Callable[[], datetime]) -> None:
        """Tell when the certificate ends, whenever that is asked for."""
        name = "relatent_certificate_expires_timestamp_seconds"
        gauge = Gauge(name, "When the certificate ends.", registry=self.registry)
        gauge.set_function(lambda: ends().timestamp())
