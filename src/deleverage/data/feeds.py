"""What does each venue's feed of liquidations publish, and since when?

A feed that shows at most one liquidation a second counts seconds, not liquidations. Which feed does that,
from which day on, and how it chooses the one that it shows, stands here as data, each row with its source and
the day we read it. What nobody says is `unknown`; a venue that is not listed is unknown, not full.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from deleverage.errors import InputError


class Publishes(StrEnum):
    """How much of what happened a feed shows."""

    ALL = "all"
    THROTTLED = "throttled"
    INHERITED = "inherited"
    NOTHING = "nothing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Source:
    """Where a statement stands, and the day on which we read it."""

    text: str
    link: str
    read: date


@dataclass(frozen=True)
class Feed:
    """One feed from one day to the next change.

    Parameters
    ----------
    venue, feed : as in the column `feed` of table `liquidations`.
    since, until : first day, and the day of the next change (UTC); None where open or not known.
    publishes : how much it shows.
    window_s : a throttled feed shows at most one event of a symbol in this time [s].
    documented : which event of the window, by the venue: 'latest', 'largest'; '' where it does not say.
    behaves : rule by which it is counted: 'first', 'latest', 'largest', or 'any' where nothing says which.
    jitter_s : how exactly the window is kept [s]; waiting times below it are not told apart.
    size_unit : 'coins', 'contracts', or 'USD' for contracts of one dollar.
    price : what its price is: 'order' (limit or bankruptcy price) or 'fill'.
    """

    venue: str
    feed: str
    since: date | None
    until: date | None
    publishes: Publishes
    note: str
    sources: tuple[Source, ...]
    window_s: float | None = None
    documented: str = ""
    behaves: str = ""
    jitter_s: float = 0.001
    size_unit: str = "coins"
    price: str = "order"

    def holds_on(self, day: date) -> bool:
        """True on the days from ``since`` up to the day before ``until``."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


_READ = date(2026, 11, 22)
_K33 = Source(
    "K33 (V. Lunde) as quoted by ChainCatcher, September 2024: Binance since April 2021 and Bybit "
    "since September "
    "2021 push one liquidation a second instead of all; OKX at most one a second and contract",
    "https://binance.com/en-IN/square/post/12863176639674",
    _READ,
)
_BINANCE_DOCS = "https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Liquidation-Order-Streams"
_BINANCE_MEASURED = Source(
    "own count over public logs of the stream, June 2024 to June 2025: of 3,314 waiting times "
    "between two different "
    "orders of one symbol 5 are below 1 s, the shortest 0.94 s, while 213 lie in 1.0 to 1.1 s: a "
    "dead time that "
    "begins with the order shown, not a grid whose latest order is shown",
    "docs/liquidations.md",
    _READ,
)
_BYBIT_CHANGES = Source(
    "Bybit V5 changelog, 2025-02-20: new topic with all liquidations; the old one, which pushes one "
    "a second, "
    "deprecated",
    "https://bybit-exchange.github.io/docs/changelog/v5",
    _READ,
)
_BYBIT_OLD = Source(
    "Bybit V5 docs: at most one order per second per symbol; does not push all liquidations",
    "https://bybit-exchange.github.io/docs/v5/websocket/public/liquidation",
    _READ,
)

FEEDS = (
    Feed(
        "binance", "forceOrder", date(2019, 11, 29), date(2021, 4, 27), Publishes.ALL,
        "all orders, by K33's account; the day of the change is the one commonly given, K33 says April",
        (
            _K33,
            Source(
                "Binance futures change log, 2019-11-29: streams <symbol>@forceOrder and "
                "!forceOrder@arr are new",
                "https://github.com/oliver-zehentleitner/unicorn-binance-websocket-api/issues/53", _READ,
            ),
        ),
    ),
    Feed(
        "binance", "forceOrder", date(2021, 4, 27), date(2026, 4, 10), Publishes.THROTTLED,
        "documented as the latest order within 1000 ms; logs behave as a dead time of 1 s after the "
        "order shown",
        (
            Source(
                "Binance docs: only the latest one liquidation order of a symbol within 1000 ms",
                _BINANCE_DOCS, _READ,
            ),
            _K33, _BINANCE_MEASURED,
        ),
        window_s=1.0, documented="latest", behaves="first", jitter_s=0.02,
    ),
    Feed(
        "binance", "forceOrder", date(2026, 4, 10), None, Publishes.THROTTLED,
        "description changed from latest to largest; whether the stream changed with it is not "
        "known: no log of ours "
        "is so young",
        (
            Source(
                "Binance change log, 2026-04-10, USDⓈ-M: 'latest' changed to 'largest' within 1000 ms",
                _BINANCE_DOCS, _READ,
            ),
        ),
        window_s=1.0, documented="largest", behaves="largest",
    ),
    Feed(
        "bybit", "liquidation", None, date(2021, 9, 1), Publishes.ALL,
        "real time, by the old docs and K33; the day of the change is not known, the month is",
        (
            Source(
                "Bybit V3 docs (offline copy): topic liquidation.{symbol}, push frequency real-time",
                "https://bybit-exchange.github.io/doc-v3-offline/derivatives/ws-public/liquidation", _READ,
            ),
            _K33,
        ),
    ),
    Feed(
        "bybit", "liquidation", date(2021, 9, 1), None, Publishes.THROTTLED,
        "which one of the second is not said; deprecated on 2025-02-20. Sizes are executed, prices "
        "bankruptcy prices",
        (_BYBIT_OLD, _BYBIT_CHANGES),
        window_s=1.0, behaves="any",
    ),
    Feed(
        "bybit", "allLiquidation", date(2025, 2, 20), None, Publishes.ALL,
        "all, pushed every 500 ms; side is that of the position, price the bankruptcy price. Inverse "
        "contracts count USD",
        (
            _BYBIT_CHANGES,
            Source(
                "Bybit V5 docs: push all liquidations that occur on Bybit, push frequency 500 ms",
                "https://bybit-exchange.github.io/docs/v5/websocket/public/all-liquidation", _READ,
            ),
        ),
    ),
    Feed(
        "okx", "liquidation-orders", None, None, Publishes.THROTTLED,
        "at most one order a second and contract, by older docs; newer ones only say that it is not "
        "the total. Which "
        "one is not said. Sizes are contracts, price the bankruptcy price",
        (
            Source(
                "OKX V5 docs, copies of 2023 and of July 2026: a maximum of one order per one-second "
                "period; does not "
                "represent the total number of liquidations",
                "https://www.okx.com/docs-v5/en/#public-data-websocket-liquidation-orders-channel", _READ,
            ),
            _K33,
        ),
        window_s=1.0, behaves="any", size_unit="contracts",
    ),
    Feed(
        "hyperliquid", "onchain", None, None, Publishes.ALL,
        "every fill is on chain and names the liquidated account; the public WebSocket has no "
        "market-wide feed, so a "
        "reader of blocks is meant. Fills of one order are separate rows",
        (
            Source(
                "Hyperliquid, historical data and fills with a liquidation object; goldrush.dev on "
                "the missing "
                "market-wide feed",
                "https://goldrush.dev/docs/api-reference/hyperliquid-websocket/liquidation-fills", _READ,
            ),
        ),
        price="fill",
    ),
    Feed(
        "hyperliquid", "userFills", None, None, Publishes.UNKNOWN,
        "all of the accounts that are watched, nothing of the others: the share watched is the "
        "reader's to know",
        (
            Source(
                "Hyperliquid WebSocket docs: subscription userFills is by account",
                "https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions",
                _READ,
            ),
        ),
        price="fill",
    ),
    Feed(
        "bitmex", "liquidation", None, None, Publishes.ALL,
        "the list of open liquidation orders: insert, update of what is left, delete. The size is "
        "that of the insert; "
        "whether the rest was filled or withdrawn is not said. XBTUSD counts contracts of one dollar",
        (
            Source(
                "BitMEX support, fields of /liquidation: orderID, symbol, side, price, leavesQty",
                "https://support.bitmex.com/hc/zh-cn/articles/6206260693661", _READ,
            ),
            Source(
                "r/BitMEX, 2020-11-04: inserts, updates and deletes of one order as seen by a reader",
                "https://reddit.com/r/BitMEX/comments/jnz4pu", _READ,
            ),
        ),
        size_unit="contracts",
    ),
    Feed(
        "deribit", "trades", None, None, Publishes.ALL,
        "trades carry a mark: M, T or MT, by which side was liquidated. Perpetuals and inverse "
        "futures count USD",
        (
            Source(
                "Deribit API, field liquidation of public trades",
                "https://docs.deribit.com/#public-get_last_trades_by_instrument", _READ,
            ),
        ),
        size_unit="USD", price="fill",
    ),
    Feed(
        "all", "aggregate", None, None, Publishes.INHERITED,
        "vendors' sums (CoinGlass and others) add up what the venues publish: throttled where these "
        "are, and over a "
        "set of venues of their own",
        (_K33,),
    ),
)  # fmt: skip
"""Every feed that we know, by venue and time."""


def feed_at(venue: str, feed: str, time_ns: int) -> Feed:
    """The feed of a venue at a moment [ns UTC]; `unknown` where it is not listed for that day."""
    day = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).date()
    for row in FEEDS:
        if row.feed == feed and row.venue in (venue, "all") and row.holds_on(day):
            return row
    return Feed(venue, feed, None, None, Publishes.UNKNOWN, "not in our list of feeds for that day", ())


def feeds_on(venue: str | None = None, day: date | None = None) -> list[Feed]:
    """The list, of one venue and one day where these are given.

    Raises
    ------
    InputError
        no feed of that venue is known.
    """
    known = sorted({row.venue for row in FEEDS})
    if venue is not None and venue not in known:
        raise InputError(
            f"expected a venue of {known}, found '{venue}'",
            hint="leave the venue out to see all feeds; one that is not listed is unknown",
            venue=venue,
        )
    return [row for row in FEEDS if venue in (None, row.venue) and (day is None or row.holds_on(day))]
