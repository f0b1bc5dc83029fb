"""Which policies are there, by name? Each says from winners and a budget what every winner gives up [uusd].

Every policy takes from profits only, never more than a winner's cap, and covers the budget to the last uusd
when all caps together can. Those that close whole lots cover it with less than one lot's gap too much.

Sources: Chitra, "Autodeleveraging: impossibilities and optimization" (arXiv 2512.01112, third version);
"ADL as online learning" (arXiv 2602.15182); the venues' own rules for the queues (see `ranks`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from deleverage.errors import InputError
from deleverage.venues.adl.allocate import fill_queue, fill_water, project
from deleverage.venues.adl.contracts import lots_needed, min_max_lots, pro_rata_lots
from deleverage.venues.adl.winners import PPB, Claims
from deleverage.venues.rules import AdlRank

DEFAULT_SHOCKS = tuple(Fraction(percent, 100) for percent in (-50, -40, -30, -20, -10))
"""Next moves against winners, equally likely, by which `risk_aware` weighs: assumed, not measured."""


@dataclass(frozen=True)
class Policy:
    """A policy: name, formula in words, whether it closes whole lots, and the function."""

    name: str
    formula: str
    takes: Callable[[Claims, int], list[int]]
    whole_lots: bool = False


def queue(claims: Claims, budget: int, scores: Sequence[float]) -> list[int]:
    """In falling order of scores, ties by id, each gives all it can: x = min(cap, what is left)."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    return fill_queue(budget, order, claims.cap)


def pro_rata(claims: Claims, budget: int) -> list[int]:
    """x_i = w_i·B ÷ U: the same share of every profit. Personal caps are not read."""
    return fill_water(budget, claims.endowment, claims.endowment)


def capped_pro_rata(claims: Claims, budget: int) -> list[int]:
    """h_i = min(η, β_i) with Σ h_i·w_i = B: water-filling up to everybody's own cap."""
    return fill_water(budget, claims.endowment, claims.cap)


def weighted_pro_rata(claims: Claims, budget: int, weights: Sequence[int]) -> list[int]:
    """h_i = min(β_i, τ·weight_i) with the τ at which Σ h_i·w_i = B."""
    loads = [weight * w for weight, w in zip(weights, claims.endowment, strict=True)]
    return fill_water(budget, loads, claims.cap)


def levered_pro_rata(claims: Claims, budget: int) -> list[int]:
    """Weight λ_i = N_i ÷ E_i. Normalised to the budget: the printed rule divides by Σ λw twice."""
    return weighted_pro_rata(claims, budget, claims.leverage_ppb)


def risk_weight_ppb(leverage_ppb: int, shocks: Sequence[Fraction]) -> int:
    """ρ(λ) = λ·E[(1 ÷ λ + Z)₋] = E[(1 + λ·Z)₋] in 10⁻⁹, rounded down, Z equally likely among ``shocks``.

    The loss beyond its equity that a winner's next move is expected to leave, per USD of equity. Z is the
    return in the direction of the position (< 0: against it).
    """
    leverage = Fraction(leverage_ppb, PPB)
    losses = sum((max(Fraction(0), -1 - leverage * shock) for shock in shocks), Fraction(0))
    return (losses / len(shocks) * PPB).__floor__()


def risk_aware(claims: Claims, budget: int, shocks: Sequence[Fraction] = DEFAULT_SHOCKS) -> list[int]:
    """(RAP) weight ρ(λ_i): see `risk_weight_ppb`; who bears no risk gives only what the others cannot."""
    if not shocks:
        raise InputError("expected at least one shock, found none", field="shocks")
    return weighted_pro_rata(claims, budget, [risk_weight_ppb(lev, shocks) for lev in claims.leverage_ppb])


def vector(
    claims: Claims,
    budget: int,
    *,
    start_ppb: Sequence[int] | None = None,
    gradient_ppb: Sequence[int] | None = None,
    step: Fraction = Fraction(15, 100),
) -> list[int]:
    """(mirror descent) one step: project start − step·gradient on {cᵀx = B, 0 ≤ x ≤ 1}, c the caps; take c·x.

    start, gradient : shares of the round before and slope of the loss, both in 10⁻⁹; 0 when not given, as in
    the published program. From there the Euclidean projection is x ∝ c: it takes by the *square* of the
    endowment, more from the few large winners than pro-rata does. The published loop divides the step by
    √round: who plays several rounds passes that.
    """
    count = len(claims.ids)
    start = start_ppb or [0] * count
    slope = gradient_ppb or [0] * count
    # A point is read in 10⁻⁹, rounded down.
    point = [at - (step * g).__floor__() for at, g in zip(start, slope, strict=True)]
    return project(budget, claims.cap, point, PPB)


def contract_pro_rata(claims: Claims, budget: int) -> list[int]:
    """k_i lots of the Q = ceil(B ÷ gap) in proportion to lots held; takes k_i·gap."""
    lots = contract_lots(claims, budget)
    return [k * claims.gap for k in lots]


def contract_lots(claims: Claims, budget: int) -> list[int]:
    """Lots that `contract_pro_rata` closes."""
    return pro_rata_lots(lots_needed(budget, _gap(claims)), claims.lots, claims.most_lots)


def min_max(claims: Claims, budget: int) -> list[int]:
    """Whole lots with the least possible largest share of equity, max_i k_i·gap ÷ E_i; takes k_i·gap."""
    lots = min_max_closed(claims, budget)
    return [k * claims.gap for k in lots]


def min_max_closed(claims: Claims, budget: int) -> list[int]:
    """Lots that `min_max` closes. Who has no equity closes none."""
    gap = _gap(claims)
    most = [q if e > 0 else 0 for q, e in zip(claims.most_lots, claims.equity, strict=True)]
    bases = [max(e, 1) for e in claims.equity]
    return min_max_lots(budget, [gap] * len(most), most, bases)[0]


def _gap(claims: Claims) -> int:
    if claims.gap <= 0:
        raise InputError(
            "policies that close lots need an execution price away from mark",
            hint="give `execution` [USD per coin]",
            field="execution",
        )
    return claims.gap


_QUEUES = {
    AdlRank.PROFIT_TIMES_MARGIN_RATIO: "profit ÷ collateral × maintenance margin ÷ equity (Binance)",
    AdlRank.LEVERAGED_RETURN: "profit ÷ entry value × notional ÷ equity (Bybit)",
    AdlRank.PROFIT_RATIO_OVER_MARGIN_RATIO: "profit ÷ initial margin, ÷ (equity ÷ maintenance margin) (OKX)",
    AdlRank.PRICE_RATIO_TIMES_LEVERAGE: "mark ÷ entry (shorts: inverse) × notional ÷ equity (Hyperliquid)",
    AdlRank.RANDOM_START: "in the order of ids from a drawn one on (dYdX)",
    AdlRank.PROFIT_TIMES_LEVERAGE: "return × leverage, on signed values (BitMEX)",
}


def _queue_by(rank: AdlRank) -> Policy:
    def takes(claims: Claims, budget: int) -> list[int]:
        return queue(claims, budget, claims.scores[rank])

    return Policy(f"queue-{rank.name.lower().replace('_', '-')}", f"queue: {_QUEUES[rank]}", takes)


_ALL = (
    *(_queue_by(rank) for rank in AdlRank),
    Policy("pro-rata", "x_i = w_i·B ÷ U", pro_rata),
    Policy("capped-pro-rata", "h_i = min(η, β_i)", capped_pro_rata),
    Policy("levered-pro-rata", "h_i = min(β_i, τ·λ_i)", levered_pro_rata),
    Policy("risk-aware", "h_i = min(β_i, τ·ρ(λ_i))", risk_aware),
    Policy("vector", "projection on {cᵀx = B, 0 ≤ x ≤ 1}", vector),
    Policy("contract-pro-rata", "k_i ∝ lots_i, Σ k_i = ceil(B ÷ gap)", contract_pro_rata, whole_lots=True),
    Policy("min-max", "least max_i k_i·gap ÷ E_i, whole lots", min_max, whole_lots=True),
)

policies: Mapping[str, Policy] = MappingProxyType({policy.name: policy for policy in _ALL})
"""Every policy by name."""
