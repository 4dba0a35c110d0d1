"""NumPy computes in the thread that asks, as a service starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TOLD = """
import sys
sys.argv = ["relatent_service", "--help"]
import runpy
try:
    runpy.run_module("relatent_service", run_name="__main__")
except SystemExit:
    pass
import threadpoolctl
pools = threadpoolctl.threadpool_info()
print(*(pool["num_threads"] for pool in pools if pool["internal_api"] == "openblas"))
"""


@pytest.mark.parametrize(("given", "threads"), [(None, "1"), ("2", "2")])
def test_a_service_has_one_thread_for_linear_algebra_unless_the_environment_says_otherwise(
    given: str | None, threads: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if given is not None:
        environment["OPENBLAS_NUM_THREADS"] = given
    told = subprocess.run(
        [sys.executable, "-c", TOLD], env=environment, capture_output=True, text=True, check=True
    )
    assert set(told.stdout.splitlines()[-1].split()) == {threads}
