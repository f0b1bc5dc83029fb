"""Every known defect of the data folder's README is found by a look at the data, and reported once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deleverage.data import ImportReport, Lake

pytestmark = pytest.mark.slow
Imported = tuple[Lake, ImportReport]

# README row, words of its cell "known defects", defect that reports it, words that show a look at the data
KNOWN: list[tuple[str, str, str, str]] = [
    ("a1", "last row may be a partial day", "bar-partial", "the last of"),
    ("a2", "`funding.csv` is a daily mean", "funding-daily-mean", ""),
    ("a3", "ENDS before the crash", "misses-the-crash", "coingecko total ends 2025-08-05"),
    ("a3", "a few 2-4 day gaps", "days-missing", ""),
    ("b1", "BTC only", "one-coin-only", "spot bars of 300 s: BTC"),
    ("b2", "only the crash window", "short-series", ""),
    ("b3", "okx, kraken, dydx do not cover Oct 2025", "misses-the-crash", "candles"),
    ("b3", "okx `v` is in CONTRACTS", "okx-contracts", "times that of the other venues"),
    ("b4", "HYPE file is not Binance-checked", "venue-doubtful", "HYPE: 1,389,047 USD in the median hour"),
    ("b6", "calm month", "misses-the-crash", "binance perp ETH 60 ends 2025-06-15"),
    ("c1", "Binance only", "liquidations-binance-only", "Binance's pairs"),
    ("c1", "throttled feed", "throttled-feed", ""),
    ("c2", "no snapshot on 10-11", "snapshot-days-missing", "among them 2025-10-11"),
    ("c2", "the `exchange_list` window is shorter than 24h", "window-not-stated", "against"),
    ("c2", "some pairs repeat collateral variants", "pairs-repeated", ""),
    ("c2", "long and short 24-h liquidation columns are swapped", "liquidations-swapped", "correlation"),
    ("c3", "minutes-to-hours of coverage", "short-series", "hours"),
    ("c3", "`usd` uses the order (bankruptcy) price", "usd-at-order-price", ""),
    ("c3", "1,842 distinct", "events-repeated", "3,510 lines, 1,842 events"),
    ("c3", "at most 1 event/s/symbol", "throttled-feed", "steps within one contract"),
    ("c4", "`profit_usd` in collateral_liquidations is garbage", "profit-garbage", "USD"),
    ("c5", "times in the json are local (UTC-4", "local-time", "UTC-4"),
    ("c5", "mean leverage 3,322x is an artefact", "leverage-artefact", "median"),
    ("c5", "fills and liquidation lists absent", "events-absent", ""),
    ("c6", "derived data", "derived-data", ""),
    ("c7", "tiny market", "tiny-market", "USD in the median day"),
    ("d1", "USD value, so it mixes price and contracts", "open-interest-usd-only", ""),
    ("d2", "one hole 2025-09-11 16:00..09-18 16:00", "interest-holes", "to 2025-09-18 16:00"),
    ("d3", "funding in PERCENT", "funding-in-percent", ""),
    ("d3", "CME files empty", "file-empty", "CME"),
    ("d3", "coinbase premium time is in seconds", "time-in-seconds", ""),
    ("d3", "`aggregated` depth = Binance only", "depth-binance-only", "times the depth"),
    ("d4", "only 33 symbols cover Oct 2025", "misses-the-crash", "funding"),
    ("d5", "okx funding only from Dec 2025", "misses-the-crash", "funding"),
    ("d5", "differs from total by up to 27%", "sides-do-not-sum", "up to 27%"),
    ("d6", "repeated with suffixes", "columns-repeated", "_x"),
    ("e", "missing days 2018-04-14/15/16 and 2024-10-26", "sentiment-days-missing", "2018-04-16, 2024-10-26"),
    ("e", "differs by 1-2 points", "sentiment-differ", "alternative.me and coinglass"),
    ("f", "front-month rolls", "front-month-rolls", "GC=F"),
    ("f", "no PAXG", "weekdays-only", ""),
    ("g", "holiday rows with Total 0", "holiday-zeros", "2024"),
    ("g", "a `Seed` row", "seed-row", "10,360"),
    ("g", "SOL only 16 rows", "short-series", ""),
    ("h1", "6 minutes", "short-series", ""),
    ("h2", "the stamp is the bar's OPEN", "bar-of-the-fetch", ""),
    ("h3", "no Hyperliquid", "venue-absent", "hyperliquid"),
    ("h3", "author's own aggregation", "derived-data", ""),
    ("i", "biased sample", "sample-biased", "of the venue's open interest"),
    ("i", "liquidationPx null", "liquidation-price-null", "31%"),
    ("i", "`*_liq.json` is modelled", "ladder-modelled", ""),
    ("j1", "data file of a GPL project", "licence-copyleft", "leverage_tiers"),
]


def readme_defects(folder: Path) -> dict[str, str]:
    """The cell 'known defects' of every row of the README's table."""
    rows = {}
    for line in (folder / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if re.fullmatch(r"[a-j]\d?", cells[0].strip("| ")) and len(cells) > 5:
            rows[cells[0].strip("| ")] = cells[-1].removesuffix(" |")
    return rows


def test_the_list_here_is_of_every_row_of_the_readme(test_data: Path) -> None:
    cells = readme_defects(test_data)
    # j2 says of which month its file is; that file carries no date and is left out with that reason.
    assert set(cells) - {row for row, *_ in KNOWN} == {"j2"}
    for row, words, *_ in KNOWN:
        assert words in cells[row], f"{row}: {cells[row]}"


@pytest.mark.parametrize("known", KNOWN, ids=lambda k: f"{k[0]}-{k[1][:40]}")
def test_a_known_defect_is_reported_once_with_how_it_was_handled(
    known: tuple[str, str, str, str], imported: Imported
) -> None:
    _, _, name, shown = known
    found = [defect for defect in imported[1].to_json()["defects"] if defect["name"] == name]
    assert len(found) == 1
    assert found[0]["handled"]
    assert shown in found[0]["example"]


def test_a_file_without_a_date_is_left_out_with_that_reason(imported: Imported) -> None:
    assert "of which date" in dict(imported[1].skipped)["leverage_tiers/hyperliquid_meta.json"]


def test_defects_that_the_readme_does_not_know(imported: Imported) -> None:
    noted = imported[1].noted
    assert "BTC: 105,189" in noted["open-interest-in-coins"].example
    assert "up to 1.27 s" in noted["clock-skew"].example
    assert "UTC-4" in noted["local-time"].example
    assert noted["liquidations-swapped"].example.startswith("correlation of the return")


def test_each_defect_stands_once_in_json(imported: Imported) -> None:
    defects = imported[1].to_json()["defects"]
    assert len({d["name"] for d in defects}) == len(defects)
    assert len({(d["defect"], d["handled"]) for d in defects}) == len(defects)


def test_liquidations_are_at_the_fill_and_each_event_is_there_once(imported: Imported) -> None:
    lake = imported[0]
    rows = lake.read("liquidations", where={"venue": "binance"})
    filled = rows.filter(rows["usd_at"] == "fill")
    assert filled.height > 2_000
    assert filled.filter((filled["usd"] / (filled["coins"] * filled["price"]) - 1).abs() > 1e-9).is_empty()
    assert set(rows["side"].unique()) == {"long", "short"}


def test_longs_are_liquidated_below_the_price_of_their_order(imported: Imported) -> None:
    rows = imported[0].read("liquidations", where={"venue": "binance", "usd_at": "fill", "side": "long"})
    # A SELL at a limit fills at the limit or better: above it.
    better = rows.filter(rows["price"] >= rows["order_price"] * (1 - 1e-9))
    assert better.height > 0.99 * rows.height


def test_fund_flows_of_the_week_of_outflows(imported: Imported) -> None:
    from tests.data.tiny import ns

    rows = imported[0].read(
        "flows",
        start_ns=ns("2025-11-03T00:00:00Z"),
        end_ns=ns("2025-11-07T00:00:00Z"),
        where={"publisher": "farside", "coin": "BTC", "fund": "total"},
    )
    assert round(float(rows["usd"].sum()) / 1e6) == -1_208
    assert "Seed" not in set(imported[0].read("flows")["fund"])


def test_fear_and_greed_of_the_middle_of_november(imported: Imported) -> None:
    from tests.data.tiny import ns

    rows = imported[0].read(
        "sentiment",
        start_ns=ns("2025-11-15T00:00:00Z"),
        end_ns=ns("2025-11-16T00:00:00Z"),
        where={"publisher": "alternative.me"},
    )
    assert rows["value"].to_list() == [10, 10]


def test_aave_of_the_night_as_counted_in_the_readme(imported: Imported) -> None:
    from tests.data.tiny import ns

    rows = imported[0].read(
        "liquidations",
        start_ns=ns("2025-10-10T00:00:00Z"),
        end_ns=ns("2025-10-12T00:00:00Z"),
        where={"venue": "aave"},
    )
    wrapped = rows.filter(rows["symbol"].str.ends_with("WBTC"))
    assert wrapped.filter(~wrapped["price"].is_between(106_000, 120_000)).is_empty()
    assert wrapped.height >= 61
