"""Who can be deleveraged, and what has each to give? Winners, and the same in whole units by id.

Only profit can be taken, never collateral: endowment w = max(0, min(P, E)), P the unrealised profit at mark,
E the equity that backs it. E is below P where an account lost elsewhere what it won here; to take more would
only move the deficit to another account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from deleverage.errors import InputError, UnitError
from deleverage.units import UUSD_PER_USD, uusd
from deleverage.venues.adl.ranks import adl_rank_score
from deleverage.venues.rules import AdlRank

Number: TypeAlias = int | float | str | Decimal | Fraction

PPB = 1_000_000_000


def exact(value: Number, what: str) -> Fraction:
    """The number as it is written: 0.1 is one tenth.

    Raises
    ------
    InputError
        not a finite number.
    """
    try:
        return Fraction(repr(value) if isinstance(value, float) else value)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise InputError(f"{what}: expected a finite number, found {value!r}", field=what) from error


@dataclass(frozen=True)
class Winner:
    """A position of a linear contract that could be deleveraged.

    Parameters
    ----------
    id : number or name; ties go to the lower one.
    side : "long" or "short".
    size : coins, > 0. entry, mark : USD per coin, > 0.
    equity : of the margin account that backs the position, at mark [USD].
    margin : its maintenance margin [USD]; read by the ranks of Binance and OKX only.
    collateral : what backs the position before its profit [USD]; equity − profit when not given.
    initial_margin : of the position [USD] (OKX's ROI); the collateral when not given.
    cap : share of the profit that may be taken at most, 0 … 1.
    """

    id: int | str
    side: str
    size: Number
    entry: Number
    mark: Number
    equity: Number
    margin: Number = 0
    collateral: Number | None = None
    initial_margin: Number | None = None
    cap: Number = 1

    @property
    def sign(self) -> int:
        """1 for a long, −1 for a short."""
        return 1 if self.side == "long" else -1

    @property
    def profit_usd(self) -> Fraction:
        """P = ±(mark − entry)·size, > 0 when it wins."""
        return self.sign * (exact(self.mark, "mark") - exact(self.entry, "entry")) * exact(self.size, "size")

    @property
    def notional_usd(self) -> Fraction:
        """N = mark·size."""
        return exact(self.mark, "mark") * exact(self.size, "size")

    def check(self) -> None:
        """Refuse what cannot be a position.

        Raises
        ------
        InputError
            names the winner, the field, what was expected and what was found.
        """
        if self.side not in ("long", "short"):
            raise InputError(
                f"winner {self.id}: side is 'long' or 'short', found {self.side!r}", field="side"
            )
        for name in ("size", "entry", "mark"):
            if exact(getattr(self, name), name) <= 0:
                raise InputError(
                    f"winner {self.id}: expected {name} > 0, found {getattr(self, name)}", field=name
                )
        for name in ("equity", "margin", "collateral", "initial_margin"):
            if getattr(self, name) is not None:
                exact(getattr(self, name), name)
        if not 0 <= exact(self.cap, "cap") <= 1:
            raise InputError(f"winner {self.id}: expected a cap of 0 … 1, found {self.cap}", field="cap")


@dataclass(frozen=True)
class Claims:
    """Winners in whole units, in the order of ids: what every policy reads.

    Parameters
    ----------
    ids : in rising order.
    endowment : w_i = max(0, min(P_i, E_i)) [uusd]. cap : floor(β_i·w_i) [uusd], what may be taken at most.
    equity : E_i at mark [uusd]. leverage_ppb : λ_i = N_i ÷ E_i [10⁻⁹], 0 where there is no equity.
    lots : whole lots held. gap : what closing one lot costs its owner [uusd]; 0 without an execution price.
    scores : by rank, as in `ranks`; every rank that can be asked for.
    """

    ids: tuple[int | str, ...]
    endowment: tuple[int, ...]
    cap: tuple[int, ...]
    equity: tuple[int, ...]
    leverage_ppb: tuple[int, ...]
    lots: tuple[int, ...]
    gap: int
    scores: Mapping[AdlRank, tuple[float, ...]]

    @property
    def total(self) -> int:
        """U = Σ w_i [uusd]."""
        return sum(self.endowment)

    @property
    def most_lots(self) -> tuple[int, ...]:
        """Lots that each can close without giving more than it may: min(lots, floor(cap ÷ gap))."""
        if self.gap <= 0:
            return self.lots
        return tuple(min(q, c // self.gap) for q, c in zip(self.lots, self.cap, strict=True))


def _down(usd: Fraction) -> int:
    """Whole uusd, rounded down: never more is taken than was won."""
    return (usd * UUSD_PER_USD).__floor__()


def claims_of(
    winners: Sequence[Winner],
    *,
    execution: Number | None = None,
    lot: Number = Fraction(1, 1000),
    start: int = 0,
) -> Claims:
    """Winners in whole units.

    Parameters
    ----------
    execution : price at which they would be closed [USD per coin]; without it the policies that count lots
        cannot be asked. lot : smallest size [coins].
    start : place (in the order of ids) from which `RANDOM_START` begins; drawn by who calls.

    Raises
    ------
    InputError
        no winner, an id twice or of two kinds, a bad position, several marks, a lot or execution price
        that is not positive or that would pay winners.
    UnitError
        an amount beyond 2⁶² uusd, or a gap per lot of less than 10⁻⁶ USD: closing lots would move no money.
    """
    if not winners:
        raise InputError("expected at least one winner, found none")
    if len({type(winner.id) for winner in winners}) > 1:
        raise InputError("ids of winners are all numbers or all names: ties go to the lower one", field="id")
    if len({winner.id for winner in winners}) < len(winners):
        raise InputError("expected every winner once, found an id twice", field="id")
    rows = sorted(winners, key=lambda winner: winner.id)
    for row in rows:
        row.check()
    if not 0 <= start < len(rows):
        raise InputError(f"expected a start of 0 … {len(rows) - 1}, found {start}", field="start")
    step = exact(lot, "lot")
    if step <= 0:
        raise InputError(f"expected a lot > 0, found {lot}", field="lot")
    endowment = tuple(max(0, _down(min(row.profit_usd, exact(row.equity, "equity")))) for row in rows)
    money = [_money(row) for row in rows]
    return Claims(
        ids=tuple(row.id for row in rows),
        endowment=endowment,
        cap=tuple((exact(r.cap, "cap") * w).__floor__() for r, w in zip(rows, endowment, strict=True)),
        equity=tuple(_down(exact(row.equity, "equity")) for row in rows),
        leverage_ppb=tuple(_leverage_ppb(row) for row in rows),
        lots=tuple((exact(row.size, "size") / step).__floor__() for row in rows),
        gap=0 if execution is None else _gap(rows, exact(execution, "execution"), step),
        scores={rank: tuple(_scores(rank, rows, money, start)) for rank in AdlRank},
    )


def _leverage_ppb(row: Winner) -> int:
    """λ = N ÷ E in 10⁻⁹, rounded down; 0 where there is no equity."""
    equity = exact(row.equity, "equity")
    return (row.notional_usd / equity * PPB).__floor__() if equity > 0 else 0


def _gap(rows: Sequence[Winner], execution: Fraction, lot: Fraction) -> int:
    """Cost of closing one lot at the execution price [uusd], rounded down (in favour of winners)."""
    marks = {exact(row.mark, "mark") for row in rows}
    if len(marks) > 1:
        raise InputError(
            f"an execution price is of one market: expected one mark, found {sorted(map(float, marks))}",
            field="mark",
        )
    (mark,) = marks
    if execution < 0 or any(row.sign * (mark - execution) < 0 for row in rows):
        raise InputError(
            f"expected an execution price at which winners are worse off than at mark {float(mark)}, "
            f"found {float(execution)}",
            hint="long winners are closed below mark, short ones above",
            field="execution",
        )
    gap = _down(abs(mark - execution) * lot)
    if gap == 0 and execution != mark:
        raise UnitError(
            f"a lot of {float(lot)} coins costs less than 10⁻⁶ USD at {float(execution)}",
            hint="choose a larger lot",
        )
    return gap


def _money(row: Winner) -> tuple[int, ...]:
    """What scores read [uusd, nearest]: profit, entry value, notional, collateral, two margins, equity."""
    profit = row.profit_usd
    equity = exact(row.equity, "equity")
    collateral = equity - profit if row.collateral is None else exact(row.collateral, "collateral")
    first = collateral if row.initial_margin is None else exact(row.initial_margin, "initial_margin")
    return (
        uusd(profit),
        uusd(exact(row.entry, "entry") * exact(row.size, "size")),
        uusd(row.notional_usd),
        uusd(collateral),
        uusd(first),
        uusd(exact(row.margin, "margin")),
        uusd(equity),
    )


def _scores(
    rank: AdlRank, rows: Sequence[Winner], money: Sequence[tuple[int, ...]], start: int
) -> list[float]:
    """Scores by the function that the engine ranks with."""
    points = []
    for place, (row, amounts) in enumerate(zip(rows, money, strict=True)):
        profit, entry_value, notional, collateral, first, margin, equity = amounts
        points.append(
            adl_rank_score(
                int(rank),
                row.side == "long",
                profit,
                entry_value,
                notional,
                collateral,
                first,
                margin,
                equity,
                place,
                start,
                len(rows),
            )
        )
    return points
