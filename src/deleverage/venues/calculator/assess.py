"""What does a venue ask of one position, at which price does it end, and how far away is that?

Symbols: q size [coins], s = +1 long, −1 short, EP entry, m mark [USD/coin], L leverage, W what backs the
position: its margin (isolated) or the wallet (cross), r_k and d_k rate and deduction of tier k of the value
**at that price**.

    initial margin        IM = q·EP ÷ L              isolated: W = IM + extra margin
    equity                E(m) = W + s·q·(m − EP)
    maintenance margin    M(m) = q·m·r_k − d_k
    liquidation price     E = M                      Binance: (W + d − s·q·EP) ÷ (q·r − s·q)
    bankruptcy price      E = 0                      isolated without extra: EP·(1 − s/L)

By rule set (`rules.Maintenance`): ``isolated_at_entry`` has M of the value at entry, which gives
EP − s·(IM − M)/q (Bybit, linear); ``with_taker_fee`` adds the fee of closing to r_k, which gives
(EP − s·W/q) ÷ (1 − s·(r + fee)) (OKX, Gate). Hyperliquid's px − s·(W − M)/q ÷ (1 − l·s) is the first formula
with r = l. Inverse contracts: Q = q·EP contracts [USD], money in coins, W ÷ EP,
E(m) = W + s·Q·(1/EP − 1/m), N = Q/m; tier caps are in coins.

Sources are those of the rule set. All figures are exact fractions; only a screen rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from deleverage.errors import RulesError
from deleverage.venues.calculator.lines import Line, equity_meets, margin_meets
from deleverage.venues.calculator.position import MarginMode, Position, coin_of, contract_of
from deleverage.venues.calculator.steps import Step, Walk, steps_of
from deleverage.venues.rules import Contract, MarginTier, TierTable, VenueRules, one_of


@dataclass(frozen=True)
class Assessment:
    """What one position means on one venue. Prices [USD/coin]; money [settlement asset: USD, or coins].

    Parameters
    ----------
    rules : the rule set that was asked.
    symbol : contract of the venue.
    leverage : setting that was used [x]: as asked, value ÷ margin, or the largest allowed (cross).
    tier, tiers : number of the tier of the value at entry, from 1, and how many there are.
    max_leverage : largest leverage setting at that size [x].
    settlement : 'USD', or the coin of an inverse contract.
    backing : W, what backs the position [money].
    initial_margin, maintenance_margin, equity : IM at entry; M and E at the mark [money].
    liquidation_price : exactly where E = M; None when no price liquidates.
    liquidation_tier : number of the tier that holds there, from 1.
    maintenance_at_liquidation : M at that price [money].
    bankruptcy_price : exactly where E = 0; None when no price above 0 does.
    steps : what the venue would do, in order.
    """

    rules: VenueRules
    symbol: str
    position: Position
    leverage: Fraction
    tier: int
    tiers: int
    max_leverage: int
    settlement: str
    backing: Fraction
    initial_margin: Fraction
    maintenance_margin: Fraction
    equity: Fraction
    liquidation_price: Fraction | None
    liquidation_tier: int | None
    maintenance_at_liquidation: Fraction | None
    bankruptcy_price: Fraction | None
    steps: tuple[Step, ...]

    def move(self, price: Fraction | None) -> Fraction | None:
        """Move of the mark to a price, signed [share]: −0.006 is a fall of 0.6 %."""
        return None if price is None else price / self.position.mark - 1

    @property
    def liquidatable(self) -> bool:
        """True when the position is below its maintenance margin at the mark already."""
        return self.equity < self.maintenance_margin

    @property
    def usd_per_money(self) -> Fraction:
        """What one unit of the settlement asset is worth at the mark [USD]."""
        return Fraction(1) if self.settlement == "USD" else self.position.mark


def assess(rules: VenueRules, position: Position) -> Assessment:
    """Margin, prices and steps of a position under a rule set.

    Raises
    ------
    RulesError
        the venue has no such contract, or does not allow the position; ``context['refused']`` is one of
        'symbol', 'contract', 'entry', 'size', 'leverage' (with 'max_leverage') or 'wallet'.
    """
    symbol = checked_symbol(rules, position.symbol)
    table = rules.tier_table(symbol)
    inverse = rules.contract is Contract.INVERSE
    if inverse and not position.priced:
        raise RulesError(
            f"{rules.venue}: expected an entry price for an inverse contract, whose margin tiers are in "
            "coins; found none",
            hint="Give the entry price in USD.",
            refused="entry",
            venue=rules.venue,
        )
    start = 1 / position.entry if inverse else position.entry
    slope = (
        -position.side.sign * position.notional_usd if inverse else position.side.sign * position.size_coins
    )
    notional = abs(slope) * start
    number = table.number(notional)
    _check_size(rules, symbol, notional, inverse)
    allowed = table.tiers[number].max_leverage
    leverage = _leverage(position, allowed)
    _check_leverage(rules, symbol, leverage, number, allowed)
    initial = notional / leverage
    backing = _backing(rules, position, initial, inverse)
    line = Line(backing, slope, start)
    fixed = rules.maintenance.isolated_at_entry and position.mode is MarginMode.ISOLATED
    owed = with_fee(table, rules.fees.taker) if rules.maintenance.with_taker_fee else table
    margin_at_entry = owed.maintenance_margin(notional)
    walk = Walk(
        rules=rules,
        line=line,
        tiers=table,
        owed=owed,
        fixed=margin_at_entry if fixed else None,
        inverse=inverse,
        size_coins=position.size_coins,
        coin=coin_of(symbol)[0] if position.priced else "",
        long=position.side.sign > 0,
    )
    trigger = equity_meets(line, margin_at_entry) if fixed else margin_meets(line, owed)
    mark = walk.x_of(position.mark)
    return Assessment(
        rules=rules,
        symbol=symbol,
        position=position,
        leverage=leverage,
        tier=number + 1,
        tiers=len(table.tiers),
        max_leverage=allowed,
        settlement=coin_of(symbol)[0] if inverse else "USD",
        backing=backing,
        initial_margin=initial,
        maintenance_margin=walk.margin(mark),
        equity=line.equity(mark),
        liquidation_price=walk.price_of(trigger),
        liquidation_tier=None if trigger is None else table.number(line.notional(trigger)) + 1,
        maintenance_at_liquidation=None if trigger is None else walk.margin(trigger),
        bankruptcy_price=walk.price_of(equity_meets(line, Fraction(0))),
        steps=() if trigger is None else steps_of(walk, trigger),
    )


def checked_symbol(rules: VenueRules, asked: str) -> str:
    """The contract of a rule set that a symbol means, of the kind that the symbol says.

    Raises
    ------
    RulesError
        no contract of that coin, or a contract of the other kind.
    """
    symbol = contract_of(rules, asked)
    if symbol is None:
        raise RulesError(
            f"{rules.venue}: expected {one_of(rules.tiers, asked)}, found symbol '{asked}'",
            hint="Choose another symbol, or import the venue's tier table.",
            refused="symbol",
            venue=rules.venue,
        )
    kind = coin_of(asked)[1]
    if symbol != asked and kind is not None and kind is not rules.contract:
        raise RulesError(
            f"{rules.venue} ({rules.product}): expected {_A[rules.contract]} contract like '{symbol}', found "
            f"'{asked}', which is {_A[kind]} one",
            hint=f"Ask for '{symbol}', or for a venue with {kind} contracts.",
            refused="contract",
            venue=rules.venue,
        )
    return symbol


_A = {Contract.LINEAR: "a linear", Contract.INVERSE: "an inverse"}


def with_fee(table: TierTable, fee: Fraction) -> TierTable:
    """Tiers that owe the fee of closing on top of the margin; deductions stay as they are."""
    tiers = tuple(MarginTier(tier.cap_usd, tier.rate + fee, tier.max_leverage) for tier in table.tiers)
    return TierTable(table.symbol, tiers, table.source)


def _leverage(position: Position, allowed: int) -> Fraction:
    """Leverage setting [x]: as asked; what the margin makes of the position; else the largest."""
    if position.leverage is not None:
        return position.leverage
    if position.margin_usd is not None:
        return position.notional_usd / position.margin_usd
    return Fraction(allowed)


def _backing(rules: VenueRules, position: Position, initial: Fraction, inverse: bool) -> Fraction:
    """W [money]: margin is paid in at the entry price, a wallet is worth what it is at the mark."""
    if position.wallet_usd is None:
        extra = position.extra_margin_usd / (position.entry if inverse else 1)
        if rules.maintenance.extra_pays_fee:
            extra /= 1 + position.side.sign * rules.fees.taker
        return initial + extra
    wallet = position.wallet_usd / (position.mark if inverse else 1)
    if wallet < initial:
        needed = initial * (position.mark if inverse else 1)
        raise RulesError(
            f"{rules.venue}: expected a wallet of at least the initial margin of {float(needed):,.2f} USD, "
            f"found {float(position.wallet_usd):,.2f} USD",
            hint="Take a larger wallet, a smaller size, or more leverage where the venue allows it.",
            refused="wallet",
            venue=rules.venue,
        )
    return wallet


def _check_size(rules: VenueRules, symbol: str, notional: Fraction, inverse: bool) -> None:
    largest = rules.tier_table(symbol).tiers[-1].cap_usd
    if notional > largest:
        unit = coin_of(symbol)[0] if inverse else "USD"
        raise RulesError(
            f"{rules.venue}: expected a position of at most {largest:,} {unit} in {symbol} (end of the last "
            f"margin tier), found {float(notional):,.2f} {unit}",
            hint="Take a smaller size.",
            refused="size",
            venue=rules.venue,
        )


def _check_leverage(rules: VenueRules, symbol: str, leverage: Fraction, number: int, allowed: int) -> None:
    if leverage > allowed:
        raise RulesError(
            f"{rules.venue}: expected a leverage of at most {allowed}x for this size (tier {number + 1} of "
            f"{symbol}, rules of {rules.valid_from}), found {float(leverage):g}x",
            hint="Take less leverage, or a smaller size where a lower tier allows more.",
            refused="leverage",
            venue=rules.venue,
            max_leverage=allowed,
        )
