"""Hyperliquid accounts with their positions, as the leaderboard trackers save them; and the venue's own
reply.

A tracker's file holds the most profitable wallets of a day and a week and the largest positions.
`clearinghouseState`
is the venue's reply for one account; a saved one names the account in the file's name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from deleverage.data.importers import checks
from deleverage.data.importers.base import NO_NAME, ROW, Defect, Importer, Loaded, SourceFile, refusal
from deleverage.data.importers.json_text import listed, number, optional, read_document
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import indicators
from deleverage.errors import SchemaError, UnitError

if TYPE_CHECKING:
    import polars as pl

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_WORD = {"Long": 1.0, "Short": -1.0}
_COLUMNS = (
    ROW,
    "account",
    "coin",
    "coins",
    "entry_price",
    "leverage",
    "notional_usd",
    "unrealised_pnl_usd",
    "liquidation_price",
    "account_value_usd",
)
_LISTS = ("daily", "weekly")


def recognise(layout: Layout) -> bool:
    """A JSON document with a time, a dashboard and a tracker of accounts."""
    return layout.kind == "json" and {"lastUpdated", "dashboard", "totalOI", "whaleTracker"} <= set(
        layout.names
    )


def load(source: SourceFile) -> Loaded:
    """Positions of the tracked accounts, each once, and the venue's totals."""
    import polars as pl

    document = read_document(source)
    time_ns = written_time(source, document.get("lastUpdated"))
    tracker = document["whaleTracker"]
    rows: dict[tuple[str, str], tuple[Any, ...]] = {}
    repeated = 0
    for name in _LISTS:
        for entry in listed(source, "", f"whaleTracker.{name}", tracker.get(name)):
            account, value = str(entry["address"]), entry.get("accountValue")
            for position in listed(source, account, "positions", entry.get("positions")):
                key = (account, str(position["coin"]))
                repeated += key in rows
                rows.setdefault(key, _position(source, len(rows) + 1, account, position, value))
    for position in listed(source, "", "whaleTracker.biggestPositions", tracker.get("biggestPositions")):
        account = str(position["traderAddress"])
        key = (account, str(position["coin"]))
        repeated += key in rows
        rows.setdefault(
            key, _position(source, len(rows) + 1, account, position, position.get("traderAccountValue"))
        )
    frame = _frame(source, list(rows.values()), time_ns)
    board = document["dashboard"]
    total = number(source, "dashboard", "totalOI", board.get("totalOI"))
    defects = _defects(frame, total, repeated)
    totals = pl.DataFrame({"time_ns": [time_ns]})
    values = {
        "open_interest_usd": (pl.lit(total), "USD"),
        "volume_usd_24h": (pl.lit(number(source, "dashboard", "volume24h", board.get("volume24h"))), "USD"),
        "accounts_on_leaderboard": (
            pl.lit(number(source, "dashboard", "totalTraders", board.get("totalTraders"))),
            "count",
        ),
    }
    return Loaded(
        [("holdings", frame), indicators(totals, "hyperliquid", values, interval_s=0, venue="hyperliquid")],
        defects,
    )


def _position(source: SourceFile, row: int, account: str, position: Any, value: object) -> tuple[Any, ...]:
    place = f"account {account}, {position.get('coin')}"
    direction = position.get("direction")
    if direction not in _WORD:
        raise refusal(
            SchemaError,
            source,
            place=place,
            column="direction",
            expected="Long or Short",
            found=repr(direction),
            todo="give the tracker's own file",
        )
    size = number(source, place, "size", position.get("size"))
    if size <= 0:
        raise refusal(
            UnitError,
            source,
            place=place,
            column="size",
            expected="a size above 0: the direction is beside it",
            found=f"{size:g}",
            todo="give the tracker's own file",
        )
    fields = ("entryPx", "leverage", "positionValue", "unrealizedPnl", "liquidationPx")
    numbers = [optional(source, place, name, position.get(name)) for name in fields]
    equity = optional(source, place, "accountValue", value)
    return (row, account, str(position["coin"]), size * _WORD[direction], *numbers, equity)


def _frame(source: SourceFile, rows: list[tuple[Any, ...]], time_ns: int) -> pl.DataFrame:
    import polars as pl

    if not rows:
        raise refusal(
            SchemaError, source, expected="positions", found="none", todo="give the tracker's own file"
        )
    frame = pl.DataFrame(rows, schema=list(_COLUMNS), orient="row", infer_schema_length=None).with_columns(
        *(pl.col(name).cast(pl.Float64) for name in _COLUMNS[3:]),
        pl.lit(time_ns, dtype=pl.Int64).alias("time_ns"),
        pl.lit("hyperliquid").alias("venue"),
        pl.col("coin").alias("symbol"),
    )
    checks.not_negative(frame, source, "notional_usd")
    return frame


def _defects(frame: pl.DataFrame, total_usd: float, repeated: int) -> list[Defect]:
    import polars as pl

    found = []
    none = frame["liquidation_price"].null_count()
    if none:
        found.append(
            Defect(
                "liquidation-price-null",
                "positions without a liquidation price: cross accounts that no price of one coin liquidates",
                "left as not observed, never 0",
                none,
                f"{none / frame.height:.0%} of {frame.height:,} positions",
            )
        )
    mark = pl.col("notional_usd") / pl.col("coins").abs()
    wrong = frame.filter((pl.col("coins") > 0) & (pl.col("liquidation_price") > mark * 1.001))
    if wrong.height:
        found.append(
            Defect(
                "liquidation-price-above",
                "longs whose liquidation price is above the mark",
                "kept",
                wrong.height,
            )
        )
    share = float(frame["notional_usd"].sum()) / total_usd if total_usd else 0.0
    found.append(
        Defect(
            "sample-biased",
            "accounts that a tracker chose (the most profitable, the largest), not a sample of the venue",
            "imported; never to be read as a share of all accounts",
            example=f"{share:.0%} of the venue's open interest of both sides",
        )
    )
    if repeated:
        found.append(
            Defect(
                "positions-repeated",
                "positions that stand in several lists of one file",
                "kept once",
                repeated,
            )
        )
    return found


def recognise_ladder(layout: Layout) -> bool:
    """A JSON document with ladders of liquidations by price."""
    return layout.kind == "json" and {"lastUpdated", "longLiquidations", "currentPrice"} <= set(layout.names)


def load_ladder(source: SourceFile) -> Loaded:
    """A ladder of estimated liquidations: a model's figures on round prices, by assumed leverage."""
    import polars as pl

    document = read_document(source)
    time_ns = written_time(source, document.get("lastUpdated"))
    rows = []
    for coin, ladder in document["data"].items():
        for side, key in (("long", "longLiquidations"), ("short", "shortLiquidations")):
            for step in listed(source, coin, key, ladder.get(key)):
                price = number(source, coin, "price", step.get("price"))
                usd = sum(number(source, coin, n, v) for n, v in step.items() if n.endswith("x"))
                rows.append((time_ns, side, f"{coin}@{price:g}", usd))
    frame = pl.DataFrame(rows, schema=["time_ns", "side", "symbol", "usd"], orient="row")
    parts = [
        indicators(
            frame.filter(pl.col("side") == side),
            "hyperliquid-whales (modelled)",
            {f"estimated_{side}_liquidations_usd": (pl.col("usd"), "USD, modelled")},
            interval_s=0,
            venue="hyperliquid",
            symbol=pl.col("symbol"),
        )
        for side in ("long", "short")
    ]
    modelled = Defect(
        "ladder-modelled",
        "a ladder of liquidations on round prices and assumed leverages: a model, not an observation",
        "kept as indicators whose unit says so, never as liquidations",
        frame.height,
    )
    return Loaded(list(parts), [modelled])


def recognise_state(layout: Layout) -> bool:
    """The venue's reply to clearinghouseState."""
    return layout.kind == "json" and {"marginSummary", "assetPositions"} <= set(layout.names)


def load_state(source: SourceFile) -> Loaded:
    """The positions of one account; its address stands in the file's name."""
    address = _ADDRESS.search(source.name)
    if address is None:
        return Loaded(skipped="positions of an account, and the name does not hold its address")
    document = read_document(source)
    time_ns = int(number(source, "", "time", document.get("time"))) * 1_000_000
    value = document["marginSummary"].get("accountValue")
    rows: list[tuple[Any, ...]] = []
    for entry in listed(source, "", "assetPositions", document["assetPositions"]):
        position = entry["position"]
        place = str(position["coin"])
        numbers = [
            optional(source, place, "entryPx", position.get("entryPx")),
            optional(source, place, "leverage", (position.get("leverage") or {}).get("value")),
            optional(source, place, "positionValue", position.get("positionValue")),
            optional(source, place, "unrealizedPnl", position.get("unrealizedPnl")),
            optional(source, place, "liquidationPx", position.get("liquidationPx")),
        ]
        size = number(source, place, "szi", position.get("szi"))
        equity = optional(source, place, "accountValue", value)
        rows.append((len(rows) + 1, address[0].lower(), place, size, *numbers, equity))
    frame = _frame(source, rows, time_ns)
    checks.within(frame, source, "time")
    return Loaded([("holdings", frame)])


def written_time(source: SourceFile, text: object) -> int:
    """An ISO time with its zone [ns UTC]."""
    from datetime import UTC, datetime, timedelta

    try:
        moment = datetime.fromisoformat(str(text))
        if moment.tzinfo is not None:
            return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    except ValueError:
        pass
    raise refusal(
        SchemaError,
        source,
        column="lastUpdated",
        expected="a time with its zone, like 2026-02-04T14:30:41Z",
        found=repr(text),
        todo="give the tracker's own file",
    )


WHALES = (
    Importer("hyperliquid-whales", 1, "tracked accounts", ("whaleTracker",), NO_NAME, recognise, load),
    Importer(
        "hyperliquid-ladder",
        1,
        "modelled ladders",
        ("longLiquidations",),
        NO_NAME,
        recognise_ladder,
        load_ladder,
    ),
    Importer(
        "hyperliquid-account",
        1,
        "an account's state",
        ("assetPositions",),
        NO_NAME,
        recognise_state,
        load_state,
    ),
)
