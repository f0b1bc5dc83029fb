"""Raw streams as hftbacktest's collectors write them: a line is the local time [ns] and the venue's message.

Trades, best quotes and whole books become rows. Changes of a book (Binance's depthUpdate) stay as messages
they are, in `payloads`: a book is rebuilt from its snapshot and them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deleverage.data.importers import checks
from deleverage.data.importers.base import NO_NAME, ROW, Defect, Importer, Loaded, SourceFile, refusal
from deleverage.data.importers.content import read
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.symbols import base_of, words_of
from deleverage.errors import SchemaError, SourceChanged

if TYPE_CHECKING:
    import polars as pl

_MS = 1_000_000
MAX_LINE = 16 * 1024**2  # bytes; a snapshot of a whole book is below one
_SKEW_NS = 100_000_000
_PARSER = "hftbacktest/1"
_DEPTH = "depthUpdate"


@dataclass
class _Found:
    """Rows by table, as lists of tuples in the order of the columns below."""

    kind: str = ""
    symbol: str = ""
    trades: list[tuple[Any, ...]] = field(default_factory=list)
    quotes: list[tuple[Any, ...]] = field(default_factory=list)
    books: list[tuple[Any, ...]] = field(default_factory=list)
    payloads: list[tuple[Any, ...]] = field(default_factory=list)
    early: int = 0
    worst_ns: int = 0
    unknown: dict[str, int] = field(default_factory=dict)

    def stamp(self, local: int, event: int) -> int:
        """The event time; counts messages that were received before they happened."""
        if event - local > _SKEW_NS:
            self.early += 1
            self.worst_ns = max(self.worst_ns, event - local)
        return event


def recognise(layout: Layout) -> bool:
    """Lines of 19 digits and a JSON object."""
    return layout.kind == "stream"


def load(source: SourceFile) -> Loaded:
    """Every line to its table; a line that is no message refuses the file."""
    found = _Found()
    first = last = 0
    take: Callable[[_Found, int, int, Any], None] | None = None
    for number, line in enumerate(_lines(source), 1):
        local, message = _parsed(source, number, line)
        if take is None:
            take = _hyperliquid if "channel" in message else _binance
            found.kind = _kind(source, message)
            found.symbol = _symbol_of_file(source) if take is _binance else ""
            first = local
        try:
            take(found, local, number, message)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise refusal(
                SchemaError,
                source,
                place=f"line {number}",
                expected="a message of the venue's stream",
                found=f"one without or with another {error}",
                todo="give the stream as it was recorded",
            ) from None
        if message is not None and _is_change(message):
            found.payloads.append((_event_of(message, local), local, number, line))
        last = local
    return _loaded(source, found, first, last, "hyperliquid" if take is _hyperliquid else "binance")


def _lines(source: SourceFile) -> list[bytes]:
    lines = read(source).split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    return lines


def _parsed(source: SourceFile, number: int, line: bytes) -> tuple[int, Any]:
    time, _, text = line.partition(b" ")
    if len(line) <= MAX_LINE:
        try:
            local, message = int(time), json.loads(text)
            if checks.FIRST_NS <= local <= checks.LAST_NS and isinstance(message, dict):
                return local, message
        except ValueError:
            pass
    raise refusal(
        SourceChanged,
        source,
        place=f"line {number}",
        expected=f"a time in ns and a JSON object, at most {MAX_LINE >> 20} MiB",
        found=f"{len(line):,} bytes, '{line[:40].decode('utf-8', 'replace')}'",
        todo="get the file again: it looks cut off or changed",
    )


def _kind(source: SourceFile, message: Any) -> str:
    """Perpetual where the venue prints a transaction time beside the event time; spot otherwise."""
    if "channel" in message:
        return "perp"
    words = words_of(source.label.lower().replace("_", "/"))
    if "spot" in words:
        return "spot"
    return (
        "perp" if words & {"usdm", "um", "futures", "perp"} or "T" in message.get("data", message) else "spot"
    )


def _symbol_of_file(source: SourceFile) -> str:
    """The symbol in a name like usdm_btcusdt_20240808.gz: for a book that does not carry one."""
    return next((part.upper() for part in source.name.split(".")[0].split("_") if base_of(part.upper())), "")


def _binance(found: _Found, local: int, number: int, message: Any) -> None:
    data = message.get("data", message)
    what = data.get("e") or message.get("stream", "").partition("@")[2]
    if "lastUpdateId" in data:
        event = found.stamp(local, int(data.get("T", data.get("E", 0))) * _MS) or local
        for side, levels in (("bid", data["bids"]), ("ask", data["asks"])):
            for level, (price, coins) in enumerate(levels, 1):
                found.books.append(
                    (
                        event,
                        local,
                        found.symbol,
                        side,
                        level,
                        float(price),
                        float(coins),
                        int(data["lastUpdateId"]),
                    )
                )
    elif what in ("trade", "aggTrade"):
        event = found.stamp(local, int(data["T"]) * _MS)
        side = "sell" if data["m"] else "buy"
        identity = f"{data['t']}" if what == "trade" else f"a{data['a']}"
        found.trades.append(
            (event, local, data["s"], identity, side, float(data["p"]), float(data["q"]), number)
        )
    elif what == "bookTicker":
        event = found.stamp(local, int(data["T"]) * _MS) if "T" in data else local
        found.quotes.append(
            (
                *(event, local, data["s"], float(data["b"]), float(data["B"])),
                *(float(data["a"]), float(data["A"]), int(data["u"]), number),
            )
        )
    elif what != _DEPTH:
        found.unknown[str(what)] = found.unknown.get(str(what), 0) + 1
    if "s" in data and not found.symbol:
        found.symbol = data["s"]


def _hyperliquid(found: _Found, local: int, number: int, message: Any) -> None:
    data = message["data"]
    if message["channel"] == "l2Book":
        event = found.stamp(local, int(data["time"]) * _MS)
        for side, levels in zip(("bid", "ask"), data["levels"], strict=True):
            for level, row in enumerate(levels, 1):
                found.books.append(
                    (event, local, data["coin"], side, level, float(row["px"]), float(row["sz"]), None)
                )
    elif message["channel"] == "trades":
        for row in data:
            event = found.stamp(local, int(row["time"]) * _MS)
            side = {"B": "buy", "A": "sell"}[row["side"]]
            found.trades.append(
                (event, local, row["coin"], str(row["tid"]), side, float(row["px"]), float(row["sz"]), number)
            )
    else:
        found.unknown[message["channel"]] = found.unknown.get(message["channel"], 0) + 1


def _is_change(message: Any) -> bool:
    return bool(
        message.get("data", message).__class__ is dict and message.get("data", message).get("e") == _DEPTH
    )


def _event_of(message: Any, local: int) -> int:
    data = message.get("data", message)
    return int(data.get("T", data.get("E", local // _MS))) * _MS


def _loaded(source: SourceFile, found: _Found, first: int, last: int, venue: str) -> Loaded:
    import polars as pl

    frames: list[tuple[str, pl.DataFrame]] = []
    head = ("time_ns", "received_ns", "symbol")
    if found.trades:
        frame = _frame(found.trades, (*head, "trade_id", "side", "price", "coins", ROW), venue, found.kind)
        _positive(source, frame, ("price", "coins"))
        usd = (pl.col("price") * pl.col("coins")).alias("usd")
        frames.append(
            ("trades", frame.with_columns(usd, pl.lit(None, dtype=pl.Boolean).alias("liquidation")))
        )
    if found.quotes:
        names = (*head, "bid_price", "bid_coins", "ask_price", "ask_coins", "update_id", ROW)
        frame = _frame(found.quotes, names, venue, found.kind)
        _positive(source, frame, ("bid_price", "ask_price"))
        checks.require(
            frame,
            pl.col("bid_price") <= pl.col("ask_price"),
            source,
            column="bid_price",
            expected="a bid at or below the offer",
            todo="check the order of the fields",
        )
        frames.append(("best_quotes", frame))
    defects = []
    if found.books:
        frame = _frame(
            found.books, (*head, "side", "level", "price", "coins", "update_id"), venue, found.kind
        )
        # One moment can be received twice; the key has no receive time.
        books = frame.unique(subset=["time_ns", "symbol", "side", "level"], keep="first", maintain_order=True)
        if books.height < frame.height:
            again = Defect("books-repeated", "a book of one moment that was sent again", "kept once")
            defects.append(Defect(again.name, again.defect, again.handled, frame.height - books.height))
        frames.append(("books", books))
    if found.payloads:
        frames.append(("payloads", _payloads(source, found, venue)))
        defects.append(
            Defect(
                "book-changes-raw",
                "changes of a book, which are no snapshot",
                "kept as raw messages in `payloads`",
                len(found.payloads),
            )
        )
    if found.early:
        defects.append(
            Defect(
                "clock-skew",
                "messages that were received before they happened: the recorder's clock was behind",
                "both times kept as they are",
                found.early,
                f"{source.name}: up to {found.worst_ns / 1e9:.2f} s",
            )
        )
    if found.unknown:
        defects.append(
            Defect(
                "messages-unknown",
                "messages of a kind that is not read",
                "left out",
                sum(found.unknown.values()),
                ", ".join(found.unknown),
            )
        )
    if last - first < 86_400_000_000_000:
        minutes = (last - first) / 6e10
        defects.append(
            Defect(
                "short-series",
                "a series of few rows, or of less than a day",
                "imported; a window, not a history",
                example=f"{source.name}: {minutes:.1f} minutes",
            )
        )
    return Loaded(frames, defects)


def _frame(rows: list[tuple[Any, ...]], names: tuple[str, ...], venue: str, kind: str) -> pl.DataFrame:
    import polars as pl

    frame = pl.DataFrame(rows, schema=list(names), orient="row", infer_schema_length=None)
    if "update_id" in names:
        frame = frame.with_columns(pl.col("update_id").cast(pl.Int64))
    coins = {symbol: base_of(symbol) or symbol for symbol in frame["symbol"].unique()}
    return frame.with_columns(
        pl.lit(venue).alias("venue"),
        pl.lit(kind).alias("kind"),
        pl.col("symbol").replace_strict(coins, return_dtype=pl.String).alias("coin"),
    )


def _payloads(source: SourceFile, found: _Found, venue: str) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(
        found.payloads, schema=["time_ns", "received_ns", "sequence", "payload"], orient="row"
    ).with_columns(
        pl.lit(venue).alias("venue"),
        pl.lit("depth").alias("stream"),
        pl.lit(source.label).alias("connection"),
        pl.lit("plain").alias("encoding"),
        pl.lit(_PARSER).alias("parser"),
        pl.lit(0, dtype=pl.Int64).alias("rows"),
        pl.lit(None, dtype=pl.String).alias("error"),
    )


def _positive(source: SourceFile, frame: pl.DataFrame, columns: tuple[str, ...]) -> None:
    import polars as pl

    for name in columns:
        checks.require(
            frame,
            pl.col(name) > 0,
            source,
            column=name,
            expected="a number above 0",
            todo="sizes have no sign",
        )


STREAM = Importer(
    "hftbacktest-stream", 1, "a raw stream with local times", ("local time",), NO_NAME, recognise, load
)
