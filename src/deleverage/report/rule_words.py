"""What does a venue's rule set say in plain words? One sentence a policy, made from its figures.

No sentence knows a venue's name: a new venue speaks without a line here.
"""

from __future__ import annotations

from fractions import Fraction

from deleverage.report.style import THIN, number, usd, with_unit
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    CollateralPrice,
    Fees,
    Funding,
    Mark,
    MarkRule,
    OrderLimit,
    Slice,
    Takeover,
    Trigger,
    Waterfall,
)

TRIGGERS = {
    Trigger.MARK: "margin is checked at the mark price",
    Trigger.LAST: "margin is checked at the last trade",
    Trigger.ORACLE: "margin is checked at the oracle price, the index itself",
}
LIMITS = {
    OrderLimit.BANKRUPTCY: "the liquidation order fills at the bankruptcy price or better",
    OrderLimit.NONE: "a market order: it fills at any price",
    OrderLimit.FILLABLE: (
        "the order fills at the fillable price or better, which moves from the oracle towards the loser the "
        "further the account is under water (adjustment {adjustment}, spread {spread} of maintenance)"
    ),
}
SLICES = {
    Slice.WHOLE: "the whole position in one order",
    Slice.LOWER_TIER: "down to the cap of a lower tier that the margin satisfies; whole in the lowest tier",
    Slice.SHARE_THEN_WHOLE: (
        "{share} of a position above {above}, all of a smaller one; within {cooldown} after, all of it"
    ),
    Slice.SHARE_A_STEP: "{share} of the position an order, at least {minimum}{maximum}, one order a block",
}
TAKEOVERS = {
    Takeover.FUND: "the insurance fund, at the bankruptcy price",
    Takeover.VAULT: (
        "a backstop vault takes positions and margin once equity is below {backstop} of maintenance margin"
    ),
    Takeover.NONE: "nobody: what the book does not take waits, or goes to deleveraging",
}
ADL_TRIGGERS = {
    AdlTrigger.FUND_REFUSES: "the fund would go below zero or beyond its inventory",
    AdlTrigger.FUND_DRAWDOWN: "the fund has lost within {window} as much as its highest balance of that time",
    AdlTrigger.FUND_BELOW_REFERENCE: (
        "the fund is empty, or below its reference of {window} by more than the larger of {drop_share} and "
        "{drop_usd}"
    ),
    AdlTrigger.EQUITY_NEGATIVE: (
        "equity of the account is below zero, or the vault has lost more than {vault_loss} of its start"
    ),
    AdlTrigger.NOTHING_FILLED: "the order found nobody, the fund is too small, or equity is below zero",
}
RANKS = {
    AdlRank.PROFIT_TIMES_MARGIN_RATIO: "profit ÷ collateral × margin ratio, the highest first",
    AdlRank.LEVERAGED_RETURN: "profit ÷ entry value × notional ÷ equity, the highest first",
    AdlRank.PROFIT_RATIO_OVER_MARGIN_RATIO: "profit ratio ÷ margin ratio, the highest first",
    AdlRank.PRICE_RATIO_TIMES_LEVERAGE: (
        "mark ÷ entry (entry ÷ mark for shorts) × notional ÷ equity, the highest first"
    ),
    AdlRank.RANDOM_START: "no rank: accounts in their order, from a drawn one on",
    AdlRank.PROFIT_TIMES_LEVERAGE: "profit × effective leverage (÷ leverage for losers), the highest first",
}
ADL_PRICES = {
    AdlPrice.BANKRUPTCY: "the bankruptcy price of the liquidated position",
    AdlPrice.MARK: "the mark price",
    AdlPrice.PREVIOUS_MARK: "the previous mark price",
    AdlPrice.BANKRUPTCY_NEAR_MARK: "the bankruptcy price; the mark where that is more than {bound} away",
    AdlPrice.ORACLE: "the oracle price",
}
MARKS = {
    MarkRule.MEDIAN: (
        "median of index with funding, index plus mean basis of {window}, and the contract's own price"
    ),
    MarkRule.INDEX_WITH_BASIS: "index plus mean basis of {window}",
    MarkRule.ORACLE: "the index, as the oracle gives it",
    MarkRule.MEDIAN_WITH_EMA: (
        "median of oracle plus average of (mid − oracle) over {window}, own book, and other venues' mids"
    ),
}
COLLATERAL = {
    CollateralPrice.OWN_BOOK: "the venue's own book",
    CollateralPrice.INDEX: "an index",
    CollateralPrice.REDEMPTION: "what it can be redeemed for",
}


def policies(rules: Waterfall) -> list[tuple[str, str, str]]:
    """(letter, name, sentence) of the seven policies, in the order in which they come to act."""
    fund_window = seconds(rules.fund_window_s)
    maximum = f", at most {usd(rules.slice_maximum_usd)}" if rules.slice_maximum_usd else ""
    cooldown = seconds(rules.cooldown_s)
    sentences = [
        ("trigger", TRIGGERS[rules.trigger]),
        (
            "order limit",
            LIMITS[rules.order_limit].format(
                adjustment=plain(rules.bankruptcy_adjustment), spread=percent(rules.spread_to_maintenance)
            ),
        ),
        (
            "slice",
            SLICES[rules.slice].format(
                share=percent(rules.slice_share),
                above=usd(rules.slice_above_usd),
                cooldown=cooldown,
                minimum=usd(rules.slice_minimum_usd),
                maximum=maximum,
            ),
        ),
        ("takeover", TAKEOVERS[rules.takeover].format(backstop=percent(rules.backstop_share))),
        (
            "ADL trigger",
            ADL_TRIGGERS[rules.adl_trigger].format(
                window=fund_window,
                drop_share=percent(rules.fund_drop_share),
                drop_usd=usd(rules.fund_drop_usd),
                vault_loss=percent(rules.vault_loss_share),
            ),
        ),
        ("ADL ranking", RANKS[rules.adl_rank]),
        ("ADL price", ADL_PRICES[rules.adl_price].format(bound=percent(rules.price_bound))),
    ]
    return [(letter, *pair) for letter, pair in zip("abcdefg", sentences, strict=True)]


def remainder(rules: Waterfall) -> str:
    """Who keeps what is left of the margin."""
    book = "stays with the account" if rules.keeps_margin else "goes to the venue"
    takeover = "the fund" if rules.rest_to_fund else "the one who takes over"
    if rules.takeover is Takeover.NONE:
        return f"after a liquidation in the book it {book}"
    return f"after a liquidation in the book it {book}; after a takeover it goes to {takeover}"


def mark(rule: Mark) -> str:
    """How the mark price is made."""
    return MARKS[rule.rule].format(window=seconds(rule.window_s))


def funding(rule: Funding) -> str:
    """The funding formula and its figures."""
    limit = f", at most ±{percent(rule.cap)}" if rule.cap else ""
    divided = f", ÷ {plain(Fraction(8, rule.interval_h))}" if rule.rate_of_8h and rule.interval_h != 8 else ""
    return (
        f"every {rule.interval_h}{THIN}h: premium + clamp({percent(rule.interest)} − premium, "
        f"±{percent(rule.clamp)}){divided}{limit}"
    )


def fees(rule: Fees) -> str:
    """What trading and being liquidated cost."""
    return f"taker {percent(rule.taker)}, liquidation {percent(rule.liquidation)} of notional"


def seconds(count: int) -> str:
    """`30 s`, `8 h`: whole seconds in the unit that leaves no rest."""
    if count and count % 3600 == 0:
        return with_unit(str(count // 3600), "h")
    return with_unit(str(count), "s")


def percent(share: Fraction) -> str:
    """A share exactly where it has few decimals: `0.0125 %`, `1.25 %`, `20 %`; `3.333 %` for 1/30."""
    return with_unit(plain(share * 100), "%")


def plain(value: Fraction) -> str:
    """A number with as many decimals as it needs, at most four."""
    text = number(float(value), 4)
    return text.rstrip("0").rstrip(".") if "." in text else text
