"""Who can be asked for the past: what they have, since when, under which terms, and do they change it
afterwards?

Printed by `deleverage backfill --sources` and made into a table of `docs/backfill.md`. Terms are a reader's
short account of the publishers' pages (read 2026-11), no advice; what they forbid is forbidden whatever
stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deleverage.errors import InputError

ARCHIVE, VENUE, MACRO = "archive", "venue", "macro"


@dataclass(frozen=True)
class Source:
    """One source.

    Parameters
    ----------
    group : 'archive', 'venue' or 'macro'.
    serves : kind to '' where it has it, else why not; for macro sources the series' names.
    example : a symbol.
    since : from when.
    limits : how much one may ask for, and how far back.
    interval : of the series.
    delay : how long after the event a value is there.
    revisions : whether past values change.
    origin : where the figures come from.
    terms : who may use and pass them on.
    """

    name: str
    group: str
    holds: str
    since: str
    limits: str
    interval: str
    delay: str
    revisions: str
    origin: str
    terms: str
    example: str = ""
    serves: Mapping[str, str] = field(default_factory=dict)
    needs_ccxt: bool = False
    needs_key: str = ""


_VENUE_TERMS = "public without an account; own use is allowed, passing raw data on is not granted"

SOURCES: dict[str, Source] = {
    one.name: one
    for one in (
        Source(
            "binance",
            ARCHIVE,
            "USD-margined futures: bars, 5-minute open interest and ratios, funding, aggregate trades, "
            "banded depth; coin-margined (BTCUSD_PERP, contracts become coins): bars, funding, aggregate "
            "trades, liquidations",
            "bars, trades 2019-12; funding 2020-01; metrics 2020-09; depth 2023-01; liquidations 2023-06-25",
            "files by day and month; no limit is stated. Liquidations of USD-margined contracts ended "
            "on 2024-03-31 and were removed, coin-margined ones were seen up to 2024-10-14",
            "bars 1m to 1w; metrics 5 min (first years: one row a day); depth about 30 s; funding as settled",
            "daily files on the next day, monthly ones in the first days of the next month",
            "files have been replaced after errors were reported; the checksum file changes with them",
            "Binance's own record",
            "published for anybody to download; no licence to pass the files on is stated",
            "BTCUSDT",
            {
                "klines": "",
                "metrics": "",
                "funding": "",
                "open_interest": "",
                "trades": "",
                "depth": "",
                "liquidations": "",
            },
        ),
        Source(
            "binance-spot",
            ARCHIVE,
            "spot market: bars and aggregate trades",
            "2017-08",
            "as the archive of futures; times are in microseconds since 2025-01-01",
            "bars 1s to 1w",
            "as the archive of futures",
            "as the archive of futures",
            "Binance's own record",
            "as the archive of futures",
            "BTCUSDT",
            {
                "klines": "",
                "trades": "",
                **dict.fromkeys(
                    ("metrics", "funding", "open_interest", "depth", "liquidations"),
                    "the spot market has none",
                ),
            },
        ),
        Source(
            "binance-rest",
            VENUE,
            "USD-margined futures and coin-margined perpetuals (BTCUSD_PERP, contracts become coins): bars, "
            "funding, 5-minute open interest, aggregate trades",
            "listing; open interest of the last 30 days",
            "2,400 weights a minute and address; ccxt paces by weight; 429, then a ban (418)",
            "bars 1m to 1w; open interest 5 min",
            "seconds; a day counts as over some minutes after midnight UTC",
            "none are known",
            "Binance",
            _VENUE_TERMS,
            "BTCUSDT",
            {
                "klines": "",
                "funding": "",
                "open_interest": "",
                "trades": "",
                "metrics": "the archive has them: source binance",
                "depth": "the venue gives no past books; the archive has banded depth: source binance",
                "liquidations": "the venue gives no past ones; `deleverage collect` records its stream",
            },
            True,
        ),
        Source(
            "bybit",
            VENUE,
            "linear and inverse contracts: bars, funding, 5-minute open interest (valued at the mark price)",
            "listing",
            "600 calls in 5 s and address; ccxt paces",
            "bars 1m to 1w; open interest 5 min",
            "seconds",
            "none are known",
            "Bybit",
            _VENUE_TERMS,
            "BTCUSDT",
            {
                "klines": "",
                "funding": "",
                "open_interest": "",
                "trades": "it gives its last 1,000 trades only",
                "metrics": "it has no such file",
                "depth": "it gives no past books",
                "liquidations": "it gives no past ones; `deleverage collect` records its full feed",
            },
            True,
        ),
        Source(
            "okx",
            VENUE,
            "swaps and futures: bars, funding, 5-minute open interest, trades",
            "bars of listing; funding and trades of about three months; open interest of about five days",
            "10 to 40 calls in 2 s by endpoint; ccxt paces",
            "bars 1m to 1w; open interest 5 min",
            "seconds",
            "none are known",
            "OKX; sizes are contracts and become coins",
            _VENUE_TERMS,
            "BTC-USDT-SWAP",
            {
                "klines": "",
                "funding": "",
                "open_interest": "",
                "trades": "",
                "metrics": "it has no such file",
                "depth": "it gives no past books",
                "liquidations": "it gives those of the last days only; `deleverage collect` records its feed",
            },
            True,
        ),
        Source(
            "hyperliquid",
            VENUE,
            "perpetuals: bars, funding",
            "funding since 2023-05; the newest 5,000 bars of each interval",
            "1,200 weights a minute and address; ccxt paces",
            "bars 1m to 1w; funding 1 h",
            "seconds",
            "none are known",
            "Hyperliquid, from its chain",
            "public chain data",
            "BTC",
            {
                "klines": "",
                "funding": "",
                "open_interest": "it gives its present value only",
                "trades": "it gives its last trades only",
                "metrics": "it has no such file",
                "depth": "it gives no past books",
                "liquidations": "it gives fills by account only; `deleverage collect` records its trades",
            },
            True,
        ),
        Source(
            "deribit",
            VENUE,
            "perpetuals and futures: bars, funding by the hour, trades, and which of them were forced",
            "listing",
            "20 calls a second for one that keeps at it; ccxt paces",
            "bars 1m to 1d; funding 1 h of a continuous rate",
            "seconds",
            "none are known",
            "Deribit; inverse sizes are dollars and become coins",
            _VENUE_TERMS,
            "BTC-PERPETUAL",
            {
                "klines": "",
                "funding": "",
                "trades": "",
                "liquidations": "",
                "open_interest": "it gives its present value only",
                "metrics": "it has no such file",
                "depth": "it gives no past books",
            },
            True,
        ),
        Source(
            "fear-greed",
            MACRO,
            "the Fear & Greed index, 0 to 100",
            "2018-02-01; four days are missing in it",
            "60 calls a minute; one call gives everything",
            "1 day",
            "the day's value stands from 00:00 UTC on",
            "past values are not known to change; copies of others differ by 1 or 2 points",
            "alternative.me: volatility, momentum, social media, dominance, search trends; how is not public",
            "free with the publisher named beside the figure; no use that passes for the publisher",
            "",
        ),
        Source(
            "farside",
            MACRO,
            "daily flows of the US spot ETFs of BTC, ETH and SOL by fund",
            "BTC 2024-01-11, ETH 2024-07-23, SOL 2025-10",
            "a page for people: one call an asset, and no more than a few a day",
            "1 session of the US exchanges",
            "evening to the next morning, New York time; a dash until a fund has reported",
            "frequent within some days: funds report late and figures are corrected",
            "Farside Investors, from the issuers' reports",
            "copyright of the publisher; for own use, not to be passed on; automatic reading may be refused",
            "BTC",
        ),
        Source(
            "gold",
            MACRO,
            "gold by the ounce, day and night: PAXG and XAUT on exchanges",
            "PAXG 2020-08 on Binance, XAUT 2020-01 on Bitfinex",
            "as the exchange that is asked, through ccxt",
            "1 h bars",
            "seconds; a day counts as over after midnight UTC",
            "none are known; thin nights can print far from the futures",
            "trades of tokens that stand for an ounce each; beside, not instead of, the futures' series",
            _VENUE_TERMS,
            "PAXG",
            needs_ccxt=True,
        ),
        Source(
            "coingecko",
            MACRO,
            "market capitalisation, 24-hour volume and supply by coin; of the whole market with a paid key",
            "2013-04; without a paid key the last 365 days",
            "some 5 to 30 calls a minute by plan; we make one in 12 s without a key",
            "1 day (00:00 UTC)",
            "some 10 min after midnight UTC",
            "past values change when supplies are corrected and markets are taken out",
            "CoinGecko: price over many exchanges times reported supply",
            "own use with the publisher named; passing data on needs a paid licence",
            "BTC",
            needs_key="DELEVERAGE_COINGECKO_KEY (optional)",
        ),
        Source(
            "coinmarketcap",
            MACRO,
            "market capitalisation and 24-hour volume: total, and by coin",
            "2013-04, as far back as the plan allows",
            "by plan, 30 calls a minute at least; we make one in 2 s",
            "1 day (00:00 UTC)",
            "some minutes after midnight UTC",
            "past values change when supplies are corrected",
            "CoinMarketCap: price over many exchanges times reported supply",
            "own use under the key's plan; passing data on needs a licence",
            "BTC",
            needs_key="DELEVERAGE_COINMARKETCAP_KEY",
        ),
    )
}


def source_named(name: str) -> Source:
    """The source of that name. Raises `InputError` where there is none."""
    if name not in SOURCES:
        raise InputError(
            f"expected a source of {', '.join(SOURCES)}, found '{name}'",
            hint="`deleverage backfill --sources` says what each has.",
        )
    return SOURCES[name]
