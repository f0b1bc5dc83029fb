"""What others computed out of a night of auto-deleveraging: deficits, budgets and reactions, by wave and
account.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from deleverage.data.importers.base import NO_NAME, ROW, Defect, Importer, Loaded, SourceFile, has_columns
from deleverage.data.importers.csv_text import header_of, read_csv
from deleverage.data.importers.json_text import read_document
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import indicators, moments

if TYPE_CHECKING:
    import polars as pl

_PUBLISHER = "pluriholonomic"
_ISO = "%Y-%m-%d %H:%M:%S%.f%:z"
_SHOCKS = ("coin", "cluster_id", "t_start", "t_end", "deficit_usd", "budget_queue_usd", "overshoot_queue_usd")
_WAVES = ("wave", "t_start", "t_end", "budget_needed", "deficit_usd")
_LOSERS = ("wave", "t_start_ms", "t_end_ms", "unique_losers", "deficit_usd", "max_loss_usd")
_TOTALS = ("policy", "total_residual", "total_overshoot")
_REACTIONS = ("user", "n_adl_events", "median_latency_ms", "strategic_score")
_DERIVED = Defect(
    "derived-data",
    "figures that somebody computed out of other data, not observations",
    "kept as indicators under who computed them",
)
_NO_TIME = "figures without a time, and no table of waves beside them tells it"


def _frame(source: SourceFile, texts: tuple[str, ...]) -> pl.DataFrame:
    names = header_of(source)
    return read_csv(source, {name: "String" if name in texts else "Float64?" for name in names})


def _values(frame: pl.DataFrame, left: tuple[str, ...]) -> dict[str, tuple[pl.Expr, str]]:
    import polars as pl

    names = [name for name in frame.columns if name not in (*left, ROW, "time_ns")]
    return {
        f"adl_{name}": (pl.col(name), "USD" if name.endswith("_usd") else "as published") for name in names
    }


def load_shocks(source: SourceFile) -> Loaded:
    """One row a coin and shock."""
    import polars as pl

    frame = moments(_frame(source, ("coin", "t_start", "t_end")), source, "t_start", _ISO)
    rows = indicators(
        frame,
        _PUBLISHER,
        _values(frame, ("coin", "cluster_id", "t_start", "t_end")),
        interval_s=0,
        venue="hyperliquid",
        symbol=pl.col("coin"),
    )
    return Loaded([rows], [_DERIVED])


def load_waves(source: SourceFile) -> Loaded:
    """One row a wave; the policies are in the names."""
    frame = moments(_frame(source, ("t_start", "t_end")), source, "t_start", _ISO)
    values = {f"{name}_wave": value for name, value in _values(frame, ("wave", "t_start", "t_end")).items()}
    return Loaded([indicators(frame, _PUBLISHER, values, interval_s=0, venue="hyperliquid")], [_DERIVED])


def load_losers(source: SourceFile) -> Loaded:
    """Deficits by wave."""
    import polars as pl

    frame = _frame(source, ()).with_columns(
        (pl.col("t_start_ms").cast(pl.Int64) * 1_000_000).alias("time_ns")
    )
    values = {f"{n}_bad_debt": v for n, v in _values(frame, ("wave", "t_start_ms", "t_end_ms")).items()}
    return Loaded([indicators(frame, _PUBLISHER, values, interval_s=0, venue="hyperliquid")], [_DERIVED])


def load_totals(source: SourceFile) -> Loaded:
    """Sums by policy over the event."""
    return _at_start(source, ("policy",), "policy", "_total")


def load_reactions(source: SourceFile) -> Loaded:
    """What each account did after it was closed."""
    return _at_start(source, ("user",), "user", "")


def _at_start(source: SourceFile, texts: tuple[str, ...], symbol: str, suffix: str) -> Loaded:
    import polars as pl

    start = _start(source)
    if start is None:
        return Loaded(skipped=_NO_TIME)
    frame = _frame(source, texts).with_columns(pl.lit(start, dtype=pl.Int64).alias("time_ns"))
    values = {f"{name}{suffix}": value for name, value in _values(frame, texts).items()}
    rows = indicators(frame, _PUBLISHER, values, interval_s=0, venue="hyperliquid", symbol=pl.col(symbol))
    return Loaded([rows], [_DERIVED, _WHEN])


_WHEN = Defect(
    "event-without-time",
    "figures of an event that carry no time",
    "stamped with the first wave in the table beside them",
)


def _start(source: SourceFile) -> int | None:
    """The first wave of the event [ns UTC], out of the table of waves beside the file or above it."""
    import polars as pl

    if source.member:
        return None
    for folder in (source.path.parent, source.path.parent.parent):
        for path in sorted(folder.glob("*.csv")):
            try:
                first = pl.read_csv(path, n_rows=1, infer_schema=False)
            except (pl.exceptions.PolarsError, OSError):
                continue
            if set(_LOSERS) <= set(first.columns):
                return int(first["t_start_ms"][0]) * 1_000_000
    return None


def recognise_headlines(layout: Layout) -> bool:
    """A JSON document with headlines, derived figures and inputs."""
    return layout.kind == "json" and {"derived", "headline"} <= set(layout.names)


def load_headlines(source: SourceFile) -> Loaded:
    """Numbers of a nested document, by the path of their names; paths of somebody's machine are left out."""
    import polars as pl

    start = _start(source)
    if start is None:
        return Loaded(skipped=_NO_TIME)
    numbers = _numbers(read_document(source), "")
    moment = pl.DataFrame({"time_ns": [start]}, schema={"time_ns": pl.Int64})
    values = {f"adl_{name}": (pl.lit(value), "as published") for name, value in numbers.items()}
    return Loaded(
        [indicators(moment, _PUBLISHER, values, interval_s=0, venue="hyperliquid")], [_DERIVED, _WHEN]
    )


def _numbers(value: object, name: str) -> dict[str, float]:
    if isinstance(value, dict):
        parts = [_numbers(v, f"{name}.{k}" if name else str(k)) for k, v in value.items()]
        return {k: v for part in parts for k, v in part.items()}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {name: float(value)}
    return {}


def _recognise(columns: tuple[str, ...], layout: Layout) -> bool:
    return has_columns(layout, "csv", columns)


DERIVED = (
    Importer(
        "adl-shocks", 1, "shocks of a cascade", _SHOCKS, NO_NAME, partial(_recognise, _SHOCKS), load_shocks
    ),
    Importer("adl-waves", 1, "policies by wave", _WAVES, NO_NAME, partial(_recognise, _WAVES), load_waves),
    Importer(
        "adl-bad-debt", 1, "deficits by wave", _LOSERS, NO_NAME, partial(_recognise, _LOSERS), load_losers
    ),
    Importer(
        "adl-policy-totals", 1, "sums by policy", _TOTALS, NO_NAME, partial(_recognise, _TOTALS), load_totals
    ),
    Importer(
        "adl-reactions",
        1,
        "reactions of accounts",
        _REACTIONS,
        NO_NAME,
        partial(_recognise, _REACTIONS),
        load_reactions,
    ),
    Importer(
        "adl-headlines",
        1,
        "headlines of a study",
        ("headline",),
        NO_NAME,
        recognise_headlines,
        load_headlines,
    ),
)
