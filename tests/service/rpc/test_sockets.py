"""A socket's path is free, or is made free, or is told why not, before gRPC takes it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from relatent_service.rpc import sockets
from relatent_service.rpc.sockets import make_way
from relatent_service.settings import read_settings


def bound(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made


def test_a_path_that_is_free_stays_so(tmp_path: Path) -> None:
    make_way(tmp_path / "a.sock")
    assert list(tmp_path.iterdir()) == []


def test_a_socket_that_a_killed_server_left_is_removed(tmp_path: Path) -> None:
    bound(tmp_path / "a.sock").close()
    make_way(tmp_path / "a.sock")
    assert list(tmp_path.iterdir()) == []


def test_a_running_servers_socket_is_left_to_it(tmp_path: Path) -> None:
    with bound(tmp_path / "a.sock") as listening:
        listening.listen()
        with pytest.raises(OSError, match="another server listens there"):
            make_way(tmp_path / "a.sock")
    assert (tmp_path / "a.sock").exists()


def test_a_socket_whose_owner_is_too_busy_to_tell_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_CONNECT_SECONDS", 0.1)
    waiting = socket.socket(socket.AF_UNIX)
    with bound(tmp_path / "a.sock") as listening, waiting:
        listening.listen(0)
        waiting.connect(str(tmp_path / "a.sock"))
        with pytest.raises(OSError, match=r"a\.sock is there, and whose it is cannot be told: "):
            make_way(tmp_path / "a.sock")
    assert (tmp_path / "a.sock").exists()


def test_what_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "a.sock").write_text("somebody's")
    with pytest.raises(OSError, match=r"a\.sock is there and is no socket"):
        make_way(tmp_path / "a.sock")
    assert (tmp_path / "a.sock").read_text() == "somebody's"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"/no: no such folder"):
        make_way(tmp_path / "no" / "a.sock")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(OSError, match="no right to make a socket there"):
        make_way(tmp_path / "a.sock")


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings(["--listen", "unix:a.sock"], {}).listen.path == str(tmp_path / "a.sock")
