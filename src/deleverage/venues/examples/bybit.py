"""Worked examples of Bybit: linear (USDT) and inverse contracts."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from deleverage.venues import bybit, bybit_inverse, entry_margin, fund, inverse
from deleverage.venues.adl import ranks
from deleverage.venues.examples import fine
from deleverage.venues.examples.binance import others
from deleverage.venues.examples.given import (
    DEDUCTION,
    ENTRY,
    LEVERAGE,
    MARK,
    RATE,
    SIZE,
    TAKER,
    WALLET,
    Given,
    candidates,
    side_of,
)
from deleverage.venues.examples.registry import answers
from deleverage.venues.inverse import IsolatedText

Inputs = Mapping[str, Any]
EXTRA = ("extra_margin", "extra", "added_margin", "added", "extra_margin_btc", "extra_btc", "added_btc")
POSITION_MARGIN = ("position_margin", "margin", "initial_margin", "im")
COIN_SIZE = ("q_usd", "Q", "q", "contracts", "size")
COIN_BALANCE = ("balance_btc", "balance", "wallet_btc", "wallet", "wallet_balance")


@answers("Bybit linear", "liquidation_price")
@answers("Bybit", "liquidation_price")
def liquidation_price(inputs: Inputs) -> dict[str, Any]:
    """Isolated: margins at entry, with margin added by hand; or a price that moves when margin is added.

    Cross: the bankruptcy price of position margin and wallet, nearer by the maintenance margin a coin.
    """
    given = Given(inputs)
    side, size = given.side(), abs(given.number(*SIZE))
    if given.has("lp0"):
        moved = entry_margin.moved_by_margin(given.number("lp0"), side, size, given.number(*EXTRA, default=0))
        return {"liquidation_price": moved}
    entry, extra = given.number(*ENTRY), given.number(*EXTRA, default=0)
    if given.has(*POSITION_MARGIN):
        leverage = size * entry / given.number(*POSITION_MARGIN)
    else:
        leverage = given.number(*LEVERAGE)
    rate, deduction = given.number(*RATE), given.number(*DEDUCTION, default=0)
    if not str(inputs.get("mode", "isolated")).startswith("isolated"):
        extra += given.number(*WALLET) + others(given)
    price = entry_margin.liquidation_price(side, size, entry, leverage, rate, deduction, extra)
    return {
        "liquidation_price": price,
        "bankruptcy_price": entry_margin.bankruptcy_price(side, size, entry, leverage, extra),
        "initial_margin": entry_margin.initial_margin(size, entry, leverage),
        "maintenance_margin": size * entry * rate - deduction,
    }


@answers("Bybit linear", "bankruptcy_price")
@answers("Bybit", "bankruptcy_price")
def bankruptcy_price(inputs: Inputs) -> dict[str, Any]:
    """Isolated by leverage, cross by margin and wallet; with a mark also the price of deleveraging."""
    given = Given(inputs)
    side, size, entry = given.side(), abs(given.number(*SIZE, default=1)), given.number(*ENTRY)
    if given.has("position_margin", *WALLET):
        price = entry_margin.cross_bankruptcy_price(
            side,
            size,
            entry,
            given.number("position_margin", default=0),
            given.number(*WALLET, default=0),
        )
    else:
        extra = given.number(*EXTRA, default=0)
        price = entry_margin.bankruptcy_price(side, size, entry, given.number(*LEVERAGE), extra)
    found = {"bankruptcy_price": price}
    if given.has(*MARK):
        day = given.day()
        rules = bybit.rules_at(day) if day else bybit.VERSIONS[0]
        found["adl_price"] = entry_margin.adl_price(price, given.number(*MARK), rules.waterfall.price_bound)
    return found


@answers("Bybit linear", "initial_margin")
def initial_margin(inputs: Inputs) -> dict[str, Any]:
    """IM = q·E/L."""
    given = Given(inputs)
    margin = entry_margin.initial_margin(
        abs(given.number(*SIZE)), given.number(*ENTRY), given.number(*LEVERAGE)
    )
    return {"initial_margin": margin}


@answers("Bybit linear", "maintenance_margin")
def maintenance_margin(inputs: Inputs) -> dict[str, Any]:
    """MM = q·E·r − D."""
    given = Given(inputs)
    notional = given.optional("notional", "position_value")
    if notional is None:
        notional = abs(given.number(*SIZE)) * given.number(*ENTRY)
    owed = fine.maintenance_margin(notional, given.number(*RATE), given.number(*DEDUCTION, default=0))
    return {"maintenance_margin": owed}


@answers("Bybit", "adl_trigger")
@answers("Bybit linear", "adl_trigger")
@answers("Bybit inverse", "adl_trigger")
def adl_trigger(inputs: Inputs) -> dict[str, Any]:
    """Drawdown of the window (from 2025-11-05), or fund and position together at zero (before)."""
    given = Given(inputs)
    if given.has("high_8h", "peak_8h", "high"):
        highest, balance = given.number("high_8h", "peak_8h", "high"), given.number("balance", "fund")
        return {"triggered": fund.drawn_down(highest, balance), "drawdown": fund.drawdown(highest, balance)}
    triggered = fund.exhausted_by(
        given.number("fund", "balance"),
        given.number("position_margin", "margin", default=0),
        given.number("upnl", "unrealised", "unrealised_pnl", default=0),
    )
    return {"triggered": triggered}


@answers("Bybit", "adl_rank")
@answers("Bybit linear", "adl_rank")
def adl_rank(inputs: Inputs) -> dict[str, Any]:
    """Leveraged return: profit in percent of the entry value over the margin rate."""
    scores = []
    for row in candidates(inputs):
        given = Given(row)
        if given.has("leveraged_return", "score"):
            score = float(given.number("leveraged_return", "score"))
        else:
            side = side_of(row["side"]) if "side" in row else Given(inputs).side(default=1)
            entry = given.number(*ENTRY)
            percent = side * (given.number(*MARK) - entry) / entry
            rate = given.optional("margin_rate", "position_margin_rate")
            rate = rate or 1 / given.number(*LEVERAGE)
            score = ranks.leveraged_return(float(percent), 1.0, 1.0, float(rate))
        scores.append((row["id"], score))
    return {"order": ranks.order(scores)}


@answers("Bybit inverse", "average_entry")
def average_entry(inputs: Inputs) -> dict[str, Any]:
    """ΣQ / Σ(Q/P)."""
    fills = [(row[0], row[1]) for row in Given(inputs).rows("fills")]
    return {
        "avg_entry": inverse.average_entry(fills),
        "value_btc": sum((size / price for size, price in fills), Fraction(0)),
    }


@answers("Bybit inverse", "initial_margin")
def inverse_initial_margin(inputs: Inputs) -> dict[str, Any]:
    """IM = Q/(P·L) coins."""
    given = Given(inputs)
    margin = inverse.initial_margin(
        abs(given.number(*COIN_SIZE)), given.number("price", *ENTRY), given.number(*LEVERAGE)
    )
    return {"initial_margin_btc": margin, "initial_margin": margin}


def _balance(given: Given) -> Fraction:
    """What backs a cross position: the balance less what open orders hold."""
    return given.number(*COIN_BALANCE) - given.number("order_margin", "order_margin_btc", default=0)


@answers("Bybit inverse", "bankruptcy_price")
def inverse_bankruptcy_price(inputs: Inputs) -> dict[str, Any]:
    """Isolated by leverage, legacy cross by balance; with a tick also rounded against the account."""
    given = Given(inputs)
    side, entry = given.side(), given.number(*ENTRY)
    if given.has(*COIN_BALANCE):
        size, taker = abs(given.number(*COIN_SIZE)), given.number(*TAKER, default=0)
        price = inverse.cross_bankruptcy_price(side, size, entry, _balance(given), taker)
    else:
        price = inverse.isolated_bankruptcy_price(side, entry, given.number(*LEVERAGE))
    found: dict[str, Any] = {"bankruptcy_price": price}
    if price is not None and given.has("tick"):
        found["bankruptcy_price_tick"] = inverse.against_account(price, side, given.number("tick"))
    return found


def _text(given: Given) -> IsolatedText:
    """Which text of the isolated formula an example means: by its day, its year, or what it speaks of."""
    day = given.day()
    if day:
        return bybit_inverse.isolated_text(day)
    if given.has("text", "version", "year"):
        later = "2026" in str(given.raw("text", "version", "year"))
        return IsolatedText.OF_2026 if later else IsolatedText.OF_2024
    # Only the text of 2026 knows a fee, and divides margin added by hand by it.
    return IsolatedText.OF_2026 if given.has(*TAKER) else IsolatedText.OF_2024


@answers("Bybit inverse", "liquidation_price")
def inverse_liquidation_price(inputs: Inputs) -> dict[str, Any]:
    """Isolated in the text of its time, or legacy cross; in whole ticks where a tick is given."""
    given = Given(inputs)
    side, size, entry = given.side(), abs(given.number(*COIN_SIZE)), given.number(*ENTRY)
    rate, deduction = given.number(*RATE), given.number(*DEDUCTION, default=0)
    value = size / entry
    found: dict[str, Any] = {"position_value": value, "maintenance_margin": value * rate - deduction}
    if given.has(*COIN_BALANCE):
        balance, taker = _balance(given), given.number(*TAKER, default=0)
        bust = given.optional("bust", "bankruptcy", "bankruptcy_price")
        if bust is None:
            bust = inverse.cross_bankruptcy_price(side, size, entry, balance, taker)
        price = (
            inverse.cross_liquidation_price(side, size, entry, balance, rate, taker, bust) if bust else None
        )
    else:
        leverage = given.number(*LEVERAGE)
        found["initial_margin"] = value / leverage
        price = inverse.isolated_liquidation_price(
            side,
            size,
            entry,
            leverage,
            rate,
            text=_text(given),
            deduction=deduction,
            extra=given.number(*EXTRA, default=0),
            taker=given.number(*TAKER, default=0),
        )
    found["liquidation_price_unrounded"] = price
    if price is not None and given.has("tick"):
        price = inverse.against_account(price, side, given.number("tick"))
        found["liquidation_price_tick"] = price
    return found | {"liquidation_price": price}
