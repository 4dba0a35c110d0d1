"""What a server does that cannot start as it was told, or is told to end before it has started."""

import resource
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from relatent_service import probe


def start(tiny_root, *flags):
    """Run a server to its end."""
    places = ["--packs", tiny_root / "packs", "--repository", tiny_root / "model_repository"]
    ports = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--engine", "local"]
    command = [sys.executable, "-P", "-m", "relatent_service", *map(str, places), *ports, *flags]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("flag", ["--listen", "--metrics-listen"])
def test_a_port_in_use_is_told_by_its_setting(tiny_root, flag):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = start(tiny_root, flag, address)
    assert ended.returncode == 2
    assert f"{flag} {address}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_packs_that_cannot_be_used_are_told_by_their_file(tiny_root, tmp_path):
    ended = start(tiny_root, "--packs", str(tmp_path))
    assert ended.returncode == 2
    assert f"{tmp_path}: expected at least one folder" in ended.stderr


def test_a_server_whose_input_has_ended_ends_too_if_told_so(tiny_root):
    ended = start(tiny_root, "--stop-with-stdin", "yes")
    assert ended.returncode == 0
    assert "standard input has ended" in ended.stderr
    assert "stopped" in ended.stderr


def test_the_ready_file_is_gone_once_a_server_was_told_to_stop(tiny_root, tmp_path):
    ready = tmp_path / "ready.json"
    places = ["--packs", tiny_root / "packs", "--repository", tiny_root / "model_repository"]
    ports = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--engine", "local"]
    command = [sys.executable, "-P", "-m", "relatent_service", *map(str, places), *ports]
    server = subprocess.Popen([*command, "--ready-file", str(ready)], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not ready.exists() and server.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert ready.exists()
        server.terminate()
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait()
    assert not ready.exists()


def test_the_embedded_tritons_metrics_are_found_through_the_ready_file_and_the_log(service):
    with urllib.request.urlopen(f"http://{service.triton_metrics}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    for name in ("nv_inference_count", "nv_inference_exec_count"):
        assert f'{name}{{model="tiny_refine"' in text
    (line,) = service.log_lines("serving")
    assert line["triton_metrics"] == service.triton_metrics


def test_no_proxy_comes_between_a_server_its_own_triton_and_its_probe(start_service, monkeypatch):
    for variable in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    (service,) = start_service(1)
    monkeypatch.setenv("RELATENT_LISTEN", service.address)
    assert probe.main() == 0


def test_where_triton_cannot_start_auto_serves_all_the_same_and_the_ready_file_says_why(start_service):
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # too little for Triton's libraries
    try:
        (service,) = start_service(1, "--engine", "auto")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert service.ready["engine"] == "local"
    assert "no embedded Triton, graphs run in this process" in service.ready["note"]
    assert "File too large" in service.ready["note"]
    (line,) = service.log_lines("no embedded Triton")
    assert line["message"] == service.ready["note"]
