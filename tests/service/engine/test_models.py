import time

import numpy as np
import pytest

from relatent.core.codes import Codes
from relatent_service.engine.engine import EngineTimedOut
from relatent_service.engine.local import LocalEngine
from relatent_service.engine.models import Models
from relatent_service.telemetry.metrics import Metrics
from relatent_service.traffic.call import Call
from relatent_service.traffic.fair_share import FairShare
from relatent_service.traffic.pace import Pace
from tests.fixtures import tiny
from tests.fixtures.engines import WilfulEngine


@pytest.fixture
async def engine(tiny_root):
    engine = WilfulEngine(LocalEngine(tiny_root / "model_repository"))
    await engine.start()
    yield engine
    await engine.stop()


async def test_a_batch_larger_than_the_graph_takes_is_split_and_joined(pack, engine):
    metrics = Metrics()
    w = np.random.default_rng(0).normal(size=(35, *tiny.CODE)).astype(np.float32)
    images = await Models(engine, metrics, Pace(), FairShare()).synthesize(pack, Codes.plain(w), Call())
    np.testing.assert_array_equal(images, tiny.generate(w))
    assert [batch for _, batch in engine.calls] == [16, 16, 3]
    assert metrics.registry.get_sample_value("relatent_batch_size_sum", {"graph": "tiny_synthesize"}) == 35


async def test_equal_images_are_told_as_perfect_but_for_a_finite_psnr(pack, engine):
    image = tiny.random_image(1)[None]
    quality = await Models(engine, Metrics(), Pace(), FairShare()).assess(pack, image, image, Call())
    assert quality.mse == 0
    assert quality.psnr == pytest.approx(100)
    assert quality.ssim == pytest.approx(1)
    assert quality.perceptual == 0


async def test_time_in_the_engine_is_added_up_failed_calls_included(pack, engine):
    engine.delay = 0.05
    engine.errors["tiny_encode"] = [ZeroDivisionError()]
    call, models = Call(), Models(engine, Metrics(), Pace(), FairShare())
    with pytest.raises(ZeroDivisionError):
        await models.encode(pack, tiny.random_image(1)[None], call)
    await models.encode(pack, tiny.random_image(1)[None], call)
    assert call.inference_seconds >= 0.1


async def test_what_no_time_was_left_for_is_not_asked_of_the_engine_and_not_counted(pack, engine):
    call, models = Call(deadline=time.monotonic() - 1), Models(engine, Metrics(), Pace(), FairShare())
    with pytest.raises(EngineTimedOut):
        await models.encode(pack, tiny.random_image(1)[None], call)
    assert (call.steps, engine.calls) == (0, [])


def test_a_little_of_the_time_left_is_kept_to_tell_of_a_failure():
    assert Call().engine_timeout() is None
    now = time.monotonic()  # which goes on: so much is left at most
    long, short = (Call(deadline=now + seconds).engine_timeout() for seconds in (100, 1))
    assert long is not None
    assert short is not None
    assert 90 < long <= 99.8
    assert 0 < short <= 0.95
    assert Call(deadline=time.monotonic() - 1).engine_timeout() == 0
