"""What would a venue do to this very position, step by step? The seven policies with prices filled in.

Every sentence is made from the policies of `rules.Waterfall` and their figures; none knows a venue's name.
Prices are where the step begins if the price keeps moving against the position and nothing was done before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from deleverage.venues.calculator.lines import Line, equity_meets, margin_meets
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    MarginTier,
    OrderLimit,
    Slice,
    Takeover,
    TierTable,
    Trigger,
    VenueRules,
)


@dataclass(frozen=True)
class Step:
    """One thing the venue does.

    Parameters
    ----------
    policy : 'trigger', 'order', 'rest', 'takeover' or 'adl'.
    does : the sentence, with its figures.
    price : mark at which it begins [USD/coin].
    limit : worst price of the order, or price of the takeover or ADL [USD/coin]; None when it is not known
        beforehand (a market order, a mark yet to come).
    size_coins : how much of the position it is about [coins]; None where it is about none.
    """

    policy: str
    does: str
    price: Fraction
    limit: Fraction | None = None
    size_coins: Fraction | None = None


@dataclass(frozen=True)
class Walk:
    """What steps are reckoned from: the line of equity, and between prices and its variable x.

    ``owed`` : the tiers with what else is owed; ``fixed`` : maintenance margin where it does not depend on
    the mark; ``coin`` : its name, empty where sizes are said in shares; ``long`` : true when falling prices
    lose.
    """

    rules: VenueRules
    line: Line
    tiers: TierTable
    owed: TierTable
    fixed: Fraction | None
    inverse: bool
    size_coins: Fraction
    coin: str
    long: bool

    def x_of(self, price: Fraction) -> Fraction:
        """The variable of the line for a price."""
        return 1 / price if self.inverse else price

    def price_of(self, x: Fraction | None) -> Fraction | None:
        """The price [USD/coin] for a value of the variable; None stays None."""
        return None if x is None else self.x_of(x)

    def text(self, price: Fraction) -> str:
        """A price in words, rounded against the position."""
        return price_text(price, up=self.long)

    def margin(self, x: Fraction) -> Fraction:
        """Maintenance margin owed [money]."""
        return self.fixed if self.fixed is not None else self.owed.maintenance_margin(self.line.notional(x))

    def usd(self, money: Fraction, x: Fraction) -> Fraction:
        """An amount of the settlement asset at x [USD]."""
        return money / x if self.inverse else money

    def value_usd(self, x: Fraction) -> Fraction:
        """Value of the whole position at x [USD]."""
        return self.usd(self.line.notional(x), x)


def steps_of(walk: Walk, trigger: Fraction) -> tuple[Step, ...]:
    """The steps of one position from its trigger on, in order.

    Parameters
    ----------
    trigger : x at which equity meets maintenance margin.
    """
    bankrupt = equity_meets(walk.line, Fraction(0))
    price = walk.x_of(trigger)
    bust = walk.price_of(bankrupt)
    return (
        _trigger(walk, trigger, price),
        *_orders(walk, trigger, price, bust),
        _rest(walk, trigger, price),
        *_takeover(walk, bust, price),
        *_adl(walk, bust),
    )


# --- words for figures --------------------------------------------------------------------------------


def price_text(price: Fraction, *, up: bool) -> str:
    """A price with enough digits to tell 0.001 % apart: `116,295.19`, `2.79041`.

    ``up`` : rounding, up for a long and down for a short: an end of a position never looks further away
    than it is, and at a printed bankruptcy price nothing is owed.
    """
    places = 2
    while places < 12 and price * 10**places < 50_000:
        places += 1
    scaled = price * 10**places
    whole = -(-scaled.numerator // scaled.denominator) if up else scaled.numerator // scaled.denominator
    return f"{Decimal(whole).scaleb(-places):,.{places}f}"


def coins_text(size: Fraction) -> str:
    """A size with six significant digits at most."""
    text = f"{float(size):,.6f}" if size < 1 else f"{float(size):,.3f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def dollars_text(amount: Fraction) -> str:
    """An amount in USD: cents below a thousand."""
    return f"${float(amount):,.2f}" if abs(amount) < 1_000 else f"${float(amount):,.0f}"


def share_text(share: Fraction) -> str:
    """A share in percent, as many digits as it has up to four; thirds and the like as a fraction."""
    if (share * 1_000_000).denominator != 1 and share.denominator < 10:
        return f"{share.numerator}/{share.denominator}"
    return f"{float(share * 100):.4f}".rstrip("0").rstrip(".") + " %"


# --- (a) trigger --------------------------------------------------------------------------------------

_TRIGGERS = {Trigger.MARK: "mark", Trigger.LAST: "last price", Trigger.ORACLE: "oracle price"}


def _trigger(walk: Walk, x: Fraction, price: Fraction) -> Step:
    margin = dollars_text(walk.usd(walk.margin(x), x))
    name = _TRIGGERS[walk.rules.waterfall.trigger]
    beyond = "below" if walk.long else "above"
    return Step(
        "trigger",
        f"{name} {beyond} {walk.text(price)}: less than the maintenance margin of {margin} is left, "
        "liquidation starts",
        price,
        size_coins=walk.size_coins,
    )


# --- (b) limit and (c) slice --------------------------------------------------------------------------


def _orders(walk: Walk, x: Fraction, price: Fraction, bust: Fraction | None) -> Iterator[Step]:
    policy = walk.rules.waterfall
    limit, said = _limit(walk, x, bust)
    verb = "sells" if walk.long else "buys back"
    size, value = walk.size_coins, walk.value_usd(x)

    def order(share: Fraction, why: str, *, rest: bool = False) -> Step:
        part = size * share
        amount = f"{coins_text(part)} {walk.coin}" if walk.coin else f"{float(share * 100):.2f} % of it"
        if rest:
            left = f" ({amount})" if walk.coin else ""
            return Step("order", f"{verb} the rest{left} likewise{why}", price, limit, part)
        if share == 1:
            what = f"all {amount}" if walk.coin else "all of it"
        else:
            what = amount
        return Step("order", f"{verb} {what} {said}{why}", price, limit, part)

    number = walk.tiers.number(walk.line.notional(x))
    if policy.slice is Slice.LOWER_TIER and number:
        cap = walk.tiers.tiers[number - 1].cap_usd
        # Margin is continuous and tiers rise, so what is left at the cap of the tier below is enough,
        # if the order fills at the mark.
        share = 1 - Fraction(cap) / walk.line.notional(x)
        yield order(share, f": down to the end of tier {number} ({_cap_text(walk, cap)})")
        yield order(1 - share, ", if margin is short still", rest=True)
    elif policy.slice is Slice.LOWER_TIER:
        yield order(Fraction(1), ": it is in the lowest tier")
    elif policy.slice is Slice.SHARE_THEN_WHOLE and value > policy.slice_above_usd:
        share = policy.slice_share
        above = dollars_text(Fraction(policy.slice_above_usd))
        yield order(share, f": {share_text(share)} first, since {dollars_text(value)} is above {above}")
        yield order(1 - share, f", if margin is short again within {policy.cooldown_s} s", rest=True)
    elif policy.slice is Slice.SHARE_THEN_WHOLE:
        above = dollars_text(Fraction(policy.slice_above_usd))
        yield order(Fraction(1), f": {dollars_text(value)} is not above {above}")
    elif policy.slice is Slice.SHARE_A_STEP:
        first, orders = _blocks(walk, value)
        why = f": {share_text(policy.slice_share)}"
        if policy.slice_minimum_usd:
            why += f", at least {dollars_text(Fraction(policy.slice_minimum_usd))}"
        if policy.slice_maximum_usd:
            why += f", at most {dollars_text(Fraction(policy.slice_maximum_usd))}"
        yield order(first / value, f"{why}, in the first block")
        if first < value:
            most = f" (at most {orders} blocks)" if orders else ""
            yield order(1 - first / value, f", an order a block until margin suffices{most}", rest=True)
    else:
        yield order(Fraction(1), "")


def _blocks(walk: Walk, value: Fraction) -> tuple[Fraction, int]:
    """First order [USD], and blocks until nothing is left at a price that stands still; 0 if never."""
    policy = walk.rules.waterfall
    largest = Fraction(policy.slice_maximum_usd) if policy.slice_maximum_usd else value
    smallest = Fraction(policy.slice_minimum_usd)

    def part(left: Fraction) -> Fraction:
        # a share of what is left, at least the minimum, at most the maximum, never more than there is
        return min(max(policy.slice_share * left, smallest), largest, left)

    left, blocks = value, 0
    while left > 0 and smallest > 0:  # shares of what is left alone never come to an end
        same = 1
        if part(left) == largest:  # all of the largest for a while: counted at once
            same = max(1, int((left - largest / policy.slice_share) // largest))
        left, blocks = left - same * part(left), blocks + same
    return part(value), blocks


def _cap_text(walk: Walk, cap: int) -> str:
    return f"{cap:,} coins of value" if walk.inverse else f"${cap:,}"


def _limit(walk: Walk, x: Fraction, bust: Fraction | None) -> tuple[Fraction | None, str]:
    """Worst price of an order, and how it is said."""
    match walk.rules.waterfall.order_limit:
        case OrderLimit.BANKRUPTCY:
            if bust is None:
                return None, "at any price: no price leaves less than nothing"
            return bust, f"at {walk.text(bust)} (bankruptcy price) or better"
        case OrderLimit.NONE:
            return None, "at market, without a limit"
        case OrderLimit.FILLABLE:
            start = _fillable(walk, x, Fraction(0))
            end = None if bust is None else _fillable(walk, walk.x_of(bust), Fraction(1))
            said = f"at its fillable price, {walk.text(start)} now"
            return start, said if end is None else f"{said}, {walk.text(end)} when no equity is left"


def _fillable(walk: Walk, x: Fraction, under_water: Fraction) -> Fraction:
    """Fillable price m ∓ ABR·spread·M/q, ABR = clamp(BA·(1 − E/M), 0, 1); ``under_water`` is 1 − E/M."""
    policy = walk.rules.waterfall
    share = min(Fraction(1), policy.bankruptcy_adjustment * under_water)
    margin = walk.usd(walk.margin(x), x) / walk.size_coins
    return walk.x_of(x) - (1 if walk.long else -1) * share * policy.spread_to_maintenance * margin


def _rest(walk: Walk, x: Fraction, price: Fraction) -> Step:
    """Who gets what is left if the book fills everything at the trigger."""
    policy, fee = walk.rules.waterfall, walk.rules.fees.liquidation
    equity, value = walk.usd(walk.line.equity(x), x), walk.value_usd(x)
    taken = min(max(equity, Fraction(0)), fee * value)
    left = equity - taken
    text = f"if all of it fills at {walk.text(price)}, {dollars_text(equity)} is left"
    if fee:
        text += f"; the liquidation fee (up to {share_text(fee)}) takes {dollars_text(taken)}"
    if left <= 0:
        text += ", nothing comes back"
    elif policy.keeps_margin:
        text += f"; the account keeps {dollars_text(left)}"
    else:
        text += f"; {dollars_text(left)} goes to the insurance fund"
    return Step("rest", text, price)


# --- (d) takeover -------------------------------------------------------------------------------------


def _takeover(walk: Walk, bust: Fraction | None, price: Fraction) -> Iterator[Step]:
    policy = walk.rules.waterfall
    if policy.takeover is Takeover.VAULT:
        at = walk.price_of(_backstop(walk))
        if at is not None:
            yield Step(
                "takeover",
                f"mark {'below' if walk.long else 'above'} {walk.text(at)}: less than "
                f"{share_text(policy.backstop_share)} of the maintenance margin is left; a backstop vault "
                "takes what is still open, and the margin with it",
                at,
                size_coins=walk.size_coins,
            )
    elif policy.takeover is Takeover.FUND and bust is not None:
        rest = " and what was left of the margin" if policy.rest_to_fund or not policy.keeps_margin else ""
        yield Step(
            "takeover",
            f"the insurance fund takes what nobody filled, at {walk.text(bust)} (bankruptcy price){rest}",
            price,
            bust,
            walk.size_coins,
        )


def _backstop(walk: Walk) -> Fraction | None:
    """The x at which equity is ``backstop_share`` of the maintenance margin."""
    share = walk.rules.waterfall.backstop_share
    if share == 0:
        return equity_meets(walk.line, Fraction(0))
    if walk.fixed is not None:
        return equity_meets(walk.line, walk.fixed * share)
    tiers = tuple(MarginTier(t.cap_usd, t.rate * share, t.max_leverage) for t in walk.owed.tiers)
    return margin_meets(walk.line, TierTable(walk.owed.symbol, tiers, walk.owed.source))


# --- (e) to (g) ADL -----------------------------------------------------------------------------------

_RANKS = {
    AdlRank.PROFIT_TIMES_MARGIN_RATIO: "profit ÷ collateral × margin ratio",
    AdlRank.LEVERAGED_RETURN: "leveraged return",
    AdlRank.PROFIT_RATIO_OVER_MARGIN_RATIO: "profit ratio ÷ margin ratio",
    AdlRank.PRICE_RATIO_TIMES_LEVERAGE: "price gain × leverage",
    AdlRank.PROFIT_TIMES_LEVERAGE: "profit × leverage",
}


def _adl(walk: Walk, bust: Fraction | None) -> Iterator[Step]:
    if bust is None:
        return
    policy = walk.rules.waterfall
    price, said = _adl_price(walk, bust)
    other = "shorts" if walk.long else "longs"
    order = (
        f"from a random one of the {other} on"
        if policy.adl_rank is AdlRank.RANDOM_START
        else f"{other} with the largest {_RANKS[policy.adl_rank]} first"
    )
    yield Step(
        "adl",
        f"ADL when {_adl_when(walk, bust)}: what is left is closed against winners, {order}, {said}",
        bust,
        price,
        walk.size_coins,
    )


def _adl_when(walk: Walk, bust: Fraction) -> str:
    policy = walk.rules.waterfall
    hours = f"{policy.fund_window_s / 3600:g} h"
    match policy.adl_trigger:
        case AdlTrigger.FUND_REFUSES:
            return "the fund cannot take it"
        case AdlTrigger.FUND_DRAWDOWN:
            return f"the fund has lost its highest balance of {hours}"
        case AdlTrigger.FUND_BELOW_REFERENCE:
            return (
                f"the fund is more than {share_text(policy.fund_drop_share)} (at least "
                f"{dollars_text(Fraction(policy.fund_drop_usd))}) below its reference of {hours}, or empty"
            )
        case AdlTrigger.EQUITY_NEGATIVE:
            side = "below" if walk.long else "above"
            vault = (
                f", or the vault has lost {share_text(policy.vault_loss_share)} of its equity"
                if policy.takeover is Takeover.VAULT
                else ""
            )
            return f"nothing is left (mark {side} {walk.text(bust)}){vault}"
        case AdlTrigger.NOTHING_FILLED:
            return f"nobody fills, the fund is too small, or nothing is left (beyond {walk.text(bust)})"


def _adl_price(walk: Walk, bust: Fraction) -> tuple[Fraction | None, str]:
    bound = walk.rules.waterfall.price_bound
    match walk.rules.waterfall.adl_price:
        case AdlPrice.BANKRUPTCY:
            return bust, f"at {walk.text(bust)} (bankruptcy price)"
        case AdlPrice.MARK:
            return None, "at the mark of that moment"
        case AdlPrice.PREVIOUS_MARK:
            return None, "at the mark before"
        case AdlPrice.ORACLE:
            return None, "at the oracle price of that moment"
        case AdlPrice.BANKRUPTCY_NEAR_MARK:
            # |bust ÷ mark − 1| = bound on the side where the mark has run away from the bankruptcy price
            far = bust / (1 + bound if walk.long else 1 - bound)
            return bust, (
                f"at {walk.text(bust)} (bankruptcy price), or at mark once that is beyond {walk.text(far)} "
                f"({share_text(bound)} away)"
            )
