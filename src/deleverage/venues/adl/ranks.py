"""Who is deleveraged first? Each venue's score of a position, from scalars, with + − × ÷ only.

The higher score goes first; equal scores go by id (who calls breaks the tie, lower id first). Inputs are
money in one unit (any: every score is a ratio), integers or floats; they are turned into float64 before the
first division, and nothing but the four operations follows, so that two machines give the same bits. A
winner whose equity is positive has a score > 0. A score of 0.0 means "has no place in the queue": no
equity, or nothing to divide by.

Symbols: P unrealised profit at mark [money, < 0 a loss], E equity of the margin account that backs the
position, M its maintenance margin, N notional at mark (> 0), V entry value (> 0, what the position cost).

Sources, as read in the design notes of 2026-11: Binance help 360033525471; Bybit "Auto-Deleveraging (ADL)";
OKX "Automatic deleveraging"; Hyperliquid docs "Auto-deleveraging"; dYdX v4 (its matches start at a random
subaccount); BitMEX "What is Auto-Deleveraging?".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deleverage.errors import InputError
from deleverage.jit import kernel
from deleverage.venues.rules import AdlRank

LIGHTS = 5

_PROFIT_TIMES_MARGIN_RATIO = int(AdlRank.PROFIT_TIMES_MARGIN_RATIO)
_LEVERAGED_RETURN = int(AdlRank.LEVERAGED_RETURN)
_PROFIT_RATIO_OVER_MARGIN_RATIO = int(AdlRank.PROFIT_RATIO_OVER_MARGIN_RATIO)
_PRICE_RATIO_TIMES_LEVERAGE = int(AdlRank.PRICE_RATIO_TIMES_LEVERAGE)
_PROFIT_TIMES_LEVERAGE = int(AdlRank.PROFIT_TIMES_LEVERAGE)


@kernel
def profit_times_margin_ratio(profit: float, collateral: float, margin: float, equity: float) -> float:
    """(Binance) P ÷ collateral × (M ÷ E).

    collateral : what backs the position before its profit: the wallet (cross) or the isolated margin. One
    that is not positive (other profits carry the position) counts as 1 unit of money, the smallest there is.
    """
    if equity <= 0:
        return 0.0
    base = float(collateral)
    if collateral < 1:
        base = 1.0
    return float(profit) / base * (float(margin) / float(equity))


@kernel
def leveraged_return(profit: float, entry_value: float, notional: float, equity: float) -> float:
    """(Bybit) return × leverage = P ÷ V × (N ÷ E): profit in % over the margin rate E ÷ N.

    equity and notional are the position's when it is isolated, the account's when it is cross.
    """
    if equity <= 0 or entry_value <= 0:
        return 0.0
    return float(profit) / float(entry_value) * (float(notional) / float(equity))


@kernel
def profit_ratio_over_margin_ratio(
    profit: float, initial_margin: float, margin: float, equity: float
) -> float:
    """(OKX) ROI ÷ margin ratio when in profit, ROI × margin ratio in loss.

    ROI = P ÷ initial margin of the position; OKX's margin ratio is E ÷ M (large = safe, the inverse of
    Binance's), of the position when isolated, of the account when cross. Riskier winners come first, and
    losers stand behind all winners.
    """
    if equity <= 0 or initial_margin <= 0 or margin <= 0:
        return 0.0
    gain = float(profit) / float(initial_margin)
    ratio = float(equity) / float(margin)
    return gain / ratio if profit > 0 else gain * ratio


@kernel
def price_ratio_times_leverage(
    long: bool, mark: float, entry: float, notional: float, equity: float
) -> float:
    """(Hyperliquid) price ratio × (N ÷ E), the ratio being mark ÷ entry for a long, entry ÷ mark for a short.

    The printed index has mark ÷ entry for both sides, which would put the *losing* shorts first; every
    short of 10 October would have been ranked upside down. By symmetry a short's ratio is inverted here.
    mark and entry may be prices, or the position's value at each. Note what the index is not: a profit.
    A position without profit has a score too, so who calls must say who is a winner.
    """
    if equity <= 0 or mark <= 0 or entry <= 0:
        return 0.0
    ratio = float(mark) / float(entry) if long else float(entry) / float(mark)
    return ratio * (float(notional) / float(equity))


@kernel
def random_start(place: int, start: int, count: int) -> float:
    """(dYdX) No rank: accounts in their order, from a drawn one on, around the end; ``count`` … 1.

    place, start : 0 … count − 1, the account's place in the order of accounts and the drawn one.
    """
    behind = place - start
    if behind < 0:
        behind += count
    return float(count - behind)


@kernel
def profit_times_leverage(mark_value: float, bankrupt_value: float, entry_value: float) -> float:
    """(BitMEX) on signed values: (mark − entry) ÷ abs(entry), × leverage for winners, ÷ it for losers.

    Leverage = abs(mark) ÷ (mark − bankrupt). Values are signed as the venue signs them (a long of an inverse
    contract is worth −contracts ÷ price), so that mark > entry means profit on every side and contract.
    With bankrupt = entry − collateral this is `leveraged_return` of an isolated position.
    """
    gap = float(mark_value) - float(bankrupt_value)
    if mark_value == 0 or entry_value == 0 or gap <= 0:
        return 0.0
    gain = (float(mark_value) - float(entry_value)) / abs(float(entry_value))
    leverage = abs(float(mark_value)) / gap
    return gain * leverage if gain > 0 else gain / leverage


@kernel
def adl_rank_score(
    rank: int,
    long: bool,
    profit: float,
    entry_value: float,
    notional: float,
    collateral: float,
    initial_margin: float,
    margin: float,
    equity: float,
    place: int,
    start: int,
    count: int,
) -> float:
    """Score of a *linear* position under one `AdlRank`; arguments as in the rank's own function above.

    The value at mark is entry_value + profit for a long and entry_value − profit for a short. `RANDOM_START`
    reads place, start and count only, and is what an unknown rank falls to.
    """
    if rank == _PROFIT_TIMES_MARGIN_RATIO:
        return profit_times_margin_ratio(profit, collateral, margin, equity)
    if rank == _LEVERAGED_RETURN:
        return leveraged_return(profit, entry_value, notional, equity)
    if rank == _PROFIT_RATIO_OVER_MARGIN_RATIO:
        return profit_ratio_over_margin_ratio(profit, initial_margin, margin, equity)
    if rank == _PRICE_RATIO_TIMES_LEVERAGE:
        mark_value = entry_value + profit if long else entry_value - profit
        return price_ratio_times_leverage(long, mark_value, entry_value, notional, equity)
    if rank == _PROFIT_TIMES_LEVERAGE:
        sign = 1 if long else -1
        cost = sign * entry_value
        return profit_times_leverage(cost + profit, cost - collateral, cost)
    return random_start(place, start, count)


def order(scores: Iterable[tuple[Any, float]]) -> list[Any]:
    """Names (texts or numbers) by falling score; equal scores by name, so that the order is one."""
    return [name for name, _ in sorted(scores, key=lambda pair: (-pair[1], pair[0]))]


def lights(rank: int, count: int) -> int:
    """Lights lit, 1 to 5, of the account at ``rank`` (0 goes first) of ``count`` on its side: 20 % each.

    Raises
    ------
    InputError
        a rank outside 0 … count − 1.
    """
    if not 0 <= rank < count:
        raise InputError(f"rank: expected 0 to {count - 1}, found {rank}")
    return LIGHTS - rank * LIGHTS // count
