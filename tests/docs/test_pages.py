"""Do pages lead somewhere: paths and links that exist, commands as promised, no address of one machine?"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import deleverage as dl
from docs.make_images import LARGEST_BYTES, draw
from tests.docs.pages import DOCS, PAGES, ROOT, anchors, blocks

README = ROOT / "README.md"
NEWCOMERS = (
    "README.md",
    "docs/tour.md",
    "src/deleverage/engine/simulate.py",
    "src/deleverage/engine/step.py",
    "src/deleverage/venues/margin.py",
)
_ROOMS = ("src", "tests", "docs", "scripts", "reference", "verify", "bench", "locks", ".ci")


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_pages_and_headings_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+://", target):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(other), f"{page.name}: {target}; there are {sorted(anchors(other))}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_paths_named_on_a_page_exist(page: Path) -> None:
    for path in re.findall(r"`([\w./-]+/[\w./-]*)`", page.read_text(encoding="utf-8")):
        if path.split("/")[0] in _ROOMS and not re.search(r"NNNN|[A-Z]{4,}", path):
            assert (ROOT / path).exists(), f"{page.name} names {path}"


@pytest.mark.parametrize("command", ["python3 scripts/do run oct-10", "python3 scripts/do test"])
def test_readme_has_its_two_commands_each_on_a_line_of_its_own(command: str) -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert any(line.strip().split("  ")[0] == command for line in lines), command


def test_first_word_of_every_readme_command_is_known_to_the_script() -> None:
    from docs.make_reference import commands

    script = (ROOT / "scripts" / "do").read_text(encoding="utf-8")
    first = {name.split()[0] for name in commands() if name}
    for word in re.findall(r"python3 scripts/do (\w+)", README.read_text(encoding="utf-8")):
        assert word in first or f'words[0] == "{word}"' in script, word


def test_newcomers_path_is_there_and_short_enough_for_one_sitting() -> None:
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in NEWCOMERS}
    assert all(length < 400 for length in lengths.values()), lengths
    path = (DOCS / "index.md").read_text(encoding="utf-8")
    assert all(Path(name).name in path for name in NEWCOMERS)


def test_python_of_the_readme_is_ten_lines_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [b for b in blocks(README) if b.language == "python"]
    lines = [line for line in block.text.splitlines() if line.strip()]
    assert len(lines) <= 10
    small = block.text.replace('"oct-10"', '"double-trouble"').replace('"BTC"', '"ALPHA"')
    small = re.sub(r"seeds=\d+, accounts=[\d_]+", "seeds=2, accounts=500", small)
    exec(compile(small, "README.md", "exec"), {})
    assert (tmp_path / "note.html").exists()


@pytest.mark.parametrize("name", ["shares", "price"])
def test_pictures_are_small_and_whole(name: str) -> None:
    path = DOCS / "images" / f"{name}.svg"
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < LARGEST_BYTES
    assert text.startswith("<svg ") and text.rstrip().endswith("</svg>")
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)


def test_pictures_can_be_drawn_again(tmp_path: Path) -> None:
    written = draw("double-trouble", 2, 500, None, tmp_path)
    assert [path.name for path in written] == ["shares.svg", "price.svg"]


def test_no_tracked_text_holds_a_registry_address_or_a_path_of_one_machine() -> None:
    # Put together here, so that this file does not hold what it looks for.
    words = [
        "/" + "work" + "/",
        "/root" + "/",
        "/home" + "/",
        "pypi" + ".org",
        "python" + "hosted.org",
        "index" + "-url",
    ]
    looked_for = re.compile("|".join(re.escape(word) for word in words))
    # scripts/lock forbids an address in the locks, and has to say so.
    found = []
    for file in tracked():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if looked_for.search(line) and "no-emit-index-url" not in line:
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not found, "\n".join(found)


def test_version_of_the_changelog_and_of_the_package_fit() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## Unreleased$", changes, re.MULTILINE) or f"## {dl.__version__}" in changes


def test_every_decision_is_one_page_in_the_list_and_says_what_overturns_it() -> None:
    folder = DOCS / "decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    decisions = sorted(folder.glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert path.name in listed
        assert text.startswith(f"# {path.name[:4]} ")
        for word in ("**Context.**", "**Choice.**", "**Cost.**", "**To overturn.**"):
            assert word in text, f"{path.name} has no {word}"
        assert len(text.split()) < 500, f"{path.name} is longer than a page"
