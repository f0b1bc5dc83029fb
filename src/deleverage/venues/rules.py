"""What a venue's rule book says, dated and sourced: tiers, mark, funding, fees, collateral, waterfall.

The waterfall of every venue is a configuration of the same seven policies (`Waterfall`); kernels read them
as numbers, the calculator and the documents read them as words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from enum import IntEnum, StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Protocol, TypeVar

from deleverage.errors import InputError, RulesError


class Contract(StrEnum):
    """What a contract is settled in."""

    LINEAR = "linear"  # size in coins, profit in the quote asset
    INVERSE = "inverse"  # size in quote units, margin and profit in the coin


class Grade(StrEnum):
    """How far a rule set is implemented."""

    ENGINE = "engine"  # the whole waterfall runs in the market
    CALCULATOR = "calculator"  # margin, liquidation price and the worked examples


class Trigger(IntEnum):
    """(a) The price at which margin is checked."""

    MARK = 0
    LAST = 1
    ORACLE = 2  # the index itself


class OrderLimit(IntEnum):
    """(b) Worst price of a liquidation order."""

    BANKRUPTCY = 0
    NONE = 1  # market order
    FILLABLE = 2  # dYdX: between oracle and beyond, by how far the account is under water


class Slice(IntEnum):
    """(c) How much of a position one order closes."""

    WHOLE = 0
    LOWER_TIER = 1  # down to the cap of a lower tier, whole in the lowest
    SHARE_THEN_WHOLE = 2  # a share of a large position, all of it within the cooldown after
    SHARE_A_STEP = 3  # a share of the position, at least a minimum, one order a block


class Takeover(IntEnum):
    """(d) Who takes what the book did not, before winners are deleveraged."""

    FUND = 0  # the insurance fund, at the bankruptcy price
    VAULT = 1  # a backstop vault: positions and what is left of the margin, at mark
    NONE = 2


class AdlTrigger(IntEnum):
    """(e) When winners are deleveraged."""

    FUND_REFUSES = 0  # the fund would go below zero or beyond its inventory
    FUND_DRAWDOWN = 1  # the fund has lost its highest balance of the window
    FUND_BELOW_REFERENCE = 2  # fund < reference − max(share of it, floor), or zero
    EQUITY_NEGATIVE = 3  # of the account, or the vault has lost more than its cap
    NOTHING_FILLED = 4  # the order found nobody, the fund is too small, or equity is negative


class AdlRank(IntEnum):
    """(f) Who is deleveraged first among the winners of the other side."""

    PROFIT_TIMES_MARGIN_RATIO = 0  # unrealised profit ÷ collateral × margin ratio
    LEVERAGED_RETURN = 1  # profit ÷ entry value × notional ÷ equity
    PROFIT_RATIO_OVER_MARGIN_RATIO = 2
    PRICE_RATIO_TIMES_LEVERAGE = 3  # (mark ÷ entry; its inverse for shorts) × notional ÷ equity
    RANDOM_START = 4  # no rank: in order of accounts from a drawn one on
    PROFIT_TIMES_LEVERAGE = 5  # BitMEX: on signed values; profit ÷ leverage for losers


class AdlPrice(IntEnum):
    """(g) The price of the deleveraging trade."""

    BANKRUPTCY = 0
    MARK = 1
    PREVIOUS_MARK = 2
    BANKRUPTCY_NEAR_MARK = 3  # the bankruptcy price, mark where it is further away than a bound
    ORACLE = 4


class CollateralPrice(IntEnum):
    """By which price a venue values collateral that is not the settlement asset."""

    OWN_BOOK = 0
    INDEX = 1
    REDEMPTION = 2


class MarkRule(IntEnum):
    """How the mark price is made."""

    MEDIAN = 0  # of index with funding, index with mean basis, contract price
    INDEX_WITH_BASIS = 1  # index + mean basis
    ORACLE = 2  # the index
    MEDIAN_WITH_EMA = 3  # Hyperliquid: of oracle + EMA of (mid − oracle), own book, other venues' mids


@dataclass(frozen=True)
class Waterfall:
    """The seven policies and their figures. See `Trigger` … `AdlPrice`.

    Parameters
    ----------
    slice_share : share of the position closed by one order, for the two slice rules by share.
    slice_above_usd : positions up to this notional are closed whole (`SHARE_THEN_WHOLE`).
    slice_minimum_usd : smallest order [USD] (`SHARE_A_STEP`).
    slice_maximum_usd : largest order per account and block [USD]; 0 is none (`SHARE_A_STEP`).
    cooldown_s : after a slice, time in which the next order is for the whole position [s].
    backstop_share : share of maintenance margin below which the vault takes the account (`VAULT`).
    vault_loss_share : share of the vault's start equity that it may lose before winners are deleveraged.
    fund_window_s : window of the fund's reference balance [s].
    fund_drop_share, fund_drop_usd : ADL starts when the fund is below its reference by the larger of
        the two (`FUND_BELOW_REFERENCE`).
    price_bound : largest |bankruptcy ÷ mark − 1| of an ADL at the bankruptcy price (`BANKRUPTCY_NEAR_MARK`).
    keeps_margin : the account keeps what is left after a liquidation in the book.
    rest_to_fund : what is left after a takeover goes to the fund.
    bankruptcy_adjustment, spread_to_maintenance : of the fillable price (`FILLABLE`).
    """

    trigger: Trigger = Trigger.MARK
    order_limit: OrderLimit = OrderLimit.BANKRUPTCY
    slice: Slice = Slice.WHOLE
    takeover: Takeover = Takeover.FUND
    adl_trigger: AdlTrigger = AdlTrigger.FUND_REFUSES
    adl_rank: AdlRank = AdlRank.PROFIT_TIMES_MARGIN_RATIO
    adl_price: AdlPrice = AdlPrice.BANKRUPTCY
    slice_share: Fraction = Fraction(1)
    slice_above_usd: int = 0
    slice_minimum_usd: int = 0
    slice_maximum_usd: int = 0
    cooldown_s: int = 0
    backstop_share: Fraction = Fraction(0)
    vault_loss_share: Fraction = Fraction(1)
    fund_window_s: int = 28_800
    fund_drop_share: Fraction = Fraction(0)
    fund_drop_usd: int = 0
    price_bound: Fraction = Fraction(0)
    keeps_margin: bool = True
    rest_to_fund: bool = False
    bankruptcy_adjustment: Fraction = Fraction(1)
    spread_to_maintenance: Fraction = Fraction(0)


@dataclass(frozen=True)
class Mark:
    """The mark price: rule and window of its mean [s]."""

    rule: MarkRule
    window_s: int


@dataclass(frozen=True)
class Funding:
    """Funding: time between payments [h], interest per 8 h, clamp and cap [share].

    ``rate_of_8h`` : true when the formula gives a rate per 8 h that is divided by 8 ÷ interval.
    ``cap`` : largest |rate| per payment; 0 is none.
    """

    interval_h: int
    interest: Fraction
    clamp: Fraction
    cap: Fraction = Fraction(0)
    rate_of_8h: bool = True


@dataclass(frozen=True)
class Fees:
    """Fees [share of notional]: taker, and what a liquidation costs on top (clearance)."""

    taker: Fraction
    liquidation: Fraction


@dataclass(frozen=True)
class Maintenance:
    """What a venue reckons maintenance margin on, besides its tiers.

    Parameters
    ----------
    isolated_at_entry : true when an isolated position owes the margin of its value at entry, whatever the
        mark; false when it owes that of its value at the mark.
    with_taker_fee : true when the fee of closing the position at the mark is owed on top.
    extra_pays_fee : true when added margin counts less the fee of closing with it: X ÷ (1 + s·taker), s the
        side (Bybit inverse, text of 2026).
    """

    isolated_at_entry: bool = False
    with_taker_fee: bool = False
    extra_pays_fee: bool = False


@dataclass(frozen=True)
class CollateralAsset:
    """An asset that counts as margin at ``haircut`` less than its price."""

    asset: str
    haircut: Fraction
    price: CollateralPrice


@dataclass(frozen=True)
class AutoExchange:
    """When a venue sells collateral for a negative balance.

    Parameters
    ----------
    limit_usd : a balance of −limit or less is exchanged [USD > 0].
    loan_to_value : so is everything when negative balances reach this share of the collateral.
    haircut : taken off the collateral that is sold [share].
    source : where the figures come from.
    """

    limit_usd: int
    loan_to_value: Fraction
    haircut: Fraction
    source: str

    def due(self, balance_usd: Fraction, loan_to_value: Fraction = Fraction(0)) -> bool:
        """True when the venue exchanges, from the balance [USD, negative is owed] and the share lent."""
        return balance_usd <= -self.limit_usd or loan_to_value >= self.loan_to_value


_LISTED_MAX = 12


def one_of(known: Iterable[str], asked: str, kind: str = "contracts") -> str:
    """What messages say of the names that would do: all of a few, of many those most like the one asked."""
    names = sorted(known)
    if not names:
        return f"{kind}, of which none is known"
    if len(names) <= _LISTED_MAX:
        return f"one of {names}"
    near = get_close_matches(asked, names, n=3) or names[:3]
    return f"one of {len(names)} {kind}, like {near}"


def deductions(
    floors: Sequence[Fraction], rates: Sequence[Fraction], first: Fraction | None = None
) -> list[Fraction]:
    """D of consecutive tiers: D_k = D_{k−1} + floor_k·(r_k − r_{k−1}), so that the margin is continuous.

    ``floors`` [money] are those of the tiers after the first, ``rates`` of all, ``first`` is D of the first
    (0 unless a table is printed from a later tier on).

    Raises
    ------
    InputError
        not one floor fewer than rates.
    """
    if len(rates) != len(floors) + 1:
        raise InputError(
            f"tiers: expected one floor for every rate after the first, found {len(floors)} floors and "
            f"{len(rates)} rates"
        )
    sums = [first or Fraction(0)]
    for floor, (low, high) in zip(floors, pairwise(rates), strict=True):
        sums.append(sums[-1] + floor * (high - low))
    return sums


@dataclass(frozen=True)
class MarginTier:
    """One notional bracket.

    Parameters
    ----------
    cap_usd : notional up to which the tier holds [USD]; the last tier's cap also bounds a position.
    rate : maintenance margin rate [share of notional], an exact fraction.
    max_leverage : largest leverage setting [x].
    """

    cap_usd: int
    rate: Fraction
    max_leverage: int


@dataclass(frozen=True)
class TierTable:
    """Margin tiers of one contract, increasing in cap and rate, with their deductions.

    ``as_of`` is the day of which they were observed; None where that is the first day of the rule set.
    """

    symbol: str
    tiers: tuple[MarginTier, ...]
    source: str
    as_of: date | None = None

    def __post_init__(self) -> None:
        """Refuse tiers that do not increase.

        Raises
        ------
        RulesError
            no tier at all, or a cap or rate that does not increase.
        """
        if not self.tiers:
            raise RulesError(
                f"{self.symbol}: expected at least one margin tier, found none", symbol=self.symbol
            )
        for number, (low, high) in enumerate(zip(self.tiers, self.tiers[1:], strict=False), start=2):
            if high.cap_usd <= low.cap_usd or high.rate <= low.rate:
                raise RulesError(
                    f"{self.symbol}: margin tiers must increase in cap and rate; tier {number} has cap "
                    f"{high.cap_usd} and rate {float(high.rate)} after {low.cap_usd} and {float(low.rate)}",
                    hint="check the order and the units of the tier table",
                    symbol=self.symbol,
                    tier=number,
                )
        for number, tier in enumerate(self.tiers, start=1):
            if not 0 < tier.rate < 1 or tier.cap_usd <= 0 or tier.max_leverage < 1:
                raise RulesError(
                    f"{self.symbol}: tier {number} needs 0 < rate < 1, cap > 0 and "
                    f"leverage of at least 1; found "
                    f"rate {float(tier.rate)}, cap {tier.cap_usd}, leverage {tier.max_leverage}",
                    symbol=self.symbol,
                    tier=number,
                )

    @property
    def deductions_usd(self) -> tuple[Fraction, ...]:
        """Amount to take off so that the margin is continuous.

        Cum_k = cum_{k-1} + floor_k (rate_k − rate_{k-1}).
        """
        floors = [Fraction(tier.cap_usd) for tier in self.tiers[:-1]]
        return tuple(deductions(floors, [tier.rate for tier in self.tiers]))

    def number(self, notional: Fraction) -> int:
        """Tier of a notional, from 0: the first whose cap it does not exceed, else the last."""
        return next((k for k, tier in enumerate(self.tiers) if notional <= tier.cap_usd), len(self.tiers) - 1)

    def maintenance_margin(self, notional: Fraction) -> Fraction:
        """M = N·r_k − d_k [USD], exactly; k the tier of N. `margin.maintenance_margin` is its kernel."""
        k = self.number(notional)
        return notional * self.tiers[k].rate - self.deductions_usd[k]


@dataclass(frozen=True)
class VenueRules:
    """The rule set of one venue and product as it stood from a date on.

    Parameters
    ----------
    venue : short name in lower case; also the name of its file.
    product : what the venue calls the product.
    valid_from : first day (UTC) on which all of it held together.
    tiers : margin tiers by symbol; the package carries the main markets, `deleverage rules import` more.
    collateral : assets besides the settlement asset that count as margin.
    sources : where each part comes from, by name of the part ("tiers", "mark", "funding", "waterfall", …).
    maintenance : what maintenance margin is reckoned on, besides the tiers.
    """

    venue: str
    product: str
    grade: Grade
    contract: Contract
    valid_from: date
    tiers: Mapping[str, TierTable]
    mark: Mark
    funding: Funding
    fees: Fees
    waterfall: Waterfall
    sources: Mapping[str, str]
    collateral: tuple[CollateralAsset, ...] = field(default=())
    exchange: AutoExchange | None = None
    maintenance: Maintenance = field(default=Maintenance())

    def tier_table(self, symbol: str) -> TierTable:
        """Tiers of a contract.

        Raises
        ------
        RulesError
            the rule set does not know the contract.
        """
        if symbol not in self.tiers:
            raise RulesError(
                f"{self.venue}: expected {one_of(self.tiers, symbol)}, found symbol '{symbol}'",
                hint="import the venue's tier file, or choose another symbol",
                venue=self.venue,
                symbol=symbol,
            )
        return self.tiers[symbol]


class Dated(Protocol):
    """Any rule set with a first day: of a venue for contracts, or of a lending market."""

    @property
    def venue(self) -> str:
        """Short name in lower case."""

    @property
    def valid_from(self) -> date:
        """First day (UTC) on which all of it held together."""


Rules = TypeVar("Rules", bound=Dated)


def rules_on(versions: tuple[Rules, ...], day: date) -> Rules:
    """The version in force on a day (UTC); ``versions`` stand newest first.

    Raises
    ------
    RulesError
        no rule set is known for so early a day.
    """
    for rules in versions:
        if rules.valid_from <= day:
            return rules
    first = versions[-1]
    raise RulesError(
        f"{first.venue}: expected a date from {first.valid_from} on, found {day}",
        hint="no earlier rule set is known to the program",
        venue=first.venue,
        day=str(day),
    )
