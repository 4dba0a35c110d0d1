"""The panels of the Grafana dashboard, row by row; `scripts.write_dashboard` makes them a dashboard."""

from __future__ import annotations

from dataclasses import dataclass

HERE = 'job="relatent", namespace=~"$namespace"'
TRITON = 'job="relatent-triton", namespace=~"$namespace"'
REDIS = 'job="relatent-redis", namespace=~"$namespace"'


@dataclass(frozen=True)
class Panel:
    """A graph over time.

    Attributes:
        title, unit: as shown; units by Grafana's names.
        lines: PromQL by legend, where `{{label}}` stands for a label's value.
        about: what a reader may conclude.
    """

    title: str
    unit: str
    lines: dict[str, str]
    about: str


def _quantile(share: float, metric: str, labels: str = "") -> str:
    by = f"le{', ' if labels else ''}{labels}"
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{{{HERE}}}[$__rate_interval])))"


def _rate(by: str, metric: str, matchers: str = HERE) -> str:
    return f"sum by ({by}) (rate({metric}{{{matchers}}}[$__rate_interval]))"


ROWS: dict[str, tuple[Panel, ...]] = {
    "Calls": (
        Panel(
            "Calls by outcome",
            "reqps",
            {"{{grpc_code}}": _rate("grpc_code", "grpc_server_handled_total")},
            "INTERNAL is a bug; RESOURCE_EXHAUSTED is load, see the row below.",
        ),
        Panel(
            "Failed for our fault",
            "percentunit",
            {
                "5 minutes": 'relatent:errors:ratio_rate5m{namespace=~"$namespace"}',
                "1 hour": 'relatent:errors:ratio_rate1h{namespace=~"$namespace"}',
                "6 hours": 'relatent:errors:ratio_rate6h{namespace=~"$namespace"}',
            },
            "The objective is 0.5 % over 30 days.",
        ),
        Panel(
            "Seconds of a call",
            "s",
            {
                "{{grpc_method}}, half": _quantile(0.5, "grpc_server_handling_seconds", "grpc_method"),
                "{{grpc_method}}, 95 %": _quantile(0.95, "grpc_server_handling_seconds", "grpc_method"),
            },
            "As long as steps are asked for: compare a method with its own past.",
        ),
    ),
    "Load": (
        Panel(
            "Backlog of each service",
            "s",
            {"{{pod}}": f"relatent_backlog_seconds{{{HERE}}}"},
            "Seconds of the engine's time that its calls need; what replicas are scaled on.",
        ),
        Panel(
            "Calls at work, waiting, set aside",
            "short",
            {
                "{{class}}, at work": f"sum by (class) (relatent_inflight{{{HERE}}})",
                "{{class}}, waiting": f"sum by (class) (relatent_waiting{{{HERE}}})",
                "set aside": f"sum(relatent_set_aside{{{HERE}}})",
            },
            "Interactive calls that wait while bulk ones are at work wait for each other. Those set aside "
            "have readers that do not read.",
        ),
        Panel(
            "Turned away",
            "reqps",
            {"{{class}}: {{reason}}": _rate("class, reason", "relatent_rejected_total")},
            "draining and not_ready belong to rollouts, queue_full and deadline_too_near to load, "
            "steps_quota and calls_quota to single keys.",
        ),
        Panel(
            "Steps of each key",
            "ops",
            {"{{key}}": _rate("key", "relatent_key_steps_total")},
            "As quotas count them: samples through all graphs as well. Empty without keys.",
        ),
        Panel(
            "Seconds for a slot",
            "s",
            {
                "{{class}}, half": _quantile(0.5, "relatent_queue_seconds", "class"),
                "{{class}}, 95 %": _quantile(0.95, "relatent_queue_seconds", "class"),
            },
            "Of calls that got one.",
        ),
        Panel(
            "Replicas",
            "short",
            {
                "services": f"sum(up{{{HERE}}})",
                "Tritons": f"sum(up{{{TRITON}}})",
            },
            "Those that answer scrapes.",
        ),
        Panel(
            "Editing sessions",
            "short",
            {
                "that last": f"sum(relatent_sessions{{{HERE}}})",
                "changes {{outcome}}, a second": _rate("outcome", "relatent_session_changes_total"),
            },
            "Many dropped ones mean that people drag faster than the engine answers.",
        ),
        Panel(
            "Until the certificate ends",
            "s",
            {"{{pod}}": f"relatent_certificate_expires_timestamp_seconds{{{HERE}}} - time()"},
            "Empty without TLS.",
        ),
    ),
    "Cache of latents": (
        Panel(
            "Inversions found in the cache",
            "reqps",
            {
                "{{outcome}}": _rate("outcome", "relatent_latent_cache_lookups_total"),
            },
            "What is no miss took nothing of the engine; hit_redis is what another service found.",
        ),
        Panel(
            "Bytes of the cache",
            "bytes",
            {"{{pod}}": f"relatent_latent_cache_bytes{{{HERE}}}"},
            "At its limit, the results that were asked for longest ago make room.",
        ),
        Panel(
            "Redis failed",
            "reqps",
            {"{{reason}}": _rate("reason", "relatent_latent_cache_errors_total")},
            "Calls invert then: it is slow or away, or too_large and busy were not sent.",
        ),
        Panel(
            "Memory of Redis",
            "bytes",
            {
                "{{pod}}, used": f"redis_memory_used_bytes{{{REDIS}}}",
                "{{pod}}, at most": f"redis_memory_max_bytes{{{REDIS}}} > 0",
            },
            "By redis_exporter; empty without it. No limit is no line.",
        ),
        Panel(
            "Results that Redis lets go of",
            "ops",
            {
                "{{pod}}, for want of room": _rate("pod", "redis_evicted_keys_total", REDIS),
                "{{pod}}, as their time is over": _rate("pod", "redis_expired_keys_total", REDIS),
            },
            "Many for want of room: give it more memory, or --latent-cache-seconds less.",
        ),
    ),
    "Engine": (
        Panel(
            "Refinement steps",
            "ops",
            {"{{graph}}": _rate("graph", "relatent_refinement_steps_total")},
            "What the engine gets done.",
        ),
        Panel(
            "Seconds of a chunk",
            "s",
            {
                "{{graph}}, half": _quantile(0.5, "relatent_chunk_seconds", "graph"),
                "{{graph}}, 95 %": _quantile(0.95, "relatent_chunk_seconds", "graph"),
            },
            "The engine's queue included, outages not.",
        ),
        Panel(
            "Samples of a run",
            "short",
            {
                "{{model}}": _rate("model", "nv_inference_count", TRITON)
                + " / "
                + _rate("model", "nv_inference_exec_count", TRITON)
            },
            "What Triton's batcher merges; from Triton's own metrics.",
        ),
        Panel(
            "Calls repeated",
            "reqps",
            {"{{pod}}": _rate("pod", "relatent_triton_retries_total")},
            "As no answer came from a Triton.",
        ),
        Panel(
            "Waiting in Triton, over computing",
            "percentunit",
            {"{{namespace}}": 'relatent:triton_queue:ratio_rate5m{namespace=~"$namespace"}'},
            "Above 1, calls wait longer for a run than it takes.",
        ),
        Panel(
            "Graphics processors",
            "percentunit",
            {"{{pod}} {{gpu_uuid}}": f"nv_gpu_utilization{{{TRITON}}}"},
            "Empty where Triton has none.",
        ),
    ),
    "Quality": (
        Panel(
            "Perceptual distance",
            "none",
            {
                "{{pack}} {{method}}, half": _quantile(
                    0.5, "relatent_reconstruction_perceptual", "pack, method"
                ),
                "{{pack}} {{method}}, 95 %": _quantile(
                    0.95, "relatent_reconstruction_perceptual", "pack, method"
                ),
            },
            "Of finished inversions; it drifts with what people send, or with the pack.",
        ),
        Panel(
            "PSNR",
            "dB",
            {"{{pack}} {{method}}": _quantile(0.5, "relatent_reconstruction_psnr_decibels", "pack, method")},
            "Half are better.",
        ),
        Panel(
            "Why refinement stopped",
            "reqps",
            {"{{stop_reason}}": _rate("stop_reason", "relatent_inversions_total")},
            "More that stop at their deadline mean less refinement.",
        ),
    ),
}
