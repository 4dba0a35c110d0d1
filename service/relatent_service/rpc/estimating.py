"""What calls would cost and wait, of the same requests that the calls themselves are read from."""

from __future__ import annotations

import time
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from relatent.core.traffic import TrafficClass
from relatent.v1 import catalog_pb2
from relatent_service.catalog import ServedPacks
from relatent_service.errors import InvalidField, OverWholeQuota, QuotaUsed, ServiceError
from relatent_service.rpc.context import read_traffic_class
from relatent_service.rpc.messages import duration_message
from relatent_service.rpc.reading.diffusion import read_diffusion
from relatent_service.rpc.reading.editing import read_edit_request
from relatent_service.rpc.reading.options import read_inversion
from relatent_service.rpc.reading.restoration import read_restoration
from relatent_service.rpc.reading.synthesis import read_sample, read_synthesis
from relatent_service.rpc.reading.values import read_output_format
from relatent_service.rpc.status import refusal
from relatent_service.settings import ServerSettings
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import REQUEST_ID, Call
from relatent_service.traffic.forecast import Work
from relatent_service.traffic.quotas import Quotas


@dataclass(frozen=True)
class Estimates:
    """Estimates what calls would cost; it asks nothing of the engine, and takes nothing of a quota."""

    packs: ServedPacks
    settings: ServerSettings
    admission: Admission
    quotas: Quotas

    def estimate(self, request: catalog_pb2.EstimateRequest) -> catalog_pb2.EstimateResponse:
        """What a call would cost and wait now.

        Raises:
            ServiceError: what the call would be refused for, quotas and load aside; names its fields from
                the call on.
        """
        seconds = _read_deadline(request)
        work = self._work(request)
        now = time.monotonic()
        call = Call(None if seconds is None else now + seconds, now, self._traffic_class(request))
        outlook = self.admission.would_meet(work, call)
        refused = self._over_quota(work) or outlook.refusal
        left = self.quotas.left()
        return catalog_pb2.EstimateResponse(
            steps=work.steps,
            engine=duration_message(outlook.engine_seconds),
            wait=duration_message(outlook.wait_seconds),
            answer=duration_message(outlook.answer_seconds),
            refusal=None if refused is None else refusal(refused, REQUEST_ID.get()),
            quota=None if left is None else catalog_pb2.QuotaLeft(steps=left.steps, calls=left.calls),
        )

    def _traffic_class(self, request: catalog_pb2.EstimateRequest) -> TrafficClass:
        kind = request.WhichOneof("call")
        assert kind is not None, "what it would ask of the engine was read before"
        return read_traffic_class(getattr(request, kind))

    def _over_quota(self, work: Work) -> ServiceError | None:
        try:
            self.quotas.check_call()
            self.quotas.check(work.steps)
        except (OverWholeQuota, QuotaUsed) as error:
            return error
        return None

    def _work(self, request: catalog_pb2.EstimateRequest) -> Work:
        """What the call would ask of the engine."""
        packs, settings = self.packs, self.settings
        match request.WhichOneof("call"):
            case "invert":
                asked = request.invert
                return read_inversion(packs, settings, asked.image, asked.options).plan.work
            case "edit":
                read_output_format(request.edit.output_format, "output_format")
                return read_edit_request(packs, settings, request.edit).work
            case "restore":
                wanted = request.restore
                return read_restoration(packs, settings, wanted.image, wanted.options).inversion.plan.work
            case "diffuse":
                return read_diffusion(packs, settings, request.diffuse).inversion.plan.work
            case "synthesize":
                return read_synthesis(packs, settings, request.synthesize).work
            case "sample":
                return read_sample(packs, settings, request.sample).work
            case _:
                raise InvalidField("call", "expected the call to estimate, got none")


def _read_deadline(request: catalog_pb2.EstimateRequest) -> float | None:
    if not request.HasField("deadline"):
        return None
    deadline: Duration = request.deadline
    if not 0 <= deadline.nanos < 10**9 or deadline.seconds < 0 or deadline == Duration():
        raise InvalidField(
            "deadline", f"expected above 0, got {deadline.seconds} seconds and {deadline.nanos} nanos"
        )
    return deadline.seconds + deadline.nanos / 1e9
