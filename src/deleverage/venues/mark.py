"""The mark price: the venue's median rule, and the funding rate that enters it.

Binance since 2025-09-18 (source: notice of that day): mark = median(P1, P2, contract price) with
P1 = index·(1 + last funding rate · time left / interval) and P2 = index + mean of (mid − index) over a window
of
one sample a second. All in ticks, divisions rounded down.
"""

from __future__ import annotations

from deleverage.jit import kernel
from deleverage.units import PPB


@kernel
def median_mark(
    index: int, basis_sum: int, window: int, contract: int, funding_ppb: int, left_s: int, interval_s: int
) -> int:
    """Mark price from index, sum of the window's basis samples and contract price, all in ticks."""
    # floor(index · F · left / (10⁹ · interval)) in two parts: the whole product would not fit into an int64.
    scaled = index * funding_ppb
    share = (scaled // PPB) * left_s + ((scaled % PPB) * left_s) // PPB
    p1 = index + share // interval_s
    p2 = index + basis_sum // window
    return middle(p1, p2, contract)


@kernel
def middle(a: int, b: int, c: int) -> int:
    """Median of three."""
    low = min(a, b)
    high = max(a, b)
    return max(low, min(high, c))


@kernel
def funding_rate_ppb(premium_ppb: int, interest_ppb: int, clamp_ppb: int, interval_h: int) -> int:
    """F = [P + clamp(I − P, ±c)] / (8 / N) [ppb per interval of N hours]; > 0 means longs pay."""
    difference = interest_ppb - premium_ppb
    clamped = max(-clamp_ppb, min(clamp_ppb, difference))
    return ((premium_ppb + clamped) * interval_h) // 8
