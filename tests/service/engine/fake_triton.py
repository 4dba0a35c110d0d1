"""A server that speaks Triton's protocol, for what a real one cannot be made to do on demand."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import numpy as np
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

CONFIG = """
name: "toy_half" backend: "onnxruntime" max_batch_size: 4
input { name: "x" data_type: TYPE_FP32 dims: [1] }
output { name: "y" data_type: TYPE_FP32 dims: [1] }
parameters { key: "relatent.pack" value { string_value: "toy" } }
parameters { key: "relatent.revision" value { string_value: "REVISION" } }
"""


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Serves `toy_half`, y = x / 2, on a loopback port.

    Attributes:
        address: host:port.
        calls: of the graph, so far.
        configs_read: how often its configuration was asked for.
        state: of the model, in Triton's words.
        failure: what every call is answered with, if anything.
        hollow: whether calls are answered without outputs, as if all were well.
        told: the metadata of the last call, but for what gRPC itself says.
        shown: the certificates of all who called, in PEM; empty where none was shown.
        may_answer: calls of the graph wait for it.
    """

    def __init__(
        self, revision: str = "1", port: int = 0, credentials: grpc.ServerCredentials | None = None
    ) -> None:
        self.calls = self.configs_read = 0
        self.state = "READY"
        self.hollow = False
        self.failure: tuple[grpc.StatusCode, str] | None = None
        self.told: dict[str, str] = {}
        self.shown: list[bytes] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._config = text_format.Parse(CONFIG.replace("REVISION", revision), model_config_pb2.ModelConfig())
        self._server = grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        address = f"127.0.0.1:{port}"
        self.port = (
            self._server.add_insecure_port(address)
            if credentials is None
            else self._server.add_secure_port(address, credentials)
        )
        self.address = f"127.0.0.1:{self.port}"

    async def start(self) -> FakeTriton:
        await self._server.start()
        return self

    async def stop(self) -> None:
        server = self.__dict__.pop("_server", None)  # a cycle of references would outlive the event loop
        if server is not None:
            await server.stop(None)

    def _look(self, context: Any) -> None:
        self.shown += context.auth_context().get("x509_pem_cert", [b""])

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._look(context)
        never_asked_for = service_pb2.RepositoryIndexResponse.ModelIndex(name="other")
        ours = service_pb2.RepositoryIndexResponse.ModelIndex(name="toy_half", state=self.state)
        return service_pb2.RepositoryIndexResponse(models=[never_asked_for, ours])

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.configs_read += 1
        return service_pb2.ModelConfigResponse(config=self._config)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._look(context)
        self.calls += 1
        await self.may_answer.wait()
        self.told = {key: value for key, value in context.invocation_metadata() if key != "user-agent"}
        if self.hollow:
            return service_pb2.ModelInferResponse()
        if self.failure is not None:
            await context.abort(*self.failure)
        x = np.frombuffer(request.raw_input_contents[0], np.float32)
        response = service_pb2.ModelInferResponse(raw_output_contents=[(x / 2).tobytes()])
        response.outputs.add(name="y", datatype="FP32", shape=[len(x), 1])
        return response
