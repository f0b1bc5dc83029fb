"""The order book of one market: how far a quantity moves the price, and at what average price it trades.

Everything is measured from an anchor price A by the log distance u (u > 0 below the anchor, u < 0 above).
The coins that the book absorbs between the anchor and u are

    B(u) = ρ·u + ½·Λ·u²        bids, u ≥ 0; the same with offers and a minus sign for u < 0

with ρ displayed (and hidden) lots per unit of log price and Λ the revealed slope of latent depth.
Selling q from u₀ ends at u₁ = B⁻¹(B(u₀) + q), and the price is P = A·e^(−u). There is no second impact
term: the book is walked once. Source: `science.md` §2.4–2.5 of the design notes (square-root law,
Obizhaeva–Wang), where B(u) joins the linear displayed and the quadratic latent book.

Only + − × ÷ √ are used, so that the bits do not depend on a maths library: e^(−u) is the eighth power of the
Padé(2,2) approximant at u/8 (relative error 10⁻⁸ at |u| = 0.5, 1.1·10⁻⁵ at |u| = 2), its exact inverse the
logarithm.
"""

from __future__ import annotations

import math

from deleverage.jit import kernel

U_MAX = 20.0
"""Largest displacement: the price is then 2·10⁻⁹ of the anchor, nothing is left to trade."""


@kernel
def exp_neg(u: float) -> float:
    """e^(−u), rational."""
    if u > U_MAX:
        u = U_MAX
    if u < -U_MAX:
        u = -U_MAX
    x = u / 8.0
    r = (12.0 - 6.0 * x + x * x) / (12.0 + 6.0 * x + x * x)
    r = r * r
    r = r * r
    return r * r


@kernel
def log_distance(ratio: float) -> float:
    """U with e^(−u) = ratio ≥ 0: the inverse of `exp_neg`, clipped like it."""
    if ratio <= exp_neg(U_MAX):
        return U_MAX
    if ratio >= exp_neg(-U_MAX):
        return -U_MAX
    s = math.sqrt(math.sqrt(math.sqrt(ratio)))
    x = (
        24.0
        * (1.0 - s)
        / (6.0 * (1.0 + s) + math.sqrt(36.0 * (1.0 + s) * (1.0 + s) - 48.0 * (1.0 - s) * (1.0 - s)))
    )
    return 8.0 * x


@kernel
def absorbed(u: float, bid: float, ask: float, latent: float) -> float:
    """B(u) [lots], signed: what selling has consumed (> 0) or buying (< 0) at displacement u."""
    if u >= 0.0:
        return u * (bid + 0.5 * latent * u)
    return u * (ask - 0.5 * latent * u)


@kernel
def displacement(lots: float, bid: float, ask: float, latent: float) -> float:
    """B⁻¹(lots), clipped to ±`U_MAX`."""
    if lots >= 0.0:
        u = 2.0 * lots / (bid + math.sqrt(bid * bid + 2.0 * latent * lots))
        return u if u < U_MAX else U_MAX
    u = 2.0 * lots / (ask + math.sqrt(ask * ask - 2.0 * latent * lots))
    return u if u > -U_MAX else -U_MAX


@kernel
def segment_price(u0: float, u1: float, density: float, latent: float) -> float:
    """Mean of e^(−u) from u₀ to u₁ on one side of the anchor, weighted by the coins at each u (Simpson)."""
    middle = 0.5 * (u0 + u1)
    first = density + latent * abs(u0)
    centre = 4.0 * (density + latent * abs(middle))
    last = density + latent * abs(u1)
    prices = first * exp_neg(u0) + centre * exp_neg(middle) + last * exp_neg(u1)
    return prices / (first + centre + last)


@kernel
def average_price(u0: float, lots: float, bid: float, ask: float, latent: float) -> float:
    """Mean of e^(−u) over a walk of ``lots`` (> 0 sold) from u₀; times the anchor it is the VWAP.

    The coins at u have density ρ + Λ|u|, linear in u, so Simpson's rule weighs them exactly; a walk across
    the anchor is two walks.
    """
    start = absorbed(u0, bid, ask, latent)
    u1 = displacement(start + lots, bid, ask, latent)
    if u0 >= 0.0 and u1 >= 0.0:
        return segment_price(u0, u1, bid, latent)
    if u0 <= 0.0 and u1 <= 0.0:
        return segment_price(u0, u1, ask, latent)
    end = start + lots
    near = segment_price(u0, 0.0, bid if u0 > 0.0 else ask, latent)
    far = segment_price(0.0, u1, bid if u1 > 0.0 else ask, latent)
    return (near * abs(start) + far * abs(end)) / (abs(start) + abs(end))
