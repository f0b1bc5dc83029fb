"""What does an answer look like? A made-up but plausible one, in every variation that the pages must survive.

No figure in here is a result: prices, shares and flows are drawn so that the pages can be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from deleverage import schema
from deleverage.experiment.answer import MECHANICAL, MECHANISMS, Answer

START_NS = 1_760_129_340_000_000_000
"""2025-10-10T20:49:00Z."""
MINUTE_NS = 60_000_000_000
MINUTES = 101

_MARKETS = {
    # start price, open interest in coins, displayed bids within 1 % in USD, extra fall of a full cascade
    "BTC": (116_836.7, 128_739.0, 203.0e6, 0.105),
    "ETH": (4_000.6, 2_703_824.0, 76.7e6, 0.11),
    "SOL": (205.96, 12_006_426.0, 35.0e6, 0.13),
    "XRP": (2.79, 1.31e9, 12.0e6, 0.12),
}


@dataclass(frozen=True)
class Case:
    """Which night to make up."""

    markets: tuple[str, ...] = ("BTC", "ETH", "SOL")
    seeds: int = 16
    candles: bool = True
    adl: bool = True
    tipping: bool = True
    cascade: float = 1.0
    """1 for a night like the real one, 0 for one on which nothing is liquidated."""
    placebo: float = 0.0
    residual: int = 0
    undefined: bool = False
    """True when the fall is so small that no share of it exists: the shares are null."""


FULL = Case()
NONE = Case(candles=False, adl=False, tipping=False, cascade=0.0)
"""Nothing is liquidated, nothing was observed, no tipping point: the answer is 'none'."""
UNDEFINED = Case(
    markets=("BTC", "ETH"), seeds=4, candles=False, adl=False, tipping=False, cascade=0.0, undefined=True
)
"""Shares are null, and there are too few seeds for thirds."""
SMALL = Case(markets=("BTC",), candles=False, adl=False, tipping=False, cascade=0.35, placebo=0.06)
"""One market, no candles, a placebo that is not zero."""


def quantiles(values: np.ndarray) -> dict[str, float]:
    """The interval of the --json contract."""
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return {"p05": float(low), "p50": float(middle), "p95": float(high)}


def sample(case: Case = FULL, **changes: Any) -> Answer:
    """A made-up answer; ``changes`` are fields of `Case`. Made once: not to be changed by a test."""
    return _made(replace(case, **changes))


@cache
def _made(case: Case) -> Answer:
    minutes, draws = _paths(case)
    tables = {
        "minutes": minutes,
        "draws": draws,
        "values": _values(case, draws),
        "shares": _shares(case),
        "share_by_shock": _share_by_shock(case),
        "tipping": _tipping(case, draws),
        "map": _map(case),
        "ledger_flow": _ledger_flow(case),
        "figures": _figures(),
        "published": _published(case, draws),
        "candles": _candles(case),
    }
    tables = {name: schema.conform(frame, schema.ANSWER_TABLES[name]) for name, frame in tables.items()}
    return Answer(summary=_summary(case, tables), tables=tables)


def _paths(case: Case) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(7)
    time = START_NS + MINUTE_NS * np.arange(MINUTES)
    clock = np.arange(MINUTES, dtype=float)
    frames, draws = [], []
    for seed in range(case.seeds):
        shock = float(rng.uniform(0.016, 0.035))
        fuel = float(np.exp(rng.uniform(np.log(0.05), np.log(0.6))))
        hidden = float(rng.uniform(1.4, 3.0))
        moment = float(rng.normal(27, 3.5))
        noise = rng.normal(size=MINUTES)
        for number, market in enumerate(case.markets):
            price, interest, depth, extra = _MARKETS[market]
            beta = 1.0 + 0.25 * number
            strength = case.cascade * extra * (0.55 + 1.1 * fuel) * (2.4 / hidden) ** 0.5
            news = -beta * shock * np.clip(clock / 12, 0, 1) * (1 - 0.25 * np.clip((clock - 30) / 60, 0, 1))
            fall = 1 / (1 + np.exp(-(clock - moment) / 1.4))
            back = np.exp(-np.clip(clock - moment - 3, 0, None) / 14)
            walk = 0.0006 * beta * np.cumsum(noise) / np.sqrt(1 + clock / 20)
            pulse = -strength * fall * (0.28 + 0.72 * back)
            slow = -0.12 * strength * np.clip((clock - moment) / 70, 0, 1)
            for variant, x in (
                ("factual", news + pulse + walk),
                ("no_liquidations", news + slow + walk),
                ("news_only", news + walk),
            ):
                close = price * np.exp(x)
                opened = np.concatenate(([price], close[:-1]))
                wick = np.abs(rng.normal(0, 0.0008, MINUTES))
                dive = np.where(
                    variant == "factual", 0.2 * strength * np.exp(-(((clock - moment) / 2) ** 2)), 0
                )
                low = np.minimum(opened, close) * (1 - wick - dive)
                forced = np.maximum(-np.diff(np.log(close), prepend=np.log(price)), 0) * (
                    variant == "factual"
                )
                forced = np.where(forced > 0.002, forced, 0) * interest * 1.1 * case.cascade
                shorts = 0.12 * np.roll(forced, 9)
                thin = 1 - (
                    0.9 * np.exp(-(((clock - moment - 1) / 6) ** 2)) * (variant == "factual")
                    + 0.25 * np.exp(-(((clock - 8) / 8) ** 2))
                ) * min(1.0, 0.3 + case.cascade)
                auto = (0.06 if case.adl and variant == "factual" else 0.0) * forced * (clock > moment)
                taken = 0.08 * forced
                gone = np.cumsum(forced + shorts) + 0.03 * interest * np.clip(clock / 60, 0, 1)
                frames.append(
                    pl.DataFrame(
                        {
                            "variant": [variant] * MINUTES,
                            "seed": [seed] * MINUTES,
                            "market": [market] * MINUTES,
                            "time_ns": time,
                            "open": opened,
                            "high": np.maximum(opened, close) * (1 + wick),
                            "low": low,
                            "close": close,
                            "mark": close,
                            "index": close * 1.0004,
                            "liquidated_long_usd": forced * close,
                            "liquidated_short_usd": shorts * close,
                            "liquidated_long_coins": forced,
                            "liquidated_short_coins": shorts,
                            "book_coins": forced + shorts - auto - taken,
                            "takeover_coins": taken,
                            "adl_coins": auto,
                            "stop_coins": 0.2 * forced,
                            "depth_bid_usd": depth * thin,
                            "depth_ask_usd": 0.92 * depth * (0.3 + 0.7 * thin),
                            "spread_bps": (0.1 + 0.4 * number) / np.maximum(thin, 0.02) ** 1.6,
                            "open_interest_coins": interest - gone,
                            "fund_usd": 1.23e9 - np.cumsum(taken * close) * 0.4,
                        }
                    )
                )
                if variant != "factual":
                    continue
                bottom = int(np.argmin(low))
                draws.append(
                    {
                        "seed": seed,
                        "point": seed // 4,
                        "market": market,
                        "shock": shock,
                        "fuel": fuel,
                        "hidden_depth": hidden,
                        "start": price,
                        "trough": float(low[bottom]),
                        "trough_after_s": bottom * 60 + 20,
                        "end": float(close[-1]),
                        "drop": 1 - float(low[bottom]) / price,
                        "recovered_share": (float(close[-1]) - float(low[bottom]))
                        / (price - float(low[bottom])),
                        "open_interest_before_coins": interest,
                        "open_interest_after_coins": interest - float(gone[-1]),
                        "liquidated_long_usd": float((forced * close).sum()),
                        "liquidated_short_usd": float((shorts * close).sum()),
                        "book_usd": float(((forced + shorts - auto - taken) * close).sum()),
                        "takeover_usd": float((taken * close).sum()),
                        "adl_usd": float((auto * close).sum()),
                        "deficit_usd": 0.0,
                        "liquidated_accounts": int(forced.sum() / interest * 90_000),
                    }
                )
    return pl.concat(frames), pl.DataFrame(draws)


def _weights(case: Case) -> dict[str, float]:
    c = case.cascade
    return {
        "liquidations": 0.29 * c,
        "adl": (0.012 if case.adl else 0.0) * c,
        "news_withdrawal": 0.09,
        "cascade_withdrawal": 0.25 * c,
        "stops": 0.035 + 0.02 * (1 - c),
        "collateral": 0.018 * c,
        "outage": 0.0,
    }


def _values(case: Case, draws: pl.DataFrame) -> pl.DataFrame:
    rows = []
    weights = _weights(case)
    for row in draws.select("seed", "market", "drop").iter_rows(named=True):
        for subset in range(2 ** len(MECHANISMS)):
            on = [name for bit, name in enumerate(MECHANISMS) if subset >> bit & 1]
            share = 1 - sum(weights.values()) + sum(weights[name] for name in on)
            rows.append(
                {
                    "seed": row["seed"],
                    "market": row["market"],
                    "subset": subset,
                    "mechanisms": "+".join(on) or "none",
                    "simulated": (case.adl or not subset >> 1 & 1) and not subset >> 6 & 1,
                    "drop": row["drop"] * share,
                }
            )
    return pl.DataFrame(rows)


def _shares(case: Case) -> pl.DataFrame:
    weights = _weights(case)
    mechanical = sum(weights[name] for name in MECHANICAL)
    rows: list[dict[str, Any]] = []
    for number, market in enumerate(case.markets):
        rows.append(
            {
                "market": market,
                "row": "news",
                "mean": 1 - sum(weights.values()),
                "se": 0.011,
                "first_in": None,
                "last_in": None,
                "prior_p05": 0.2,
                "prior_p95": 0.62,
            }
        )
        for name, value in weights.items():
            rows.append(
                {
                    "market": market,
                    "row": name,
                    "mean": value,
                    "se": 0.012 * (value > 0),
                    "first_in": value * 0.14,
                    "last_in": value * 1.75,
                    "prior_p05": value * 0.6,
                    "prior_p95": value * 1.3,
                }
            )
        half = 0.16 * case.cascade + 0.02
        rows.append(
            {
                "market": market,
                "row": "mechanical",
                "mean": mechanical + 0.02 * number * case.cascade,
                "se": 0.012,
                "first_in": mechanical * 0.2,
                "last_in": min(1.0, mechanical * 1.3),
                "prior_p05": mechanical - half,
                "prior_p95": mechanical + half,
            }
        )
    return pl.DataFrame(rows)


def _share_by_shock(case: Case) -> pl.DataFrame:
    rows = []
    base = 0.55 * case.cascade
    for number, market in enumerate(case.markets):
        for k, shock in enumerate(np.linspace(0.018, 0.033, 6)):
            rows.append(
                {
                    "market": market,
                    "shock": float(shock) * (1 + 0.25 * number) + 1e-9 * number,
                    "drop": 0.12 + 0.4 * (float(shock) - 0.02),
                    "share": base * (1.35 - 22 * (float(shock) - 0.018)) + 0.02 * number * case.cascade,
                    "se": 0.02 + 0.012 * (k % 3),
                    "seeds": max(1, case.seeds // 6),
                }
            )
    return pl.DataFrame(rows)


def _tipping(case: Case, draws: pl.DataFrame) -> pl.DataFrame:
    rng = np.random.default_rng(9)
    frames = []
    for depth in (0.25, 0.5, 1.0, 2.0, 4.0):
        factor = 1 + case.cascade * (depth**-0.55 - 1)
        jump = 1 + (1.2 * (rng.random(draws.height) < 0.45 / depth / 2) * case.cascade if depth < 1 else 0.0)
        frames.append(
            draws.select(
                pl.lit(depth).alias("depth"),
                "seed",
                "market",
                (pl.col("drop") * factor * jump).clip(0, 0.75).alias("drop"),
            )
        )
    return pl.concat(frames)


def _map(case: Case) -> pl.DataFrame:
    frames = []
    fall = np.linspace(0.0025, 0.25, 100)
    for number, market in enumerate(case.markets):
        price, _, depth, _ = _MARKETS[market]
        rho = depth / price / 0.01 * 2.2
        n = (
            0.35
            + 1.05 * np.exp(-(((fall - 0.045) / 0.017) ** 2))
            + 0.7 * np.exp(-(((fall - 0.1) / 0.025) ** 2))
            - 1.1 * fall
        )
        n = n * (1.0 if case.tipping else 0.45) * max(case.cascade, 0.02) * (1 + 0.1 * number)
        middle = np.cumsum(n * rho * 0.0025)
        frames.append(
            pl.DataFrame(
                {
                    "market": [market] * 100,
                    "fall": fall,
                    "liquidated_coins_p50": middle,
                    "liquidated_coins_p05": middle * 0.45,
                    "liquidated_coins_p95": middle * 1.8,
                    "book_coins": rho * fall,
                    "n_p05": n * 0.45,
                    "n_p50": n,
                    "n_p95": n * 1.8,
                }
            )
        )
    return pl.concat(frames)


def _ledger_flow(case: Case) -> pl.DataFrame:
    c = case.cascade
    if c == 0:
        rows = [("longs", "shorts", 2.1e8), ("longs", "exchange fees", 4.0e6)]
    else:
        rows = [
            ("longs", "shorts", 1.42e9 * c),
            ("longs", "market makers", 4.6e8 * c),
            ("longs", "arbitrageurs", 1.9e8 * c),
            ("longs", "dip buyers", 2.6e8 * c),
            ("longs", "exchange fees", 3.1e7 * c),
            ("longs", "insurance fund", 2.2e7 * c),
            ("insurance fund", "shorts", 2.1e8 * c),
            ("market makers", "dip buyers", 1.3e8 * c),
            ("shorts", "exchange fees", 1.2e7 * c),
            ("stops", "market makers", 6.0e7 * c),
            ("shorts", "longs", 9.0e6 * c),
        ]
    return pl.DataFrame(rows, schema=["payer", "receiver", "usd"], orient="row")


def _figures() -> pl.DataFrame:
    rows = [
        (
            "markets.BTC.start_price",
            "116,836.7",
            "USD/coin",
            "observed",
            "binance_perp_btcusdt_1m_20251010_window, open of 20:49",
        ),
        (
            "markets.BTC.open_interest",
            "128,739",
            "coins",
            "observed",
            "coinglass_2025/20251010, pairs snapshot of 20:05",
        ),
        (
            "markets.BTC.depth_bid_1pct",
            "202,989,593",
            "USD",
            "observed",
            "coinglass_2025/20251114, order book of 20:00",
        ),
        (
            "markets.ETH.start_price",
            "4,000.59",
            "USD/coin",
            "assumed",
            "value of 20:05; no minute data for ETH",
        ),
        (
            "markets.BTC.tiers",
            "Binance, 2025-10-09",
            "",
            "observed",
            "leverage_tiers/binance_leverage_tiers_2025-10-09.json",
        ),
        ("funds.btc_eth_bnb", "1.23e9", "USD", "observed", "third party, event_moments_2025-10-10.json"),
        ("news.shock", "uniform 1.6 % to 3.5 %", "share", "assumed", "net fall and low of 20:50–21:05"),
        (
            "population.fuel_13pct",
            "log-uniform 5 % to 60 %",
            "share",
            "assumed",
            "leverage mixes and wallets on Hyperliquid",
        ),
        ("book.hidden_depth", "uniform 1.4 to 3.0", "x", "assumed", "signed flow of the night before 21:12"),
        ("book.latent_tau", "log-uniform 5 min to 60 min", "s", "assumed", "no observation"),
        ("makers.withdrawal_vol", "8.1", "1", "fitted", "other episodes, not this night"),
        ("run.step", "1", "s", "set by user", "--set run.step=1"),
    ]
    return pl.DataFrame(rows, schema=["key", "value", "unit", "mark", "source"], orient="row")


def _published(case: Case, draws: pl.DataFrame) -> pl.DataFrame:
    first = draws.filter(pl.col("market") == case.markets[0])
    drop = quantiles(first["drop"].to_numpy())
    long = quantiles(first["liquidated_long_usd"].to_numpy() + 1e6)
    amber = "Amberdata, via https://blog.example.org/how-3.21b-vanished <script>alert(1)</script>"
    rows: list[tuple[Any, ...]] = [
        (
            "btc_drop",
            "fall of the BTCUSDT perpetual to its low",
            "Binance candles",
            "binance perp",
            0.1313,
            "share",
            *drop.values(),
            "inside",
            False,
            "BTCUSDT-perp-1m",
        ),
        (
            "btc_low",
            "lowest BTCUSDT price",
            "Binance candles",
            "binance perp",
            101_500.0,
            "USD/coin",
            96_800.0,
            103_100.0,
            108_900.0,
            "inside",
            False,
            "BTCUSDT-perp-1m",
        ),
        (
            "btc_oi",
            "BTC open interest lost, 20:00 to 00:00",
            "CoinGlass",
            "binance all contracts",
            23_186.0,
            "coins",
            15_100.0,
            21_900.0,
            30_200.0,
            "inside",
            False,
            "api_futures_openInterest_exchange_history_chart_BTC",
        ),
        (
            "eth_oi",
            "ETH open interest lost, 20:00 to 00:00",
            "CoinGlass",
            "binance all contracts",
            688_365.0,
            "coins",
            310_000.0,
            480_000.0,
            655_000.0,
            "outside",
            False,
            "api_futures_openInterest_exchange_history_chart_ETH",
        ),
        (
            "liq_binance",
            "liquidations on Binance in 24 h",
            "CoinGlass",
            "binance",
            2.4e9,
            "USD",
            long["p05"],
            long["p50"],
            long["p95"],
            "outside",
            False,
            "https://www.example.org/post/31136358766305",
        ),
        (
            "depth_low",
            "smallest displayed bids within 1 %",
            "CoinGlass",
            "binance perp",
            4.1e7,
            "USD",
            1.1e7,
            2.0e7,
            3.7e7,
            "outside",
            False,
            "api_futures_orderbook_ask_bids_history",
        ),
        (
            "trough_time",
            "minutes from the post to the low",
            "Binance candles",
            "binance perp",
            1860.0,
            "s",
            1380.0,
            1740.0,
            2160.0,
            "inside",
            False,
            "BTCUSDT-perp-1m",
        ),
        (
            "spread",
            "widest quoted spread",
            "Kaiko",
            "binance perp",
            None,
            "bp",
            None,
            None,
            None,
            "not simulated",
            False,
            "https://example.org/kaiko",
        ),
        (
            "liq_all",
            "liquidations on all venues in 24 h",
            "CoinGlass",
            "all venues",
            1.913e10,
            "USD",
            long["p05"],
            long["p50"],
            long["p95"],
            "different venue set",
            False,
            "https://www.example.org/post/30850840862433",
        ),
        (
            "liq_amber",
            "liquidations in 14 h",
            amber,
            "Amberdata's venues",
            9.89e9,
            "USD",
            None,
            None,
            None,
            "different venue set",
            False,
            amber,
        ),
        (
            "hl_adl",
            "auto-deleveraged on Hyperliquid",
            "on-chain fills",
            "hyperliquid",
            2.103e9,
            "USD",
            None,
            None,
            None,
            "different venue set",
            False,
            "HyperReplay",
        ),
        (
            "adl_delay",
            "first liquidation to first ADL",
            "on-chain fills",
            "hyperliquid",
            61.7,
            "s",
            None,
            None,
            None,
            "different venue set",
            False,
            "HyperReplay",
        ),
    ]
    return pl.DataFrame(rows, schema=list(schema.PUBLISHED.names), orient="row", infer_schema_length=None)


def _candles(case: Case) -> pl.DataFrame:
    if not case.candles:
        return schema.empty(schema.CANDLES)
    rng = np.random.default_rng(3)
    clock = np.arange(MINUTES, dtype=float)
    path = -0.028 * np.clip(clock / 10, 0, 1) - 0.105 / (1 + np.exp(-(clock - 28) / 2)) * (
        0.3 + 0.7 * np.exp(-np.clip(clock - 31, 0, None) / 10)
    )
    path = path + 0.0012 * np.cumsum(rng.normal(size=MINUTES)) / 3
    close = 116_830 * np.exp(path)
    opened = np.concatenate(([116_836.7], close[:-1]))
    rows: list[tuple[Any, ...]] = []
    for k in range(70):
        rows.append(
            (
                START_NS + k * MINUTE_NS,
                "binance",
                "perp",
                "BTC",
                "BTCUSDT",
                60,
                opened[k],
                max(opened[k], close[k]) * 1.001,
                min(opened[k], close[k]) * 0.998,
                close[k],
                900.0,
                420.0,
                9000,
                "binance_perp_btcusdt_1m_20251010_window",
            )
        )
    for k in range(71, MINUTES, 5):
        piece = close[k : k + 5]
        rows.append(
            (
                START_NS + k * MINUTE_NS,
                "binance",
                "spot",
                "BTC",
                "BTCUSDT",
                300,
                opened[k],
                float(piece.max()) * 1.001,
                float(piece.min()) * 0.999,
                piece[-1],
                400.0,
                190.0,
                5000,
                "binance_spot_btcusdt_5m_2025",
            )
        )
    for coin, start, end in (("ETH", 3_994.99, 3_760.0), ("SOL", 205.16, 181.0)):
        for hour, (a, b) in enumerate(((start, start * 0.96), (start * 0.96, end), (end, end * 1.02))):
            rows.append(
                (
                    1_760_126_400_000_000_000 + hour * 60 * MINUTE_NS,
                    "binance",
                    "perp",
                    coin,
                    f"{coin}USDT",
                    3600,
                    a,
                    max(a, b) * 1.01,
                    min(a, b) * (0.9 if hour == 1 else 0.99),
                    b,
                    1e5,
                    None,
                    None,
                    "multi_venue_perps_1h",
                )
            )
    return pl.DataFrame(rows, schema=list(schema.CANDLES.names), orient="row", infer_schema_length=None)


def _summary(case: Case, tables: dict[str, pl.DataFrame]) -> dict[str, Any]:
    draws, shares = tables["draws"], tables["shares"]
    total = (
        draws.group_by("seed")
        .agg(
            pl.col(
                "liquidated_long_usd",
                "liquidated_short_usd",
                "adl_usd",
                "book_usd",
                "takeover_usd",
                "liquidated_accounts",
            ).sum()
        )
        .sort("seed")
    )
    summary: dict[str, Any] = {
        "scenario": "oct-10-binance",
        "title": "Binance, 10 October 2025",
        "seeds": case.seeds,
        "seed": 1,
        "accounts": 100_000,
        "steps": 6_060,
        "markets": list(case.markets),
        "start": "2025-10-10T20:49:00Z",
        "end": "2025-10-10T22:30:00Z",
        "wall_s": 41.3,
        "price": {},
        "counterfactual": {},
        "news": {},
        "mechanical_share": {},
        "open_interest": {},
        "tipping": {},
        "observed": {},
    }
    for market in case.markets:
        rows = draws.filter(pl.col("market") == market)
        summary["price"][market] = {
            name: quantiles(rows[name].to_numpy())
            for name in ("start", "trough", "end", "drop", "recovered_share", "trough_after_s")
        }
        drop = rows["drop"].to_numpy()
        mine = {r["row"]: r for r in shares.filter(pl.col("market") == market).iter_rows(named=True)}
        share = mine["mechanical"]["mean"]
        summary["counterfactual"][market] = {"drop": quantiles(drop * (1 - 0.85 * share))}
        summary["news"][market] = {"drop": quantiles(drop * mine["news"]["mean"])}
        summary["mechanical_share"][market] = {
            "mean": share,
            "se": mine["mechanical"]["se"],
            "prior_band": [mine["mechanical"]["prior_p05"], mine["mechanical"]["prior_p95"]],
            "first_in": mine["mechanical"]["first_in"],
            "last_in": mine["mechanical"]["last_in"],
            "placebo": case.placebo,
            "news": {"mean": mine["news"]["mean"], "se": mine["news"]["se"]},
            "never_closed": {"mean": share * 1.12, "se": 0.013},
            "shapley": {
                name: {"present": name != "outage"}
                | {key: mine[name][key] for key in ("mean", "se", "first_in", "last_in")}
                for name in MECHANISMS
            },
        }
        after = rows["open_interest_after_coins"].to_numpy()
        summary["open_interest"][market] = {
            "before_coins": float(rows["open_interest_before_coins"][0]),
            "after_coins": quantiles(after),
        }
        found = case.tipping
        summary["tipping"][market] = {
            "n_start": {"p05": 0.21, "p50": 0.42, "p95": 0.76}
            if case.cascade
            else {"p05": 0.01, "p50": 0.01, "p95": 0.02},
            "crosses_one_at": {"p05": 0.022, "p50": 0.031, "p95": 0.044} if found else None,
            "tipping_distance": {"p05": 0.026, "p50": 0.034, "p95": 0.049} if found else None,
            "depth_halved_multiplies_drop": {"p05": 1.31, "p50": 1.62, "p95": 2.21}
            if case.cascade
            else {"p05": 0.98, "p50": 1.0, "p95": 1.03},
        }
        summary["observed"][market] = (
            {
                "start": 116_836.7,
                "low": 101_500.0,
                "low_at": "2025-10-10T21:20:00Z",
                "drop": 0.1313,
                "inside": bool(np.quantile(drop, 0.05) <= 0.1313 <= np.quantile(drop, 0.95)),
            }
            if case.candles and market == "BTC"
            else None
        )
    long, short = total["liquidated_long_usd"].to_numpy(), total["liquidated_short_usd"].to_numpy()
    summary["liquidations"] = {
        "total_usd": quantiles(long + short),
        "long_usd": quantiles(long),
        "short_usd": quantiles(short),
        "accounts": quantiles(total["liquidated_accounts"].to_numpy()),
        "peak_minute_usd": quantiles((long + short) * 0.23),
    }
    summary["filled_by"] = {
        f"{name}_usd": quantiles(total[f"{name}_usd"].to_numpy()) for name in ("book", "takeover", "adl")
    }
    taken = total["takeover_usd"].to_numpy() * 0.4
    summary["insurance_fund"] = {
        "btc_eth_bnb": {"before_usd": 1.23e9, "after_usd": quantiles(1.23e9 - taken)}
    }
    summary["adl"] = {
        "usd": quantiles(total["adl_usd"].to_numpy()),
        "first_after_s": {"p05": 1_420.0, "p50": 1_655.0, "p95": 2_010.0} if case.adl else None,
        "runs_reached": max(1, case.seeds * 5 // 8) if case.adl else 0,
    }
    summary["collateral"] = (
        {
            "USDE": {
                "venue": "binance",
                "lowest": {"p05": 0.41, "p50": 0.66, "p95": 0.95},
                "lowest_usd": {"p05": 0.41, "p50": 0.66, "p95": 0.95},
                "sold_coins": {"p05": 3.2e6, "p50": 2.1e7, "p95": 6.4e7},
                "sold_usd": {"p05": 2.9e6, "p50": 1.5e7, "p95": 4.0e7},
                "seized_coins": {"p05": 0.0, "p50": 8.0e4, "p95": 3.0e5},
            }
        }
        if case.cascade
        else {}
    )
    summary["deficit_usd"] = quantiles(draws["deficit_usd"].to_numpy())
    summary["ledger"] = {
        "residual": case.residual,
        "open_interest_imbalance": 0,
        "checks": 6_060 * case.seeds * 13,
    }
    summary["published"] = tables["published"].to_dicts()
    summary["provenance"] = {
        "program": "deleverage",
        "version": "0.1.0",
        "scenario_sha256": "9f" * 32,
        "figures_sha256": "3c" * 32,
        "seed": 1,
        "packages": {"numpy": "2.4.6", "numba": "0.62.1", "polars": "2.1.0"},
        "data": [{"source": "binance_perp_btcusdt_1m_20251010_window", "rows": 71, "sha256": "ab" * 32}],
        "command": "deleverage run oct-10 --seeds 64 --seed 1 --lake lake --out out",
    }
    if case.undefined:
        for market in case.markets:
            summary["mechanical_share"][market] = {
                "mean": None,
                "se": None,
                "prior_band": None,
                "first_in": None,
                "last_in": None,
                "placebo": None,
                "news": None,
                "never_closed": None,
                "shapley": {name: None for name in MECHANISMS},
            }
    return summary
