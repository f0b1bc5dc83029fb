"""Does the note fit a screen, a phone and paper in a real browser, and ask nobody for anything?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deleverage.report.note import write_note
from tests.report.sample import FULL, NONE, SMALL, UNDEFINED, sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_CASES = {"full": FULL, "none": NONE, "small": SMALL, "undefined": UNDEFINED}

_TEXTS = """() => [...document.querySelectorAll('figure')].flatMap(figure => {
  const svg = [...figure.querySelectorAll('svg')].find(s => s.getBoundingClientRect().width > 0);
  const outer = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
  const found = [];
  for (const [text, b] of boxes)
    if (b.left < outer.left - 1.5 || b.right > outer.right + 1.5
        || b.top < outer.top - 1.5 || b.bottom > outer.bottom + 1.5)
      found.push(`${figure.id}: '${text}' is clipped`);
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const [s, a] = boxes[i], [t, b] = boxes[j];
    const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    // line boxes of neighbouring lines touch; letters do not before a third of a line is shared
    if (x > 1.5 && y > Math.min(a.height, b.height) * 0.34)
      found.push(`${figure.id}: '${s}' overlaps '${t}'`);
  }
  return found;
})"""

_SMALLEST = """() => Math.min(...[...document.querySelectorAll('figure svg')]
  .filter(s => s.getBoundingClientRect().width > 0)
  .flatMap(s => { const k = s.getBoundingClientRect().width / s.viewBox.baseVal.width;
    return [...s.querySelectorAll('text')].map(t => parseFloat(getComputedStyle(t).fontSize) * k); }))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no chromium on PATH (looked for chromium, chromium-browser, google-chrome)")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("notes")
    return {name: write_note(sample(case), folder / f"{name}.html") for name, case in _CASES.items()}


def _open(browser: Browser, path: Path, width: int) -> tuple[Page, list[str]]:
    """The page at a width, and every request but the one for the page itself."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []

    def see(route: object, request: object) -> None:
        url = request.url  # type: ignore[attr-defined]
        if url == path.as_uri():
            route.continue_()  # type: ignore[attr-defined]
        else:
            asked.append(url)
            route.abort()  # type: ignore[attr-defined]

    page.route("**/*", see)
    page.goto(path.as_uri())
    page.wait_for_load_state("load")
    return page, [url for url in asked if not url.startswith("data:")]


@pytest.mark.parametrize(
    ("name", "width"),
    [*((name, width) for name in _CASES for width in (1440, 400)), ("full", 820), ("full", 360)],
)
def test_the_page_fits_and_asks_nobody(
    browser: Browser, notes: dict[str, Path], name: str, width: int
) -> None:
    page, asked = _open(browser, notes[name], width)
    assert asked == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= page.evaluate("innerWidth")
    assert page.evaluate(_TEXTS) == []
    assert page.evaluate(_SMALLEST) >= (9.0 if width <= 400 else 9.5)
    page.close()


def test_wide_tables_scroll_inside_their_own_box(browser: Browser, notes: dict[str, Path]) -> None:
    page, _ = _open(browser, notes["full"], 400)
    boxes = page.evaluate(
        "[...document.querySelectorAll('.scroll')].map(b => b.getBoundingClientRect().right)"
    )
    assert boxes and max(boxes) <= 400
    page.close()


@pytest.mark.parametrize("name", _CASES)
def test_it_prints_to_paper(browser: Browser, notes: dict[str, Path], name: str) -> None:
    page, asked = _open(browser, notes[name], 1440)
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    assert paper.startswith(b"%PDF") and len(paper) > 20_000
    pages = paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ")
    assert pages == 0 or 4 <= pages <= 25
    assert asked == []
    page.close()
