from __future__ import annotations

import pytest

from relatent.core.addresses import parse_address
from relatent_service.access.exposure import exposure

HERE = "127.0.0.1:8501"


def warnings(listen: str, metrics: str = HERE, *, tls: bool = False, known: bool = False) -> list[str]:
    return exposure(parse_address(listen), parse_address(metrics), tls=tls, known=known)


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.0.0.9:1", "[::1]:1", "localhost:1", "unix:/run/x"])
def test_what_listens_to_this_machine_alone_is_no_ones_concern(listen: str) -> None:
    assert warnings(listen) == []


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "gpu1:1"])
def test_what_listens_to_others_names_the_flags_that_are_missing(listen: str) -> None:
    for tls, known in ((False, False), (True, False), (False, True), (True, True)):
        told = " ".join(warnings(listen, tls=tls, known=known))
        assert ("--tls-certificate" in told) is not tls
        assert ("--api-keys" in told) is not known
        assert bool(told) is not (tls and known)
        assert ("--insecure" in told) is bool(told)


def test_metrics_are_told_of_by_themselves() -> None:
    (told,) = warnings(HERE, "0.0.0.0:8501", known=True)
    assert told.startswith("--metrics-listen 0.0.0.0:8501 is open to other machines")
    assert warnings(HERE, "0.0.0.0:8501", tls=True, known=True) == []
