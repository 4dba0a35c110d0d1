"""The documents that say how the project is kept, held against how it is."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GIVEN_UP = {
    "Wish": "ParsedInversion",
    "Place": "Slot",
    "Claim": "Leftovers",
    "Sayings": "TritonOutput",
    "InitialState": "Initial",
    "GraphKind": "Role",
    "DirectionSpace": "Space",
    "leash": "guard",
    "claim": "leftovers",
    "sayings": "output",
    "places": "locations",
    "telling": "printing, wording",
    "machine": "unpickler",
    "known": "allowlist",
    "inert": "records",
    "plain": "plain_data",
    "streams": "legacy",
    "deadlines": "context",
    "answers": "decoding",
}
"""Names of classes and modules that the glossary has better words for."""


def _words() -> list[str]:
    lines = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    entries = [line for line in lines if line.startswith("- ")]
    words = [re.match(r"- \*\*(.+?)\*\*: \S.*\.$", line) for line in entries]
    assert all(words), [line for line, word in zip(entries, words, strict=True) if word is None]
    return [word[1] for word in words if word is not None]


def test_the_glossary_has_a_line_a_word_in_order() -> None:
    words = _words()
    assert len(words) > 50
    assert words == sorted(words, key=str.lower)
    assert len(set(words)) == len(words)


def test_words_that_were_given_up_name_no_class_and_no_module() -> None:
    found = []
    for part in ("relatent", "service", "export"):
        for path in (ROOT / part).rglob("*.py"):
            if path.stem in GIVEN_UP:
                found.append(str(path))
            classes = [
                node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
            ]
            found += [f"{path}: {node.name}" for node in classes if node.name.strip("_") in GIVEN_UP]
    assert found == []


def test_a_class_name_means_one_thing() -> None:
    names: dict[str, list[str]] = {}
    for part in ("relatent", "service", "export", "bench"):
        for path in (ROOT / part).rglob("*.py"):
            if path.is_relative_to(ROOT / "relatent" / "v1"):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    names.setdefault(node.name, []).append(str(path))
    assert {name: paths for name, paths in names.items() if len(paths) > 1} == {}


def test_the_changelog_begins_with_what_is_not_released_and_then_todays_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert [name for name, _ in headings[:2]] == ["Unreleased", version]
    dates = [date for _, date in headings[1:]]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", date) for date in dates)
    assert dates == sorted(dates, reverse=True)


def test_pre_commit_runs_commands_of_the_makefile() -> None:
    entries = re.findall(r"^ +entry: (.+)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.MULTILINE)
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert entries
    for entry in entries:
        make, target = entry.split()
        assert make == "make"
        assert target in targets


def test_decisions_are_listed_in_their_order_and_say_why_and_what_of_it() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((.+?\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("0*.md"))
    for name in listed:
        text = (folder / name).read_text()
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert len(text.splitlines()) < 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def _anchors(page: Path) -> set[str]:
    """What its headings can be linked to as: GitHub's way."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), re.M)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_has_the_heading(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", page.read_text())
    targets = [((page.parent / link).resolve() if link else page, anchor) for link, anchor in links]
    missing = [(target.name, anchor) for target, anchor in targets if anchor not in _anchors(target)]
    assert missing == []


def test_the_readme_leads_to_every_page_for_operators() -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme.split("## Operate it\n")[1].split("\n## ")[0]
    listed = re.findall(r"^\| \[(.+?)\]\((.+?)\)", section, re.MULTILINE)
    assert [name for name, _ in listed] == ["Deploy", "Secure", "Scale", "Watch", "When it breaks"]
    for name, path in listed:
        assert (ROOT / path).read_text().startswith(f"# {name}\n")


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[\w.-]+\.md)", (ROOT / "README.md").read_text()))
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} - linked == set()
