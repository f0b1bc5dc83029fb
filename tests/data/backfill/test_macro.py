"""Macro sources: what is read, what is left out as not observed, and how a revision leaves both values
readable."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deleverage.cli import main
from deleverage.data.backfill.days import day_of_ns, now_ns, start_ns
from deleverage.data.backfill.patience import Patience
from deleverage.data.backfill.request import BackfillReport, Request
from deleverage.data.backfill.run import backfill
from deleverage.data.lake import Lake
from deleverage.data.macro import farside
from deleverage.data.macro.farside import millions
from deleverage.data.macro.vintages import read_vintage
from deleverage.errors import InputError, RateLimited, SourceChanged
from tests.data.backfill.serving import Fault, Server

DAY = date(2025, 11, 10)
FNG = "/fng/"
BTC = "/bitcoin-etf-flow-all-data/"


def ask(
    server: Server,
    lake: Path,
    patience: Patience,
    source: str,
    *symbols: str,
    days: int = 7,
    first: date = DAY,
) -> BackfillReport:
    request = Request(source, symbols, (), first, first + timedelta(days=days - 1))
    return backfill(request, lake, url=server.url, patience=patience)


def index(values: dict[date, int]) -> Any:
    """An answer of alternative.me: newest first, numbers as text."""
    data = [
        {
            "value": str(value),
            "value_classification": "Fear",
            "timestamp": str(start_ns(day) // 1_000_000_000),
        }
        for day, value in sorted(values.items(), reverse=True)
    ]
    return {"name": "Fear and Greed Index", "data": data, "metadata": {"error": None}}


def week(**changed: int) -> dict[date, int]:
    values = {DAY + timedelta(days=n): 20 + n for n in range(7)}
    return values | {date.fromisoformat(day.replace("_", "-")[1:]): v for day, v in changed.items()}


def page(rows: list[tuple[str, ...]], funds: tuple[str, ...] = ("IBIT", "FBTC", "GBTC")) -> bytes:
    """Farside's page: names of issuers, tickers, fees, days, and sums below."""
    head = [
        ("", "Blackrock", "Fidelity", "Grayscale", "Total"),
        ("", *funds, "Total"),
        ("Fee", "0.25%", "0.25%", "1.5%", ""),
    ]
    foot = [("Total", "1", "2", "3", "6"), ("Average", "1", "2", "3", "6"), ("Maximum", "9", "9", "9", "27")]
    seed = [("Seed", "10.0", "20.0", "0.0", "30.0")]
    cells = "".join(
        "<tr>" + "".join(f'<td><span class="tabletext">{cell}</span></td>' for cell in row) + "</tr>\n"
        for row in [*head, *seed, *rows, *foot]
    )
    menu = "<table class='menu'><tr><td>x</td></tr></table>"
    return f"<html><body>{menu}<table>{cells}</table></body></html>".encode()


FLOWS: list[tuple[str, ...]] = [
    ("10 Nov 2025", "1,119.9", "(12.3)", "0.0", "1,107.6"),
    ("11 Nov 2025", "-", "-", "-", "0.0"),  # a holiday, or not reported yet
    ("12 Nov 2025", "(100.0)", "5.5", "-", "(94.5)"),
]


def serve_index(server: Server, values: dict[date, int]) -> None:
    server.answers[FNG] = lambda *_: index(values)


def test_fear_and_greed_of_the_days_asked_for(server: Server, lake_folder: Path, hasty: Patience) -> None:
    serve_index(server, week() | {DAY - timedelta(days=1): 99})
    report = ask(server, lake_folder, hasty, "fear-greed")
    rows = Lake.open(lake_folder).read("sentiment")
    assert rows["value"].to_list() == list(range(20, 27)) and rows["class"].unique().to_list() == ["Fear"]
    assert rows["publisher"].unique().to_list() == ["alternative.me"] and report.series[0].gaps == []
    assert rows["received_ns"].min() > start_ns(DAY)  # type: ignore[operator]


def test_missing_days_of_a_daily_series_are_gaps(server: Server, lake_folder: Path, hasty: Patience) -> None:
    values = week()
    del values[DAY + timedelta(days=2)], values[DAY + timedelta(days=3)]
    serve_index(server, values)
    report = ask(server, lake_folder, hasty, "fear-greed")
    assert report.series[0].missing == [DAY + timedelta(days=2), DAY + timedelta(days=3)]
    assert Lake.open(lake_folder).read("gaps").select("time_ns", "venue", "stream").rows() == [
        (start_ns(DAY + timedelta(days=n)), "alternative.me", "sentiment") for n in (2, 3)
    ]
    assert len(report.to_json()["series"][0]["gaps"]) == 1  # shown as one stretch


def test_revision_leaves_the_first_and_the_latest_value_readable(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    serve_index(server, week())
    ask(server, lake_folder, hasty, "fear-greed")
    between = now_ns()
    serve_index(server, week(d2025_11_12=40))
    second = ask(server, lake_folder, hasty, "fear-greed")
    serve_index(server, week(d2025_11_12=41))
    ask(server, lake_folder, hasty, "fear-greed")
    lake = Lake.open(lake_folder)
    assert second.series[0].added == 0 and "was 22.0, is 40.0" in " ".join(second.series[0].notes)
    assert lake.read("sentiment")["value"].to_list() == list(range(20, 27))  # the first vintage stays
    assert read_vintage(lake, "sentiment", latest=False)["value"].to_list()[2] == 22
    latest = read_vintage(lake, "sentiment")
    assert latest["value"].to_list() == [20, 21, 41, 23, 24, 25, 26] and latest["value"].dtype == pl.Int64
    assert read_vintage(lake, "sentiment", as_of_ns=between)["value"].to_list() == list(range(20, 27))
    assert read_vintage(lake, "sentiment", as_of_ns=between - 10**15).is_empty()
    rows = lake.read("revisions").sort("received_ns")
    assert rows.select("table", "publisher", "series", "column", "before", "value").rows() == [
        ("sentiment", "alternative.me", "", "value", 22.0, 40.0),
        ("sentiment", "alternative.me", "", "value", 40.0, 41.0),
    ]


def test_same_values_again_add_nothing_and_revise_nothing(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    serve_index(server, week())
    ask(server, lake_folder, hasty, "fear-greed")
    again = ask(server, lake_folder, hasty, "fear-greed")
    assert again.series[0].added == 0 and again.series[0].notes == {}
    assert Lake.open(lake_folder).read("revisions").is_empty()


def test_revision_back_to_the_first_value_is_one_too(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    for values in (week(), week(d2025_11_12=40), week(), week()):
        serve_index(server, values)
        ask(server, lake_folder, hasty, "fear-greed")
    lake = Lake.open(lake_folder)
    assert lake.read("revisions").sort("received_ns")["value"].to_list() == [40.0, 22.0]
    assert read_vintage(lake, "sentiment")["value"].to_list() == list(range(20, 27))


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"null",
        {"data": [], "metadata": {"error": None}},
        {
            "data": [{"value": "101", "value_classification": "x", "timestamp": "1762732800"}],
            "metadata": {"error": None},
        },
        {
            "data": [{"value": "5", "value_classification": "x", "timestamp": "1762732800000000"}],
            "metadata": {"error": None},
        },
        {"data": [{"value": "5", "timestamp": "1762732800"}], "metadata": {"error": None}},
        {
            "data": [{"value": "5", "value_classification": "x", "timestamp": "1762732800"}],
            "metadata": {"error": "down"},
        },
    ],
)
def test_index_that_is_not_as_documented_is_refused(
    server: Server, lake_folder: Path, hasty: Patience, answer: Any
) -> None:
    server.answers[FNG] = lambda *_: answer
    with pytest.raises(SourceChanged, match="documented answer"):
        ask(server, lake_folder, hasty, "fear-greed")
    assert Lake.open(lake_folder).read("sentiment").is_empty()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FNG, status=429, headers={"Retry-After": "1"}),
        Fault(FNG, status=429),
        Fault(FNG, status=500),
        Fault(FNG, half=True),
        Fault(FNG, body=b'{"data": ['),
    ],
    ids=["429 with a time", "429 without", "500", "half a body", "malformed"],
)
def test_fault_of_a_publisher_is_asked_again(
    server: Server, lake_folder: Path, hasty: Patience, fault: Fault
) -> None:
    serve_index(server, week())
    server.faults = [fault]
    assert ask(server, lake_folder, hasty, "fear-greed").series[0].added == 7 and len(server.asked) == 2


def test_funds_flows_have_signs_and_what_is_not_reported_is_not_there(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    server.files[BTC] = page(FLOWS)
    ask(server, lake_folder, hasty, "farside", "BTC")
    rows = Lake.open(lake_folder).read("flows").sort("time_ns", "fund")
    assert rows.select("fund", "usd").rows() == [
        ("FBTC", pytest.approx(-12.3e6)),
        ("GBTC", 0.0),
        ("IBIT", pytest.approx(1119.9e6)),
        ("total", pytest.approx(1107.6e6)),
        ("FBTC", pytest.approx(5.5e6)),
        ("IBIT", pytest.approx(-100e6)),
        ("total", pytest.approx(-94.5e6)),
    ]
    days = [day_of_ns(time) for time in rows["time_ns"].unique().sort()]
    assert days == [date(2025, 11, 10), date(2025, 11, 12)]  # no seed, no sums, no holiday of zeros


def test_fund_that_reports_late_is_added_and_the_sum_is_revised(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    server.files[BTC] = page(FLOWS)
    ask(server, lake_folder, hasty, "farside", "BTC")
    server.files[BTC] = page([*FLOWS[:2], ("12 Nov 2025", "(100.0)", "5.5", "20.0", "(74.5)")])
    report = ask(server, lake_folder, hasty, "farside", "BTC")
    lake = Lake.open(lake_folder)
    assert report.series[0].added == 1 and lake.read("flows").height == 8
    (row,) = lake.read("revisions").iter_rows(named=True)
    assert (row["series"], row["column"]) == ("BTC/total", "usd")
    latest = read_vintage(lake, "flows", publisher="farside").filter(pl.col("fund") == "total")
    assert latest["usd"].to_list() == pytest.approx([1107.6e6, -74.5e6])


@pytest.mark.parametrize(
    "body",
    [
        page([("10 Nov 2025", "1.0", "2.0", "3.0", "9.0")]),
        page([("10 Nov 2025", "1.0", "2.0", "3.0")]),
        page([("10 Nov 2025", "1.0", "abc", "3.0", "4.0")]),
        page(FLOWS)[:400],
        page(FLOWS, ("first", "second", "third")),
        b"<html>Just a moment...</html>",
    ],
    ids=["parts", "a cell less", "no number", "cut off", "no tickers", "a page that asks who we are"],
)
def test_page_that_is_not_as_it_was_is_refused(
    server: Server, lake_folder: Path, hasty: Patience, body: bytes
) -> None:
    server.files[BTC] = body
    with pytest.raises(SourceChanged, match="documented answer"):
        ask(server, lake_folder, hasty, "farside", "BTC")
    lake = Lake.open(lake_folder)
    assert lake.read("flows").is_empty()
    assert lake.read("payloads")["payload"].to_list() == [body] and lake.read("payloads")[
        "rows"
    ].to_list() == [None]


def test_pages_that_brought_something_are_kept_as_they_came(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    server.files[BTC] = page(FLOWS)
    for _ in range(3):
        ask(server, lake_folder, hasty, "farside", "BTC")
    (kept,) = Lake.open(lake_folder).read("payloads").iter_rows(named=True)
    assert (kept["payload"], kept["rows"], kept["error"], kept["parser"]) == (
        page(FLOWS),
        7,
        None,
        "farside/1",
    )


@pytest.mark.parametrize(
    ("cell", "value"), [("1,119.9", 1119.9), ("(12.3)", -12.3), ("-", None), ("", None), ("0.0", 0.0)]
)
def test_millions(cell: str, value: float | None) -> None:
    assert millions(cell) == value


def gecko(first: date, count: int) -> Any:
    times = [start_ns(first + timedelta(days=n)) // 1_000_000 for n in range(count)]
    now = times[-1] + 40_000_000  # the value of this moment, which is appended
    return {
        "prices": [[t, 100_000.0] for t in [*times, now]],
        "market_caps": [[t, 2.0e12 + n] for n, t in enumerate([*times, now])],
        "total_volumes": [[t, 5.0e10] for t in [*times, now]],
    }


def test_market_capitalisation_of_a_coin_is_at_midnight_only(
    server: Server, lake_folder: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELEVERAGE_COINGECKO_KEY", "key")
    server.answers["/api/v3/coins/bitcoin/market_chart/range"] = lambda *_: gecko(DAY, 7)
    report = ask(server, lake_folder, hasty, "coingecko", "BTC")
    rows = Lake.open(lake_folder).read("market_caps")
    assert rows.height == 7 and set(rows["time_ns"] % (86_400 * 10**9)) == {0}
    assert rows["supply_coins"][0] == pytest.approx(2.0e7) and rows["volume_usd_24h"][0] == 5.0e10
    assert report.series[0].symbol == "BTC" and report.series[0].gaps == []
    assert "interval=daily" in server.asked[0]


def test_whole_market_needs_a_key_at_coingecko(
    server: Server, lake_folder: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DELEVERAGE_COINGECKO_KEY", raising=False)
    recent = day_of_ns(now_ns()) - timedelta(days=9)
    with pytest.raises(InputError, match="paid key"):
        ask(server, lake_folder, hasty, "coingecko", "total", first=recent)
    monkeypatch.setenv("DELEVERAGE_COINGECKO_KEY", "key")
    one = gecko(recent, 7)
    server.answers["/api/v3/global/market_cap_chart"] = lambda *_: {
        "market_cap_chart": {"market_cap": one["market_caps"], "volume": one["total_volumes"]}
    }
    assert ask(server, lake_folder, hasty, "coingecko", "total", first=recent).series[0].added == 7
    assert Lake.open(lake_folder).read("market_caps")["coin"].unique().to_list() == ["total"]


def test_without_a_key_a_year_is_as_far_as_coingecko_goes(
    server: Server, lake_folder: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DELEVERAGE_COINGECKO_KEY", raising=False)
    first = day_of_ns(now_ns()) - timedelta(days=366)
    server.answers["/api/v3/coins/bitcoin/market_chart/range"] = lambda *_: gecko(first, 7)
    report = ask(server, lake_folder, hasty, "coingecko", "BTC", first=first)
    assert report.series[0].too_old == [first + timedelta(days=n) for n in range(3)]
    with pytest.raises(InputError, match="NAME=id"):
        ask(server, lake_folder, hasty, "coingecko", "NOPE", first=first)


def cmc(first: date, count: int, *, total: bool) -> Any:
    usd = (
        {"total_market_cap": 3.2e12, "total_volume_24h": 1e11}
        if total
        else {"market_cap": 2e12, "volume_24h": 5e10, "circulating_supply": 19_950_000}
    )
    quotes = [
        {"timestamp": f"{first + timedelta(days=n)}T00:00:00.000Z", "quote": {"USD": usd}}
        for n in range(count)
    ]
    status = {"error_code": 0, "error_message": None}
    return {"status": status, "data": {"quotes": quotes} if total else {"BTC": [{"id": 1, "quotes": quotes}]}}


def test_coinmarketcap_total_and_coin(
    server: Server, lake_folder: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELEVERAGE_COINMARKETCAP_KEY", "key")
    server.answers["/v1/global-metrics/quotes/historical"] = lambda *_: cmc(DAY, 7, total=True)
    server.answers["/v2/cryptocurrency/quotes/historical"] = lambda *_: cmc(DAY, 7, total=False)
    report = ask(server, lake_folder, hasty, "coinmarketcap", "total", "BTC")
    rows = Lake.open(lake_folder).read("market_caps")
    assert [one.added for one in report.series] == [7, 7]
    assert rows.filter(pl.col("coin") == "total")["usd"].unique().to_list() == [3.2e12]
    assert rows.filter(pl.col("coin") == "BTC")["supply_coins"].unique().to_list() == [19_950_000.0]
    assert rows.filter(pl.col("coin") == "total")["supply_coins"].null_count() == 7  # not observed


def test_refused_key_is_said_at_once(
    server: Server, lake_folder: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deleverage.errors import SourceUnavailable

    monkeypatch.setenv("DELEVERAGE_COINMARKETCAP_KEY", "key")
    server.faults = [Fault("/v1", status=401, body=b"{}", times=9)]
    with pytest.raises(SourceUnavailable, match="status 401") as error:
        ask(server, lake_folder, hasty, "coinmarketcap", "total")
    assert "wants a key" in error.value.hint and len(server.asked) == 1


def test_publisher_that_limits_for_long_is_left_alone(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    server.faults = [Fault(FNG, status=429, headers={"Retry-After": later}, times=9)]
    with pytest.raises(RateLimited) as error:
        ask(server, lake_folder, hasty, "fear-greed")
    assert error.value.retry_after_s is not None and 3_000 < error.value.retry_after_s <= 3_600
    assert len(server.asked) == 1


def test_imported_values_are_the_first_vintage_for_a_later_fetch(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    lake = Lake.create(lake_folder)
    before = farside.parse(page(FLOWS).decode(), "BTC")
    lake.append("flows", before, source_id="files/etf_btc.csv")
    server.files[BTC] = page([("10 Nov 2025", "1,119.9", "(10.0)", "0.0", "1,109.9"), *FLOWS[1:]])
    report = ask(server, lake_folder, hasty, "farside", "BTC")
    assert report.series[0].added == 0
    assert set(lake.read("revisions")["series"]) == {"BTC/FBTC", "BTC/total"}
    # Nobody knows when a file was received: what was known on a day leaves it out.
    assert read_vintage(lake, "flows", as_of_ns=now_ns()).is_empty()


def test_command_of_a_macro_source(
    server: Server, lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve_index(server, week())
    days = ["--from", str(DAY), "--to", str(DAY + timedelta(days=6)), "--lake", str(lake_folder)]
    assert main(["backfill", "fear-greed", *days, "--url", server.url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["series"][0]["rows"]["added"] == 7 and told["series"][0]["days"]["fetched"] == 7


def test_what_was_fetched_later_on_purpose_is_no_wrong_clock(
    server: Server, lake_folder: Path, hasty: Patience
) -> None:
    serve_index(server, week())
    server.files[BTC] = page(FLOWS)
    ask(server, lake_folder, hasty, "fear-greed")
    ask(server, lake_folder, hasty, "farside", "BTC")
    assert [
        one for one in Lake.open(lake_folder).check().iter_rows(named=True) if one["check"] == "clock"
    ] == []
