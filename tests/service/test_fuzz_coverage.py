"""What Atheris leads, which `make` installs where there is one: on Linux, x86-64."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("atheris", reason="there is no Atheris for this system")


def test_the_readers_take_or_refuse_what_is_made_of_whole_requests_and_pictures(tmp_path):
    command = [sys.executable, "-m", "scripts.fuzz.coverage", "-runs=2000", f"-artifact_prefix={tmp_path}/"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Done 2000 runs" in ended.stderr
    assert list(tmp_path.iterdir()) == []
