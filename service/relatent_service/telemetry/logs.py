"""Structured logs: one JSON object a line on standard error, with the identifiers of request and trace."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from relatent.core.tracing import trace_id
from relatent_service.telemetry.stray_lines import divert
from relatent_service.traffic.call import REQUEST_ID

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request_id"}


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object; what was passed as `extra` becomes fields of it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        if trace := trace_id():
            line["trace_id"] = trace
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def set_up_logs(level: str) -> None:
    """Send everything logged from `level` upwards to standard error, and what is written there by others.

    Python's own warnings are logged, whoever gives them.
    """
    handler = logging.StreamHandler(divert())
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
