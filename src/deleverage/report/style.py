"""How does a number, a moment or a colour look, wherever it is shown?

Pure functions from numbers to text. Three rules hold everywhere:
a value that was not observed is said so and never drawn as zero; the minus is a true minus and a unit
follows after a thin space that does not break; and the interval decides the digits, since a digit that the
interval does not support is a claim that nobody made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

Interval = Mapping[str, float | None]
"""``{"p05": ..., "p50": ..., "p95": ...}`` over the seeds."""

MISSING = "not observed"
MINUS = "\N{MINUS SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"
DASH = "\N{EN DASH}"

# --- colours: safe for the common kinds of colour blindness, and never the only carrier of meaning ---

LONG = "#D1495B"
SHORT = "#1B998B"
INK = "#1D232A"
BAND = "#5B8DEF"
BAND_ALPHA = 0.20
BAND_INK = "#2B5FC7"
"""The simulated median: the band's hue, dark enough to read as a line on paper."""
COUNTERFACTUAL = "#9AA4B2"
COUNTERFACTUAL_INK = "#5F6B7A"
"""Words about the counterfactual: its own grey is too light for text."""
WARNING = "#F2A541"
WARNING_INK = "#8A5200"
MUTED = "#5A6672"
RULE = "#DDE2E7"
PAPER = "#FFFFFF"

_USD_SCALES = ((1e12, "tn"), (1e9, "bn"), (1e6, "m"), (1e3, "k"), (1.0, ""))
_SIGNIFICANT = 3


def observed(value: float | None) -> bool:
    """True when the value is there and finite."""
    return value is not None and math.isfinite(value)


def parts(interval: Interval | None) -> tuple[float, float, float] | None:
    """(p05, p50, p95), or None when any of them was not observed."""
    if interval is None:
        return None
    low, middle, high = interval.get("p05"), interval.get("p50"), interval.get("p95")
    if low is None or middle is None or high is None or not all(map(math.isfinite, (low, middle, high))):
        return None
    return low, middle, high


def decimals(width: float) -> int:
    """Decimals that an interval of this width supports: two significant digits of the width itself.

    Negative where the width is large: -2 rounds to hundreds. A width of zero says nothing and gives none.
    """
    if not math.isfinite(width) or width <= 0:
        return 0
    return max(-12, min(3, 1 - math.floor(math.log10(width))))


def number(value: float | None, places: int = 0) -> str:
    """Grouped, with ``places`` decimals (negative rounds left of the point) and a true minus: `−1,234.5`."""
    if value is None or not math.isfinite(value):
        return MISSING
    rounded = round(value, places)
    text = f"{abs(rounded):,.{max(places, 0)}f}"
    return f"{MINUS}{text}" if rounded < 0 else text


def significant(value: float | None, digits: int = _SIGNIFICANT) -> str:
    """Rounded to so many significant digits, never in powers of ten: `0.0123`, `12,300`."""
    if value is None or not math.isfinite(value):
        return MISSING
    return number(value, _places(value, digits)) if value else "0"


def with_unit(text: str, unit: str) -> str:
    """`12 %`: the number, a thin space that does not break, the unit."""
    return text if not unit or text == MISSING else f"{text}{THIN}{unit}"


def usd(value: float | None, *, digits: int = _SIGNIFICANT) -> str:
    """`$19.1 bn`, `$382 m`, `−$0.2 bn`, `$0`."""
    if value is None or not math.isfinite(value):
        return MISSING
    scale, unit = _usd_scale(value, digits)
    places = max(_places(value / scale, digits), 0) if value else 0
    return _dollars(number(value / scale, places if scale > 1 else min(places, 2)), unit)


def usd_interval(interval: Interval | None) -> str:
    """`$1.9 bn [1.2, 3.3]`; the largest end chooses the scale, the width chooses the digits."""
    found = parts(interval)
    if found is None:
        return MISSING
    low, middle, high = found
    if low == high:
        return usd(middle)
    scale, unit = _usd_scale(max(map(abs, found)), 2)
    places = decimals((high - low) / scale)
    middle_text = _dollars(number(middle / scale, places), unit)
    return f"{middle_text} [{number(low / scale, places)}, {number(high / scale, places)}]"


def percent(share: float | None, places: int | None = None) -> str:
    """A share as `−13.1 %`; without ``places`` at most one decimal, and none from 10 % on."""
    if share is None or not math.isfinite(share):
        return MISSING
    value = share * 100
    if places is None:
        places = 0 if round(abs(value), 1) >= 10 or value == 0 else 1
    return with_unit(number(value, places), "%")


def percent_interval(interval: Interval | None, *, sign: int = 1) -> str:
    """`54 % [38, 70]`; ``sign=-1`` shows a drop as the fall that it is: `−13.1 % [−15.8, −11.2]`."""
    found = parts(interval)
    if found is None:
        return MISSING
    low, middle, high = sorted(100 * sign * value for value in found)
    if low == high:
        return percent(middle / 100)
    places = decimals(high - low)
    return f"{with_unit(number(middle, places), '%')} [{number(low, places)}, {number(high, places)}]"


def fall(interval: Interval | None) -> str:
    """A drop, which is stored positive, with its interval: `−13.1 % [−15.8, −11.2]`."""
    return percent_interval(interval, sign=-1)


def fall_point(share: float | None, places: int = 1) -> str:
    """One drop without an interval: `−13.1 %`."""
    return percent(-share if share is not None else None, places)


def plain_interval(interval: Interval | None, unit: str = "") -> str:
    """`0.42 [0.21, 0.76]`, `1.6× [1.3, 2.2]`, `21,900 coins [15,000, 30,000]`."""
    found = parts(interval)
    if found is None:
        return MISSING
    low, middle, high = found
    glue = f"{THIN}{unit}" if unit not in ("", "×") else unit
    if low == high:
        return f"{significant(middle)}{glue}"
    places = decimals(high - low)
    return f"{number(middle, places)}{glue} [{number(low, places)}, {number(high, places)}]"


def coins(value: float | None, coin: str = "coins") -> str:
    """`128,739 BTC`; below a hundred with three significant digits."""
    if value is None or not math.isfinite(value):
        return MISSING
    return with_unit(number(value) if abs(value) >= 100 else significant(value), coin)


def price(value: float | None) -> str:
    """A price without its unit: `116,837`, `205.96`, `2.790`."""
    if value is None or not math.isfinite(value):
        return MISSING
    return number(value, 0 if abs(value) >= 1000 else 2 if abs(value) >= 10 else 3)


def duration(seconds: float | None) -> str:
    """`61.7 s`, `31 min`, `2 h 05 min`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if abs(seconds) < 120:
        return with_unit(significant(seconds), "s")
    minutes = round(abs(seconds) / 60)
    sign = MINUS if seconds < 0 else ""
    if minutes < 120:
        return f"{sign}{minutes}{THIN}min"
    return f"{sign}{minutes // 60}{THIN}h {minutes % 60:02d}{THIN}min"


def duration_interval(interval: Interval | None) -> str:
    """`28 min [23, 34]`."""
    found = parts(interval)
    if found is None:
        return MISSING
    low, middle, high = found
    if low == high or max(map(abs, found)) < 120:
        return plain_interval(interval, "s")
    return f"{number(middle / 60)}{THIN}min [{number(low / 60)}, {number(high / 60)}]"


def quantity(value: float | None, unit: str) -> str:
    """A published or simulated value in its own unit."""
    match unit:
        case "USD":
            return usd(value)
        case "USD/coin":
            return MISSING if not observed(value) else f"${price(value)}"
        case "share":
            return percent(value, 1)
        case "s":
            return duration(value)
        case "coins":
            return coins(value)
        case _:
            return with_unit(significant(value), unit)


def quantity_interval(interval: Interval | None, unit: str) -> str:
    """The same with its interval."""
    match unit:
        case "USD":
            return usd_interval(interval)
        case "USD/coin":
            text = plain_interval(interval)
            return text if text == MISSING else f"${text}"
        case "share":
            return percent_interval(interval)
        case "s":
            return duration_interval(interval)
        case _:
            return plain_interval(interval, unit)


def moment(value: str | int | None) -> datetime | None:
    """An ISO text or nanoseconds as a moment in UTC; None when not observed."""
    if value is None:
        return None
    if isinstance(value, int):
        return datetime.fromtimestamp(value / 1e9, tz=UTC)
    parsed = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def clock(value: str | int | None, *, seconds: bool = False) -> str:
    """`21:15` or `21:15:03`, always UTC."""
    when = moment(value)
    return MISSING if when is None else when.strftime("%H:%M:%S" if seconds else "%H:%M")


def day(value: str | int | None) -> str:
    """`10 October 2025`."""
    when = moment(value)
    return MISSING if when is None else f"{when.day} {when.strftime('%B %Y')}"


def _places(value: float, digits: int) -> int:
    """Decimals that leave ``digits`` significant digits, after the rounding itself."""
    if value == 0:
        return 0
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return digits - 1 - math.floor(math.log10(abs(round(value, places))))


def _usd_scale(value: float, digits: int) -> tuple[float, str]:
    """The scale under which the rounded value reads best: 999.6 million is one billion."""
    if value:
        value = round(value, _places(value, digits))
    for scale, unit in _USD_SCALES:
        if abs(value) >= scale:
            return scale, unit
    return 1.0, ""


def _dollars(text: str, unit: str) -> str:
    text = f"{MINUS}${text[1:]}" if text.startswith(MINUS) else f"${text}"
    return with_unit(text, unit)
