"""Which figures does an answer have, and under which names?"""

from __future__ import annotations

from deleverage.experiment.answer import Answer
from deleverage.report.figures import attribution, flow, forced, liquidity, price, published, tipping
from deleverage.report.figures.canvas import Drawing
from deleverage.report.figures.series import Series

__all__ = ["Drawing", "draw_all"]


def draw_all(answer: Answer) -> dict[str, Drawing]:
    """Every figure of the note by name, in the order of its sections.

    Names: price, price_others (from two markets on), liquidations, depth, open_interest, ledger, map,
    tipping, shares, share_by_shock, published. matplotlib is imported here and not before.
    """
    series = Series(answer)
    first, others = series.markets[0], series.markets[1:]
    drawings = {"price": price.draw(series, first)}
    if others:
        drawings["price_others"] = price.draw_others(series, others)
    drawings |= {
        "liquidations": forced.draw(series),
        "depth": liquidity.draw_depth(series),
        "open_interest": liquidity.draw_open_interest(series),
        "ledger": flow.draw(series),
        "map": tipping.draw_map(series, first),
        "tipping": tipping.draw_depth_multiples(series),
        "shares": attribution.draw(series, first),
        "share_by_shock": attribution.draw_by_shock(series),
        "published": published.draw(series),
    }
    return drawings
