"""Formulas of prices: the book, the mark, funding. Plain numbers in, plain numbers out.

A book stands about an anchor price A. Distances are log distances u below it (u < 0: above), and the lots
that the book has absorbed between the anchor and u are

    B(u) = ρ·u + ½·Λ·u²        bids, u ≥ 0; offers the same with a minus sign for u < 0

so selling q from u₀ ends at B⁻¹(B(u₀) + q), at the price A·e^(−u). Floats use + − × ÷ √ only, so every
step below has one result on every machine.
"""

from __future__ import annotations

from math import sqrt

U_MAX = 20.0
PPB = 1_000_000_000


def exp_neg(u: float) -> float:
    """e^(−u): Padé(2,2) at u/8, to the eighth power."""
    u = max(-U_MAX, min(U_MAX, u))
    x = u / 8.0
    r = (12.0 - 6.0 * x + x * x) / (12.0 + 6.0 * x + x * x)
    r = r * r
    r = r * r
    return r * r


def log_distance(ratio: float) -> float:
    """The u at which `exp_neg` is ``ratio``."""
    if ratio <= exp_neg(U_MAX):
        return U_MAX
    if ratio >= exp_neg(-U_MAX):
        return -U_MAX
    s = sqrt(sqrt(sqrt(ratio)))
    root = sqrt(36.0 * (1.0 + s) * (1.0 + s) - 48.0 * (1.0 - s) * (1.0 - s))
    return 8.0 * (24.0 * (1.0 - s) / (6.0 * (1.0 + s) + root))


def absorbed(u: float, bid: float, ask: float, latent: float) -> float:
    """B(u) [lots]."""
    return u * (bid + 0.5 * latent * u) if u >= 0.0 else u * (ask - 0.5 * latent * u)


def displacement(lots: float, bid: float, ask: float, latent: float) -> float:
    """B⁻¹(lots), at most ±U_MAX."""
    if lots >= 0.0:
        return min(2.0 * lots / (bid + sqrt(bid * bid + 2.0 * latent * lots)), U_MAX)
    return max(2.0 * lots / (ask + sqrt(ask * ask - 2.0 * latent * lots)), -U_MAX)


def segment_price(u0: float, u1: float, density: float, latent: float) -> float:
    """Mean of e^(−u) between u₀ and u₁, both on one side, weighted by the coins at each u (Simpson)."""
    middle = 0.5 * (u0 + u1)
    first = density + latent * abs(u0)
    centre = 4.0 * (density + latent * abs(middle))
    last = density + latent * abs(u1)
    prices = first * exp_neg(u0) + centre * exp_neg(middle) + last * exp_neg(u1)
    return prices / (first + centre + last)


def average_price(u0: float, lots: float, bid: float, ask: float, latent: float) -> float:
    """VWAP ÷ anchor of selling ``lots`` (< 0: buying) from u₀; a walk across the anchor is two walks."""
    start = absorbed(u0, bid, ask, latent)
    end = start + lots
    u1 = displacement(end, bid, ask, latent)
    if u0 >= 0.0 and u1 >= 0.0:
        return segment_price(u0, u1, bid, latent)
    if u0 <= 0.0 and u1 <= 0.0:
        return segment_price(u0, u1, ask, latent)
    near = segment_price(u0, 0.0, bid if u0 > 0.0 else ask, latent)
    far = segment_price(0.0, u1, bid if u1 > 0.0 else ask, latent)
    return (near * abs(start) + far * abs(end)) / (abs(start) + abs(end))


def median_mark(
    index: int, mean_basis: int, contract: int, funding_ppb: int, left_s: int, interval_s: int
) -> int:
    """Mark [ticks]: the median of two prices about the index and the contract's own."""
    with_funding = index + (index * funding_ppb * left_s) // (PPB * interval_s)
    with_basis = index + mean_basis
    return sorted((with_funding, with_basis, contract))[1]


def funding_rate_ppb(premium_ppb: int, interest_ppb: int, clamp_ppb: int, hours: int, cap_ppb: int) -> int:
    """F = [P + clamp(I − P, ±c)] · hours/8, at most ± the cap [ppb]; > 0: longs pay."""
    clamped = max(-clamp_ppb, min(clamp_ppb, interest_ppb - premium_ppb))
    rate = (premium_ppb + clamped) * hours // 8
    return max(-cap_ppb, min(cap_ppb, rate))
