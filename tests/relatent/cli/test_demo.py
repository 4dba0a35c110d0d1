"""`relatent demo` starts a service, shows what it can do, and leaves nothing running."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from relatent.cli import demo_results
from relatent.cli.demo_results import EditColumn
from relatent.cli.main import main
from tests.fixtures import tiny

DEMO_WITHOUT_EDITS = """
import sys
from relatent.cli import demo_results
from relatent.cli.main import main
demo_results.EDITS = ()
sys.exit(main(["demo", *sys.argv[1:]]))
"""
"""The tiny pack has none of the demo's attributes."""


@pytest.fixture
def checkout(tmp_path: Path) -> list[str]:
    """Flags that show a demo the tiny pack, under the demo's name, and drawings of its own."""
    packs, repository = tiny.write_tiny(tmp_path, name="demo")
    drawings = packs / "demo" / "drawings"
    drawings.mkdir()
    for seed in range(4):
        Image.fromarray(tiny.random_image(seed)).resize((32, 32)).save(drawings / f"{seed}.png")
    flags = ["--packs", str(packs), "--repository", str(repository), "--engine", "local"]
    return [*flags, "-o", str(tmp_path / "out")]


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def gone(pid: int) -> bool:
    """Whether a process has ended; whoever inherited it may not have asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_the_demo_ends_with_a_sheet_and_numbers(
    checkout: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    edits = (EditColumn("brightness"), EditColumn("redness", free=("brightness",)))
    monkeypatch.setattr(demo_results, "EDITS", edits)

    assert main(["demo", "--portraits", "3", "--steps", "20", *checkout]) == 0

    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["engine"] == "local"
    assert [Path(image["image"]).name for image in report["images"]] == ["0.png", "1.png", "2.png"]
    assert report["mean"]["refined"]["mse"] < report["mean"]["encoder"]["mse"]
    assert all(image["steps"] == 20 for image in report["images"])
    assert report["steps_per_second"] > 0
    assert set(report["seconds"]) == {"start", "encoder", "refined", "edits", "total"}
    with Image.open(tmp_path / "out" / "contact_sheet.png") as sheet:
        columns = 3 + len(edits) + len(demo_results.MORPH_AMOUNTS)
        assert sheet.width > columns * 150
        assert sheet.height > 3 * 150
    told = capsys.readouterr().out
    assert "engine: local" in told
    assert "contact_sheet.png" in told
    assert "report.json" in told


def test_for_programs_the_demo_prints_its_numbers_alone(
    checkout: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_results, "EDITS", (EditColumn("brightness"),))
    assert main(["demo", "--portraits", "2", "--steps", "4", "--json", *checkout]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["steps_per_second"] > 0
    assert Path(document["output"]).name == "contact_sheet.png"
    assert "engine: local" in err


def test_a_pack_without_the_edits_is_told_so(checkout: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--portraits", "2", "--steps", "4", *checkout]) == 2
    assert "pack demo: no attribute called age, glasses, smile, yaw" in capsys.readouterr().err


def test_why_there_is_no_triton_is_told_with_its_cure(
    checkout: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo_results, "EDITS", ())
    monkeypatch.setenv("PATH", str(tmp_path))  # no Triton starts without bash
    flags = ["--portraits", "2", "--steps", "1", *checkout, "--engine", "auto"]
    assert main(["demo", *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    [place] = [number for number, line in enumerate(lines) if "engine: local" in line]
    assert lines[place + 1].startswith("  no embedded Triton, graphs run in this process, unbatched: ")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_an_interrupted_or_killed_demo_takes_its_service_along(
    checkout: list[str], number: signal.Signals, code: int
) -> None:
    words = [sys.executable, "-c", DEMO_WITHOUT_EDITS, "--steps", "2000", *checkout]
    demo = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("Refining"):
                break
        [service] = children(demo.pid)
        demo.send_signal(number)
        assert demo.wait(60) == code
        deadline = time.monotonic() + 10
        while not gone(service) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert gone(service)
    finally:
        if demo.poll() is None:
            demo.kill()
            demo.wait()
        if demo.stdout is not None:
            demo.stdout.close()
