"""`make test-client`: what it installs follows from pyproject.toml; that it tries it takes minutes."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import try_client
from scripts.try_client import Environment, check, environments, interpreter, oldest

ROOT = Path(__file__).parents[2]
DEPENDENCIES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
THIS = ".".join(map(str, sys.version_info[:2]))


def test_the_oldest_libraries_are_the_lower_bounds_that_hold_for_a_python() -> None:
    dependencies = ["a>=1,<3", "a>=2.10; python_version >= '3.13'", "b>=1.5,<2"]
    assert oldest(dependencies, "3.12") == ("a==1", "b==1.5")
    assert oldest(dependencies, "3.13") == ("a==2.10", "b==1.5")


def test_every_library_of_the_client_has_a_lower_bound_to_be_tried_with() -> None:
    names = {Requirement(dependency).name for dependency in DEPENDENCIES}
    assert {pin.split("==")[0] for pin in oldest(DEPENDENCIES, "3.11")} == names


def test_an_interpreter_is_found_by_its_version_or_not_at_all() -> None:
    assert interpreter(THIS) is not None
    assert interpreter("2.6") is None


def test_each_python_is_tried_with_the_oldest_and_the_newest_libraries() -> None:
    places = list(environments({"3.11": Path("a"), "3.13": Path("b")}))
    assert [(place.version, place.libraries) for place in places] == [
        ("3.11", "oldest"),
        ("3.11", "newest"),
        ("3.13", "oldest"),
        ("3.13", "newest"),
        ("3.11", "protobuf 5"),
        ("3.11", "protobuf 6"),
        ("3.11", "with traces"),
    ]
    assert [place.extra for place in places[-2:]] == ["", "tracing"]
    assert "protobuf==4.25.1" in places[0].wanted
    assert places[1].wanted == ()


def test_a_slow_install_fails_its_environment_and_not_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(try_client, "INSTALL_SECONDS", 0.01)
    here = Environment(Path(sys.executable), THIS, "newest")
    tried = check(here, tmp_path / "a.whl", ["127.0.0.1:1"], tmp_path / "environment")
    assert tried == ({}, "cannot be installed:\nnothing came in 0.01 s")


def test_a_python_that_makes_no_environment_fails_its_own_and_not_the_table(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no ensurepip; exit 1\n")
    broken.chmod(0o755)
    tried = check(
        Environment(broken, THIS, "newest"), tmp_path / "a.whl", ["127.0.0.1:1"], tmp_path / "environment"
    )
    assert tried == ({}, "cannot be installed:\nno ensurepip\n")
