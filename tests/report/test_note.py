"""Is the note whole, self-contained and escaped, whatever the answer was?"""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from deleverage.experiment.answer import Answer
from deleverage.report.figures import draw_all
from deleverage.report.note import SECTIONS, note, write_note
from tests.report.sample import FULL, NONE, SMALL, UNDEFINED, Case, sample

CASES = pytest.mark.parametrize(
    "case", [FULL, NONE, SMALL, UNDEFINED], ids=["full", "none", "small", "undefined"]
)
_VOID = {"meta", "link", "br", "img", "hr"}


@cache
def _noted(case: Case) -> str:
    return note(sample(case))


def _noted_case_of(answer: Answer) -> str:
    """The note of whichever case the answer is, without drawing it again."""
    return next(_noted(case) for case in (SMALL, NONE) if sample(case) is answer)


class _Page(HTMLParser):
    """Every tag with its attributes, the text, and whether elements nest."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _parse(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


@CASES
def test_the_note_has_every_section_and_fetches_nothing(case: Case) -> None:
    text = _noted(case)
    page = _parse(text)
    words = "".join(page.text)
    for title in SECTIONS:
        assert title in words
    assert [t for t, _ in page.tags].count("section") == len(SECTIONS)
    for tag, attributes in page.tags:
        assert tag not in {
            "script",
            "iframe",
            "object",
            "embed",
            "base",
            "form",
            "video",
            "audio",
            "image",
            "foreignobject",
        }
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "srcset", "data", "poster", "action"):
            assert name not in attributes
        link = attributes.get("href") or attributes.get("xlink:href") or "#"
        assert link.startswith(("#", "data:")), (tag, link)
    assert not re.search(r"url\((?!#)|@import", text)
    assert "Content-Security-Policy" in text
    assert len(text.encode()) < 3_000_000


@pytest.mark.parametrize("case", [FULL, UNDEFINED], ids=["full", "undefined"])
def test_every_figure_has_a_title_a_source_and_words_for_those_who_do_not_see_it(case: Case) -> None:
    drawings = draw_all(sample(case))
    wanted = {
        "price",
        "liquidations",
        "depth",
        "open_interest",
        "ledger",
        "map",
        "tipping",
        "shares",
        "share_by_shock",
        "published",
    }
    assert wanted <= set(drawings)
    for name, drawing in drawings.items():
        assert len(drawing.title) > 20 and drawing.band and drawing.alt, name
        assert "10 October 2025" in drawing.source
        for svg in (drawing.wide, drawing.narrow, drawing.standalone(), drawing.standalone(narrow=True)):
            ElementTree.fromstring(svg)
            assert not re.search(r"\b(nan|inf)\b", svg.lower())


def test_tables_have_heads_and_names() -> None:
    page = _parse(_noted(FULL))
    tables = [attributes for tag, attributes in page.tags if tag == "table"]
    assert len(tables) >= 8
    assert all(attributes.get("aria-label") for attributes in tables)
    scopes = [attributes.get("scope") for tag, attributes in page.tags if tag == "th"]
    assert all(scope in {"col", "row"} for scope in scopes)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_whatever_a_source_says_stays_text() -> None:
    text = _noted(FULL)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_same_answer_gives_the_same_bytes() -> None:
    assert note(sample(SMALL)) == _noted(SMALL)


def test_provenance_names_the_command_that_rebuilds_it() -> None:
    words = "".join(_parse(_noted(SMALL)).text)
    assert "deleverage run oct-10 --seeds 64 --seed 1" in words
    assert "residual is 0" in words


def test_a_note_of_many_seeds_is_no_larger() -> None:
    assert len(note(sample(SMALL, seeds=64))) < 1.5 * len(_noted(SMALL))


def test_the_file_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deleverage.report.note.note", _noted_case_of)
    path = write_note(sample(SMALL), tmp_path / "note.html")
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_note(sample(NONE), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["note.html"]
