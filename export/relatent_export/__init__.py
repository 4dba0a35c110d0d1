"""The offline half: networks, training, direction fitting, gradient tracing, repository writing."""

import os

# From its import on, ONNX Runtime tells its maker how it is used, unless told not to before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
