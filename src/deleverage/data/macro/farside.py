"""What does Farside's page of fund flows say?

A table of HTML: a date, one column a fund under its ticker, the sum; USD millions, money that left in
brackets, a dash where a fund has not reported. Rows of sums, averages and seed money are no days. A day on
which no fund has reported is not observed: it is left out, never zero.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from deleverage.data.backfill.web import Web
from deleverage.errors import InputError

if TYPE_CHECKING:
    import polars as pl

BASE = "https://farside.co.uk"
PATHS = {
    "BTC": "/bitcoin-etf-flow-all-data/",
    "ETH": "/ethereum-etf-flow-all-data/",
    "SOL": "/solana-etf-flow-all-data/",
}
PUBLISHER = "farside"
TABLE = "flows"
_TICKER = re.compile(r"[A-Z]{2,6}")
_DATE = re.compile(r"\d{1,2} [A-Z][a-z]{2} \d{4}")
_ROUNDING = 0.35  # USD m: up to a dozen parts and a sum, each rounded to 0.1


def fetch(web: Web, base: str, coin: str) -> pl.DataFrame:
    """Flows of the funds of a coin, as rows of the table of flows."""
    if coin not in PATHS:
        raise InputError(
            f"farside: expected one of {', '.join(PATHS)}, found '{coin}'", hint="Give the coin of the funds."
        )
    url = base + PATHS[coin]

    def read(body: bytes) -> pl.DataFrame:
        return parse(body.decode("utf-8", "replace"), coin)

    found: pl.DataFrame = web.get_read(url, read)
    return found


def parse(page: str, coin: str) -> pl.DataFrame:
    """Rows of a page. Raises `ValueError` where it has no such table, or parts do not sum to the total."""
    import polars as pl

    table = _Cells()
    table.feed(page)
    if table.open:
        raise ValueError("the page ends inside its table")
    funds: list[str] = []
    rows: list[tuple[int, str, str, str, float]] = []
    for cells in table.rows:
        if _is_head(cells):
            funds = cells[1:-1]
        elif funds and _DATE.fullmatch(cells[0]):
            rows += _day(cells, funds, coin)
    if not funds or not rows:
        raise ValueError("no table with a date, tickers and a total")
    return pl.DataFrame(
        rows,
        schema={
            "time_ns": pl.Int64,
            **dict.fromkeys(("publisher", "coin", "fund"), pl.String),
            "usd": pl.Float64,
        },
        orient="row",
    ).sort("time_ns", "fund")


def _is_head(cells: list[str]) -> bool:
    tickers = cells[1:-1]
    return len(tickers) > 1 and all(_TICKER.fullmatch(cell) for cell in tickers)


def _day(cells: list[str], funds: list[str], coin: str) -> list[tuple[int, str, str, str, float]]:
    if len(cells) != len(funds) + 2:
        raise ValueError(f"{cells[0]}: {len(cells)} cells, {len(funds) + 2} were expected")
    day = datetime.strptime(cells[0], "%d %b %Y").replace(tzinfo=UTC)
    time_ns = int(day.timestamp()) * 1_000_000_000
    flows = {fund: millions(cell) for fund, cell in zip(funds, cells[1:-1], strict=True)}
    reported = {fund: flow for fund, flow in flows.items() if flow is not None}
    if not reported:
        return []
    total = millions(cells[-1])
    if total is None or abs(sum(reported.values()) - total) > _ROUNDING:
        raise ValueError(
            f"{cells[0]}: the parts sum to {sum(reported.values()):.1f}, the total says {cells[-1]}"
        )
    rows = [(time_ns, PUBLISHER, coin, fund, flow * 1e6) for fund, flow in reported.items()]
    return [*rows, (time_ns, PUBLISHER, coin, "total", total * 1e6)]


def millions(cell: str) -> float | None:
    """'1,119.9' or '(12.3)' as a number with a sign; None for a dash or nothing."""
    text = cell.replace(",", "").strip()
    if text in ("", "-", "–"):
        return None
    sign = 1.0
    if text.startswith("(") and text.endswith(")"):
        sign, text = -1.0, text[1:-1]
    value = float(text)
    if not abs(value) < 1e6:
        raise ValueError(f"a flow of '{cell}' millions")
    return sign * value


class _Cells(HTMLParser):
    """The texts of a page's table rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._cell: list[str] | None = None
        self.open = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.open += 1
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.open -= 1
        elif tag in ("td", "th") and self._cell is not None and self.rows:
            self.rows[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)
