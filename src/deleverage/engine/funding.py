"""Funding: what longs pay shorts at the venue's hours, and the premium that sets the rate.

payment = q·m·v·F, F > 0: longs pay; of an inverse market q·⌈k/m⌉·F, in coins. What is owed is rounded up and
what is received rounded down; the difference goes to the insurance fund of the market.
"""

from __future__ import annotations

from deleverage.engine.ledger import fund_of, pay
from deleverage.engine.state import Setting
from deleverage.jit import kernel
from deleverage.units import PPB, mul_rate_up
from deleverage.venues.mark import funding_rate_ppb


@kernel
def sample_premium(s: Setting) -> None:
    """Once a second: add (mid − index) ÷ index [ppb] to the running mean."""
    live = s.live
    for k in range(s.markets.count):
        if live.index[k] > 0:
            live.premium_sum[k] += ((live.mid[k] - live.index[k]) * PPB) // live.index[k]
    for v in range(s.venues.count):
        live.premium_count[v] += 1


@kernel
def pay_funding(s: Setting, venue: int) -> None:
    """Settle a venue's interval: new rates from the mean premium, every position pays or receives."""
    live = s.live
    hours = s.venues.funding_interval_s[venue] // 3600
    cap = s.venues.cap_ppb[venue]
    for k in range(s.venues.first[venue], s.venues.end[venue]):
        premium = live.premium_sum[k] // max(live.premium_count[venue], 1)
        rate = funding_rate_ppb(premium, s.venues.interest_ppb[venue], s.venues.clamp_ppb[venue], hours)
        rate = max(-cap, min(cap, rate))
        live.funding_ppb[k] = rate
        live.premium_sum[k] = 0
        received = 0
        for i in range(s.venues.row_first[venue], s.venues.row_end[venue]):
            row = s.rows[i]
            size = s.size[row, k]
            if size != 0:
                value = size * abs(s.live.unit[k])
                owed = mul_rate_up(value, rate, PPB) if rate >= 0 else mul_rate_up(-value, -rate, PPB)
                pay(s, row, -owed)
                received += owed
        pay(s, fund_of(s, k), received)
    live.premium_count[venue] = 0
    s.tally.funding_payments += 1
    live.sort_again[venue] = 1
