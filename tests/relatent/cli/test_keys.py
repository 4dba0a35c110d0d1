"""`relatent keys`: the file that it keeps, and what it prints."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relatent.cli import keys
from relatent.cli.main import main
from relatent.core.access_keys import Quota, digest, read_keys
from relatent.core.traffic import TrafficClass

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RELATENT_API_KEYS", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["keys", *words])
        return code, *capsys.readouterr()

    return run


def test_a_new_key_is_printed_once_and_its_hash_kept(run: Run) -> None:
    code, out, _ = run("new", "team-a")
    assert code == 0
    secret = out.strip()
    (key,) = read_keys(Path("keys.json"))
    assert (key.name, key.sha256, key.packs, key.expires) == ("team-a", digest(secret), None, None)
    assert secret not in Path("keys.json").read_text()
    assert secret not in run("list")[1]


def test_packs_and_days_are_kept(run: Run) -> None:
    run("new", "a", "--pack", "x", "--pack", "y", "--days", "30")
    (key,) = read_keys(Path("keys.json"))
    assert key.packs == ("x", "y")
    assert key.expires is not None
    assert timedelta(days=29) < key.expires - datetime.now(UTC) <= timedelta(days=30)


def test_a_key_may_go_to_a_file_of_its_owner_alone(run: Run) -> None:
    code, out, _ = run("new", "a", "--out", "a.key", "--expires", "2030-01-01T00:00:00Z")
    path = Path("a.key")
    secret = path.read_text().strip()
    assert code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in out
    assert [key.sha256 for key in read_keys(Path("keys.json"))] == [digest(secret)]
    assert run("new", "b", "--out", "a.key")[::2] == (
        2,
        "relatent: --out a.key: is there; a key is written over nothing\n",
    )
    assert path.read_text().strip() == secret
    assert len(read_keys(Path("keys.json"))) == 1


def test_the_list_tells_who_for_what_until_when(run: Run) -> None:
    run("new", "a", "--pack", "x")
    quotas = ["--steps-a-minute", "6000", "--calls-in-flight", "4"]
    run("new", "b", "--expires", "2020-01-01T00:00:00Z", "--class", "bulk", *quotas)
    code, out, _ = run("list")
    rows = [line.split() for line in out.splitlines()]
    assert code == 0
    assert rows[1:] == [
        ["a", "x", "interactive", "any", "any", "never", "let", "in"],
        ["b", "all", "bulk", "6000", "4", "2020-01-01T00:00:00+00:00", "expired"],
    ]
    document = json.loads(run("list", "--json")[1])
    assert document["keys"][0] == {
        "name": "a",
        "packs": ["x"],
        "class": "interactive",
        "steps_a_minute": None,
        "calls_in_flight": None,
        "expires": None,
        "expired": False,
    }
    assert document["keys"][1]["steps_a_minute"] == 6000
    assert document["keys"][1]["expired"] is True


def test_a_class_and_quotas_are_kept_and_changed_one_by_one(run: Run) -> None:
    run("new", "a", "--pack", "x", "--class", "bulk", "--steps-a-minute", "6000")
    run("new", "b")
    (before, other) = read_keys(Path("keys.json"))
    assert (before.traffic_class, before.quota) == (TrafficClass.BULK, Quota(6000))
    code, out, _ = run("set", "a", "--calls-in-flight", "2", "--class", "interactive")
    assert (code, out.split(";")[0]) == (0, "'a': interactive, 6000 steps a minute, 2 calls in flight")
    assert run("set", "a", "--steps-a-minute", "none")[0] == 0
    (after, still) = read_keys(Path("keys.json"))
    assert after == replace(before, traffic_class=TrafficClass.INTERACTIVE, quota=Quota(None, 2))
    assert still == other


def test_a_key_that_is_revoked_is_gone_and_the_others_stay(run: Run) -> None:
    for name in ("a", "b"):
        run("new", name)
    assert run("revoke", "a")[0] == 0
    assert [key.name for key in read_keys(Path("keys.json"))] == ["b"]
    code, _, err = run("revoke", "a")
    assert (code, err) == (2, "relatent: keys.json: no key 'a'; there are: b\n")


def test_the_file_is_where_the_flag_or_the_environment_says(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELATENT_API_KEYS", "one.json")
    run("new", "a")
    run("new", "b", "--api-keys", "two.json")
    assert [key.name for key in read_keys(Path("one.json"))] == ["a"]
    assert [key.name for key in read_keys(Path("two.json"))] == ["b"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["new", "a b"], "name: expected up to 64 letters, digits"),
        (["new", "a"], "keys.json: a key 'a' is there; revoke it first"),
        (["new", "c", "--days", "9999999999"], "--days: expected fewer"),
        (["new", "c", "--steps-a-minute", "9999999999999"], "steps_a_minute: expected a whole number from 1"),
        (["set", "a", "--calls-in-flight", "9999999999999"], "calls_in_flight: expected a whole number from"),
        (["set", "c", "--class", "bulk"], "keys.json: no key 'c'; there are: a"),
        (["new", "c", "--out", "./keys.json"], "--out keys.json: expected another file than that of --api"),
        (["new", "c", "--out", "new.json", "--api-keys", "new.json"], "--out new.json: expected another"),
        (["list", "--api-keys", "none.json"], "none.json: No such file"),
        (["list", "--api-keys", "broken.json"], "broken.json: expected JSON"),
        (["new", "c", "--api-keys", "broken.json"], "broken.json: expected JSON"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(words: list[str], expected: str, run: Run) -> None:
    run("new", "a")
    Path("broken.json").write_text("{")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert expected in err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize("time", ["tomorrow", "2030-01-01T00:00:00", "2030-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_told(time: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("new", "a", "--expires", time)
    assert "expected a time with its zone, such as 2027-01-31T00:00:00Z" in capsys.readouterr().err


def test_two_commands_at_once_lose_no_key(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    began = threading.Event()

    def slow(path: Path) -> object:
        found = read_keys(path)
        began.set()
        time.sleep(0.3)  # in which the other would have written
        return found

    run("new", "first")
    monkeypatch.setattr(keys, "read_keys", slow)
    with ThreadPoolExecutor(2) as commands:
        one = commands.submit(main, ["keys", "new", "one"])
        assert began.wait(10)
        other = commands.submit(main, ["keys", "revoke", "first"])
        assert (one.result(10), other.result(10)) == (0, 0)
    assert [key.name for key in read_keys(Path("keys.json"))] == ["one"]


def test_a_key_that_could_not_be_written_is_not_in_the_way_of_the_next_try(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, mode: str) -> object:
        os.close(handle)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdopen", full)
        assert run("new", "a", "--out", "a.key")[0] != 0
    assert not Path("a.key").exists()
    assert run("new", "a", "--out", "a.key")[0] == 0
