import socket
import threading
import time
import urllib.request

import pytest

from service import scrapes
from service.metrics import Metrics
from service.scrapes import ScrapeServer


@pytest.fixture
def server():
    metrics = Metrics()
    metrics.retries.inc()
    running = ScrapeServer(metrics.registry, "127.0.0.1", 0)
    yield running
    running.stop()


def scrape(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as response:
        return response.read().decode()


def test_scrapes_are_answered_on_a_port_of_their_own(server):
    assert "relatent_triton_retries_total 1.0" in scrape(server)


def test_a_port_that_is_taken_is_told(server):
    with pytest.raises(OSError, match="in use"):
        ScrapeServer(Metrics().registry, "127.0.0.1", server.port)


def test_once_stopped_the_port_is_free_and_connections_are_closed(server):
    with socket.create_connection(("127.0.0.1", server.port)) as open_connection:
        time.sleep(0.1)
        server.stop()
        assert open_connection.recv(1) == b""
    with pytest.raises(OSError, match="refused"):
        scrape(server)


def test_slow_scrapers_hold_no_threads_and_do_not_hold_up_the_others(server):
    threads = threading.active_count()
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        for number, connection in enumerate(slow):
            whole = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
            connection.sendall(whole if number % 2 else whole[:20])  # neither sends nor reads on
        began = time.monotonic()
        assert "relatent_triton_retries_total 1.0" in scrape(server)
        assert time.monotonic() - began < 3
        assert threading.active_count() == threads
    finally:
        for connection in slow:
            connection.close()


def test_scrapers_that_go_silent_make_room_for_those_beyond_the_bound(monkeypatch):
    monkeypatch.setattr(scrapes, "MOST_CONNECTIONS", 10)
    monkeypatch.setattr(scrapes, "SILENCE_SECONDS", 1)
    server = ScrapeServer(Metrics().registry, "127.0.0.1", 0)
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(30)]
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                assert "relatent_triton_retries_total" in scrape(server)
                break
            except TimeoutError:
                continue
        else:
            pytest.fail("the silent kept every place")
    finally:
        for connection in silent:
            connection.close()
        server.stop()
