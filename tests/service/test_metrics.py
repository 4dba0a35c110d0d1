import re
import urllib.request
from typing import Any

from service import metrics
from service.admission import Admission
from service.call import Call
from service.metrics import Metrics


def test_every_metric_is_in_the_documentation_and_the_other_way_round():
    documented = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", metrics.__doc__, re.MULTILINE))
    real = {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in Metrics().registry.collect()
    }
    assert documented == real


def test_the_documented_labels_are_the_real_ones():
    made = Metrics()
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]*) \|", metrics.__doc__, re.MULTILINE)
    collectors: Any = made.registry._collector_to_names
    real = {collector._name: collector._labelnames for collector in collectors}
    for name, labels in rows:
        names = [label.strip() for label in labels.split(",") if label.strip()]
        if name.startswith("grpc_"):
            names = [f"grpc_{label}" for label in names]
        assert list(real[name.removesuffix("_total")]) == names, name


async def test_the_gauges_follow_the_admission():
    made, admission = Metrics(), Admission(1, 1)
    admission.measure(10, 1.0)
    made.watch(admission)
    async with admission.place(30, Call()):
        assert made.registry.get_sample_value("relatent_inflight") == 1
        assert made.registry.get_sample_value("relatent_backlog_seconds") == 3.0
    assert made.registry.get_sample_value("relatent_inflight") == 0


def test_scrapes_are_answered_on_a_port_of_their_own():
    made = Metrics()
    made.retries.inc()
    server, thread = made.serve("127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as response:
        assert "relatent_triton_retries_total 1.0" in response.read().decode()
    server.shutdown()
    server.server_close()
    thread.join(5)
