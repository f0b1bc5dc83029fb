"""Is the sentence true? A file of claims in, a verdict for each out. The room itself can be called:

import deleverage as dl
found = dl.claims("nov-2025", dl.Lake.open("lake"), run="out")
found["claims"][3]["verdict"]
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deleverage.measure.asof import Tables


def claims(
    claims: str | Path,
    lake: Tables | str | Path,
    *,
    run: str | Path | None = None,
    at_ns: int | None = None,
    today: date | None = None,
) -> dict[str, Any]:
    """Check a file of claims; what `deleverage claims --json` prints.

    Parameters
    ----------
    claims : name of embedded claims ('nov-2025'), or path of a TOML file.
    lake : a lake, its folder, or frames.
    run : folder of a stored run, for what the engine answers.
    at_ns : judge all as of this moment [ns UTC] instead of their own dates.
    today : no claim may be dated later.

    Raises
    ------
    InputError
        the file is not usable.
    MissingDataError
        a claim is dated after the newest data of the lake.
    """
    from deleverage.claims.answer import to_dict
    from deleverage.claims.check import check
    from deleverage.claims.followed import happened
    from deleverage.data.lake import Lake

    source = Lake.open(lake) if isinstance(lake, str | Path) else lake
    return to_dict(check(claims, source, run=run, at_ns=at_ns, today=today, happened=happened))


class _Callable(ModuleType):
    """`dl.claims(...)` is the contract, and `claims` is the name of this room, too."""

    def __call__(self, *given: Any, **named: Any) -> dict[str, Any]:
        return claims(*given, **named)


sys.modules[__name__].__class__ = _Callable
