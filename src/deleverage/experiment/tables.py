"""The tables of an answer, from the draws of an ensemble."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from deleverage import schema
from deleverage.experiment.answer import MECHANICAL, MECHANISMS
from deleverage.experiment.ensemble import ALL, FALLS, MECHANICAL_BITS, DrawResult, Outcome
from deleverage.experiment.shapley import SMALLEST_DROP, Share, prior_band, ratio_of_means, shapley_values
from deleverage.units import UUSD_PER_USD, Floats, Int64s

if TYPE_CHECKING:
    from deleverage.experiment.scenario import Scenario

MINUTE_NS = 60_000_000_000
ONE_PERCENT = 0.01


def subset_name(subset: int) -> str:
    """Names of the mechanisms that are on, joined by '+'."""
    names = [name for i, name in enumerate(MECHANISMS) if subset >> i & 1]
    return "+".join(names) if names else "none"


def _bar_columns(result: DrawResult, outcome: Outcome, k: int) -> dict[str, object]:
    assert outcome.bars is not None
    bars = outcome.bars[:, k]
    tick, lot = result.world["tick_usd"][k], result.world["lot_coins"][k]
    contract = result.world["contract_usd"][k]
    lot_usd = bars["close"] * tick * lot if contract == 0.0 else contract
    # Displayed depth within 1 % of mid: the flat book's density times the price range, in USD.
    below = result.world["displayed_bid"][k] * -np.log1p(-ONE_PERCENT)
    above = result.world["displayed_ask"][k] * np.log1p(ONE_PERCENT)
    columns: dict[str, object] = {
        name: bars[name] * tick for name in ("open", "high", "low", "close", "mark", "index")
    }
    for side, name in enumerate(("long", "short")):
        columns[f"liquidated_{name}_usd"] = bars["liquidated_uusd"][:, side] / UUSD_PER_USD
        columns[f"liquidated_{name}_coins"] = bars["liquidated"][:, side] * lot
    columns["book_coins"] = bars["book"] * lot
    columns["takeover_coins"] = bars["takeover"] * lot
    columns["adl_coins"] = bars["adl"] * lot
    columns["stop_coins"] = bars["stops"] * lot
    columns["depth_bid_usd"] = bars["bid_share"] * below * lot_usd
    columns["depth_ask_usd"] = bars["ask_share"] * above * lot_usd
    columns["spread_bps"] = bars["spread"] * 1e4
    columns["open_interest_coins"] = bars["open_interest"] * lot
    columns["fund_usd"] = bars["fund_uusd"] / UUSD_PER_USD
    return columns


def minutes(scenario: Scenario, results: list[DrawResult]) -> pl.DataFrame:
    """Table `minutes`: the factual runs and their counterparts, minute by minute."""
    frames = []
    for variant in ("factual", "no_liquidations", "news_only"):
        for result in results:
            outcome: Outcome = getattr(result, variant)
            for k, market in enumerate(scenario.markets):
                columns = _bar_columns(result, outcome, k)
                count = 0 if outcome.bars is None else outcome.bars.shape[0]
                frame = pl.DataFrame(columns).with_columns(
                    pl.lit(variant).alias("variant"),
                    pl.lit(result.draw.number, dtype=pl.Int64).alias("seed"),
                    pl.lit(market).alias("market"),
                    pl.Series("time_ns", scenario.start_ns + MINUTE_NS * np.arange(count), dtype=pl.Int64),
                )
                frames.append(frame.select(schema.MINUTES.names))
    return schema.conform(pl.concat(frames), schema.MINUTES)


def draws(scenario: Scenario, results: list[DrawResult]) -> pl.DataFrame:
    """Table `draws`: one row per draw and market of the factual ensemble."""
    rows = []
    for result in results:
        t = result.factual.tally
        values = result.draw.values
        for k, market in enumerate(scenario.markets):
            tick, lot = float(result.world["tick_usd"][k]), float(result.world["lot_coins"][k])
            start, trough, end = (int(t[name][k]) for name in ("start_mid", "trough", "end_mid"))
            rows.append(
                {
                    "seed": result.draw.number,
                    "point": result.draw.point,
                    "market": market,
                    "shock": _prior_value(scenario, values, "news.shock"),
                    "fuel": _prior_value(scenario, values, "population.fuel"),
                    "hidden_depth": _prior_value(scenario, values, "book.hidden_depth"),
                    "start": start * tick,
                    "trough": trough * tick,
                    "trough_after_s": int(t["trough_step"][k]),
                    "end": end * tick,
                    "drop": (start - trough) / start,
                    "recovered_share": (end - trough) / (start - trough) if start > trough else 0.0,
                    "open_interest_before_coins": int(t["interest_before"][k]) * lot,
                    "open_interest_after_coins": int(t["interest_after"][k]) * lot,
                    "liquidated_long_usd": int(t["forced_uusd"][0, k]) / UUSD_PER_USD,
                    "liquidated_short_usd": int(t["forced_uusd"][1, k]) / UUSD_PER_USD,
                    "book_usd": int(t["book_uusd"][k]) / UUSD_PER_USD,
                    "takeover_usd": int(t["takeover_uusd"][k]) / UUSD_PER_USD,
                    "adl_usd": int(t["adl_uusd"][k]) / UUSD_PER_USD,
                    "deficit_usd": int(t["deficit_uusd"][k]) / UUSD_PER_USD,
                    "liquidated_accounts": int(t["accounts_forced"][k]),
                }
            )
    return schema.conform(pl.DataFrame(rows), schema.DRAWS)


def _prior_value(scenario: Scenario, values: dict[str, float], path: str) -> float:
    return values[path] if path in values else scenario.figure(path).number


def subset_values(results: list[DrawResult]) -> Floats:
    """v(S), float64 [seeds, K, 32]."""
    return np.array([result.values.T for result in results])


def values(scenario: Scenario, results: list[DrawResult]) -> pl.DataFrame:
    """Table `values`: v(S) of every subset."""
    rows = [
        (
            r.draw.number,
            market,
            subset,
            subset_name(subset),
            bool(r.simulated[subset]),
            float(r.values[subset, k]),
        )
        for r in results
        for k, market in enumerate(scenario.markets)
        for subset in range(ALL + 1)
    ]
    return schema.conform(pl.DataFrame(rows, schema=list(schema.VALUES.names), orient="row"), schema.VALUES)


class Attribution:
    """Shares of one market's drop: rows 'news', one per mechanism, and 'mechanical'."""

    def __init__(self, v: Floats, point: Int64s) -> None:
        """V : float64 [seeds, subsets]; point : int64 [seeds]."""
        self.v, self.point = v, point
        self.whole = v[:, ALL]
        self.phi = shapley_values(v)

    def part(self, row: str) -> Floats:
        """What a row contributes to the drop, per seed."""
        part: Floats
        if row == "news":
            part = self.v[:, 0]
        elif row == "mechanical":
            part = self.phi[:, [MECHANISMS.index(name) for name in MECHANICAL]].sum(axis=1)
        else:
            part = self.phi[:, MECHANISMS.index(row)]
        return part

    def bits(self, row: str) -> int:
        """Mechanisms of a row."""
        return MECHANICAL_BITS if row == "mechanical" else 1 << MECHANISMS.index(row)

    def share(self, row: str) -> Share:
        """Share of the drop with its Monte Carlo error."""
        return ratio_of_means(self.part(row), self.whole, self.point)

    def first_in(self, row: str) -> float | None:
        """Share when the row is switched on first."""
        return self._of_whole(self.v[:, self.bits(row)] - self.v[:, 0])

    def last_in(self, row: str) -> float | None:
        """Share when it is switched on last."""
        return self._of_whole(self.whole - self.v[:, ALL ^ self.bits(row)])

    def band(self, row: str) -> tuple[float, float] | None:
        """5 % and 95 % points over the prior points."""
        return prior_band(self.part(row), self.whole, self.point)

    def _of_whole(self, part: Floats) -> float | None:
        if self.whole.mean() < SMALLEST_DROP:
            return None
        return float(part.sum() / self.whole.sum())


ROWS = ("news", *MECHANISMS, "mechanical")


def shares(scenario: Scenario, attributions: dict[str, Attribution]) -> pl.DataFrame:
    """Table `shares`; empty for a market without a drop."""
    rows = []
    for market in scenario.markets:
        a = attributions[market]
        for row in ROWS:
            share, band = a.share(row), a.band(row)
            if share.mean is None or band is None:
                continue
            first, last = (None, None) if row == "news" else (a.first_in(row), a.last_in(row))
            rows.append((market, row, share.mean, share.se, first, last, *band))
    frame = pl.DataFrame(rows, schema=_types(schema.SHARES), orient="row")
    return schema.conform(frame, schema.SHARES)


def _types(table: schema.Table) -> dict[str, pl.DataType]:
    return dict(schema.empty(table).schema)


def one_player(v: Floats, point: Int64s) -> Share:
    """Share of the mechanical ones taken together against the rest; ``v`` as `Subsets.together` [seeds, 4].

    Half of [v(M) − v(∅)] + [v(N) − v(N without M)], ratio of means over the draws.
    """
    part = 0.5 * ((v[:, 2] - v[:, 3]) + (v[:, 0] - v[:, 1]))
    return ratio_of_means(part, v[:, 0], point)


def share_by_shock(scenario: Scenario, results: list[DrawResult]) -> pl.DataFrame:
    """Table `share_by_shock`: the same draws at other news shocks, everything else as it was.

    The share is that of the mechanical ones as `one_player`.
    """
    drawn = [r for r in results if r.by_shock]
    rows = []
    for k, market in enumerate(scenario.markets):
        for shock in sorted(drawn[0].by_shock) if drawn else []:
            v = np.array([r.by_shock[shock][:, k] for r in drawn])
            share = one_player(v, np.zeros(len(v), dtype=np.int64))
            if share.mean is not None:
                rows.append((market, shock, float(v[:, 0].mean()), share.mean, share.se, len(v)))
    return schema.conform(
        pl.DataFrame(rows, schema=_types(schema.SHARE_BY_SHOCK), orient="row"), schema.SHARE_BY_SHOCK
    )


def tipping(scenario: Scenario, results: list[DrawResult]) -> pl.DataFrame:
    """Table `tipping`: factual drops at several depths."""
    rows = [
        (depth, r.draw.number, market, float(drop[k]))
        for r in results
        for depth, drop in sorted(r.by_depth.items())
        for k, market in enumerate(scenario.markets)
    ]
    return schema.conform(pl.DataFrame(rows, schema=_types(schema.TIPPING), orient="row"), schema.TIPPING)


def liquidation_map(scenario: Scenario, results: list[DrawResult]) -> pl.DataFrame:
    """Table `map`: the map of the longs against the consolidated book, quantiles over draws."""
    frames = []
    for k, market in enumerate(scenario.markets):
        coins = np.array([r.map.liquidated_coins[k] for r in results])
        book = np.array([r.map.book_coins[k] for r in results])
        n = np.array([r.map.n[k] for r in results])
        low, mid, high = np.quantile(coins, (0.05, 0.5, 0.95), axis=0)
        n_low, n_mid, n_high = np.quantile(n, (0.05, 0.5, 0.95), axis=0)
        frames.append(
            pl.DataFrame(
                {
                    "market": [market] * len(FALLS),
                    "fall": FALLS,
                    "liquidated_coins_p50": mid,
                    "liquidated_coins_p05": low,
                    "liquidated_coins_p95": high,
                    "book_coins": np.median(book, axis=0),
                    "n_p05": n_low,
                    "n_p50": n_mid,
                    "n_p95": n_high,
                }
            )
        )
    return schema.conform(pl.concat(frames), schema.MAP)


def ledger_flow(results: list[DrawResult]) -> pl.DataFrame:
    """Table `ledger_flow`: who paid whom, mean over draws."""
    totals: dict[tuple[str, str], float] = {}
    for result in results:
        for flow in result.flows:
            key = (flow.payer, flow.receiver)
            totals[key] = totals.get(key, 0.0) + flow.usd / len(results)
    rows = [(payer, receiver, usd) for (payer, receiver), usd in sorted(totals.items())]
    return schema.conform(
        pl.DataFrame(rows, schema=_types(schema.LEDGER_FLOW), orient="row"), schema.LEDGER_FLOW
    )
