"""Where are margin tiers from files kept, and which of them hold on a day?

The store is a lake of its own (`data.lake`), so that tiers have one table, `tiers`, and one way in: a file is
recognised, checked and there whole or not at all, with its sha256. It lies in `rules_folder()`, where
calculators look; any other lake with tiers can be named instead.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from deleverage.data.importers import hyperliquid_meta, leverage_tiers
from deleverage.data.importers.base import Defect, SourceFile, refusal
from deleverage.data.importers.tier_rows import (
    Listed,
    Tier,
    TierNames,
    checked,
    frame,
    moment_in_name,
    read_json,
)
from deleverage.data.lake import Lake, iso, sha256_of
from deleverage.errors import InputError, RulesError, SchemaError

if TYPE_CHECKING:
    import polars as pl

FOLDER_VARIABLE = "DELEVERAGE_RULES_DIR"
FORMATS = "tiers as ccxt's fetch_leverage_tiers gives them, or Hyperliquid's metaAndAssetCtxs"
VENUES = (*leverage_tiers.CCXT_VENUES, "hyperliquid")
"""Whose files are read: others' brackets are not notional in dollars."""

_LAST_NS = (1 << 63) - 1


def rules_folder() -> Path:
    """Folder of the imported tiers: DELEVERAGE_RULES_DIR, or `deleverage/rules` in the user's data folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "deleverage" / "rules"


@dataclass(frozen=True)
class TierImport:
    """What one file gave.

    Parameters
    ----------
    format : 'ccxt' or 'hyperliquid'.
    at : the moment that the tiers are of, ISO, UTC.
    contracts, tiers : how many are in the store from this file now.
    added : rows that were not there before.
    defects : what is unusual in the file, and what was done about it.
    """

    file: str
    sha256: str
    format: str
    venue: str
    at: str
    contracts: int
    tiers: int
    added: int
    defects: tuple[Defect, ...]


class Snapshot(NamedTuple):
    """The tiers of a venue as of a moment [ns UTC], from one file."""

    venue: str
    time_ns: int
    contracts: int
    tiers: int
    source: str
    sha256: str


def import_tiers(
    path: Path, folder: Path, *, venue: str = "", day: date | datetime | None = None
) -> TierImport:
    """Read a file of margin tiers into the store at ``folder``, which is made where there is none.

    Parameters
    ----------
    venue : whose tiers they are; needed where the file does not tell.
    day : what they are as of (UTC); by default the date in the file's name.

    Raises
    ------
    InputError
        no such file or format; venue or date are not told, or told otherwise by the file; tiers that are not
        usable, or not those that the store has for that moment. Nothing was written.
    """
    if not path.is_file():
        raise InputError(f"expected a file of margin tiers, found none at '{path}'", hint="check the path")
    source = SourceFile(path, f"{path.resolve().parent.name}/{path.name}".lstrip("/"))
    content = read_json(source, SchemaError)
    form, venue, everything, defects = _read(source, content, venue)
    moment = _moment(source, day)
    kept = [one for one in everything if one.in_dollars]
    if not kept:
        raise refusal(
            SchemaError,
            source,
            expected="contracts whose notional is in dollars",
            found=f"{', '.join(sorted({one.unit for one in everything}))} only",
            todo="give the file of the venue's linear contracts",
        )
    rows = frame(kept, venue, moment, source.label)
    sha256 = sha256_of(path)
    lake = Lake(folder)
    with lake.write() as writer:
        if lake.exists():
            _same_as_before(source, rows, lake)
        if any(one["path"] == source.label and one["sha256"] != sha256 for one in writer.live["sources"]):
            # The name was used for other bytes: a row must lead to one file.
            source = replace(source, label=f"{source.label}#{sha256[:8]}")
            rows = frame(kept, venue, moment, source.label)
        added = writer.append("tiers", rows)
        writer.record(
            {
                "path": source.label,
                "sha256": sha256,
                "bytes": path.stat().st_size,
                "importer": f"{form}-tiers",
                "version": leverage_tiers.TIERS.version,
                "rows": {"tiers": rows.height},
            }
        )
    at = iso(int(moment.timestamp()) * 1_000_000_000)
    return TierImport(
        source.label, sha256, form, venue, at, len(kept), rows.height, added.rows, tuple(defects)
    )


def _read(source: SourceFile, content: Any, venue: str) -> tuple[str, str, list[Listed], list[Defect]]:
    """Format, venue, contracts and defects of a document."""
    if hyperliquid_meta.is_meta(content):
        _agree(source, "hyperliquid", venue)
        everything, defects = hyperliquid_meta.listed(source, content)
        return "hyperliquid", "hyperliquid", everything, defects
    if leverage_tiers.is_ccxt(content):
        told = leverage_tiers.venue_of(content)
        if told:
            _agree(source, told, venue)
        if not told and not venue:
            raise refusal(
                InputError,
                source,
                expected="tiers that say whose they are",
                found="tiers in the layout of ccxt without the names of one venue",
                todo=f"say it with --venue: {', '.join(VENUES)}",
            )
        whose = told or venue
        if whose not in leverage_tiers.CCXT_VENUES:
            raise refusal(
                InputError,
                source,
                expected=f"a venue of {list(leverage_tiers.CCXT_VENUES)} for tiers in the layout of ccxt",
                found=f"'{whose}'",
                todo="other venues' brackets are not notional in dollars there, or come in another layout",
            )
        everything = leverage_tiers.listed(source, content, whose)
        return "ccxt", whose, everything, leverage_tiers.defects_of(everything)
    keys = list(content)[:5] if isinstance(content, dict) else type(content).__name__
    raise refusal(
        SchemaError,
        source,
        expected=FORMATS,
        found=f"a document with {keys}",
        todo="give a file in one of these formats",
    )


def _agree(source: SourceFile, told: str, given: str) -> None:
    if given and given != told:
        raise refusal(
            InputError,
            source,
            expected=f"tiers of {given}",
            found=f"tiers of {told}",
            todo="leave --venue out, or give the other venue's file",
        )


def _moment(source: SourceFile, day: date | datetime | None) -> datetime:
    if isinstance(day, datetime):
        return day.astimezone(UTC).replace(microsecond=0)
    if day is not None:
        return datetime.combine(day, time(), UTC)
    moment = moment_in_name(source.path.name)
    if moment is None:
        raise refusal(
            InputError,
            source,
            expected="a date in the file's name, like 2025-10-09",
            found="none",
            todo="say of which day the tiers are, with --at 2025-10-09",
        )
    return moment


def _same_as_before(source: SourceFile, rows: pl.DataFrame, lake: Lake) -> None:
    """Refuse tiers of a contract that the store has otherwise for the same moment."""
    import polars as pl

    moment = rows["time_ns"][0]
    stored = lake.read("tiers", start_ns=moment, end_ns=moment, where={"venue": rows["venue"][0]})
    stored = stored.filter(pl.col("symbol").is_in(rows["symbol"].unique().implode()))
    columns = [name for name in rows.columns if name != "source"]
    mine = rows.filter(pl.col("symbol").is_in(stored["symbol"].unique().implode())).select(columns)
    for wrong in (
        mine.join(stored.select(columns), on=columns, how="anti", nulls_equal=True),
        stored.select(columns).join(mine, on=columns, how="anti", nulls_equal=True),
    ):
        if wrong.height:
            first = wrong.sort("symbol", "tier").row(0, named=True)
            raise refusal(
                RulesError,
                source,
                place=f"contract '{first['symbol']}', tier {first['tier']}",
                expected=f"the tiers that are stored for {first['venue']} at {iso(moment)}",
                found="others",
                todo="give another --at, or import into another folder",
            )


def snapshots(folder: Path) -> list[Snapshot]:
    """What is stored, by venue and then newest first; nothing where there is no store."""
    import polars as pl

    if not Lake(folder).exists():
        return []
    lake = Lake.open(folder)
    sums = {source["path"]: source["sha256"] for source in lake.sources}
    counted = (
        lake.read("tiers")
        .group_by("venue", "time_ns", "source")
        .agg(pl.col("symbol").n_unique().alias("contracts"), pl.len().alias("tiers"))
        .sort("venue", "time_ns", "source", descending=[False, True, False])
    )
    return [
        Snapshot(
            row["venue"],
            row["time_ns"],
            row["contracts"],
            row["tiers"],
            row["source"],
            sums.get(row["source"], ""),
        )
        for row in counted.iter_rows(named=True)
    ]


class Stored(NamedTuple):
    """The newest tiers of a contract: the moment they are of [ns UTC], the tiers exactly, and the file."""

    time_ns: int
    tiers: tuple[Tier, ...]
    source: str


def stored_tiers(folder: Path, venue: str, day: date) -> dict[str, Stored]:
    """By contract, the newest tiers that are not later than the day; {} where nothing is stored."""
    import polars as pl

    if not Lake(folder).exists():
        return {}
    end = min(int(datetime.combine(day, time(23, 59, 59), UTC).timestamp()) * 1_000_000_000, _LAST_NS)
    rows = Lake.open(folder).read("tiers", end_ns=end, where={"venue": venue})
    newest = rows.filter(pl.col("time_ns") == pl.col("time_ns").max().over("symbol"))
    by_symbol: dict[str, list[dict[str, Any]]] = {}
    for row in newest.sort("symbol", "tier").iter_rows(named=True):
        by_symbol.setdefault(row["symbol"], []).append(row)
    return {symbol: _exactly(symbol, found) for symbol, found in by_symbol.items()}


def _exactly(symbol: str, rows: list[dict[str, Any]]) -> Stored:
    """Rows of one contract as exact tiers, checked as when they were read."""
    source = SourceFile(Path(rows[0]["source"]), rows[0]["source"])
    names = TierNames("tier", "floor_usd", "cap_usd", "rate_num", "max_leverage", "deduction_usd")
    tiers: list[Tier] = []
    for row in rows:
        cap = None if row["cap_usd"] is None else Fraction(row["cap_usd"])
        raw = Tier(
            row["tier"],
            Fraction(row["floor_usd"]),
            cap,
            Fraction(row["rate_num"], row["rate_den"]),
            Fraction(repr(row["max_leverage"])),  # the decimal that was printed: 33.33
            Fraction(0),
        )
        place = f"contract '{symbol}', tier {row['tier']}"
        printed = Fraction(row["deduction_usd"])
        before = tiers[-1] if tiers else None
        tiers.append(checked(source, place, raw, before, printed=printed, names=names))
    return Stored(rows[0]["time_ns"], tuple(tiers), rows[0]["source"])
