"""Which rows and columns of the lake does a query need?

DuckDB plans the query over empty tables. Every step that looks at data or its statistics is switched off
there, so that the plan gives the right answer over any rows: what none of its scans lets through is not
needed. What is not understood of a plan is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from deleverage.data.lake.log import DataFile

if TYPE_CHECKING:
    import duckdb

_BARE = "bare"  # schema of the empty tables
# Steps of DuckDB's optimizer that follow from the query alone.
_OF_THE_QUERY = frozenset(
    {
        "expression_rewriter", "filter_pullup", "filter_pushdown", "cte_filter_pusher", "in_clause",
        "deliminator", "unnest_rewriter", "unused_columns", "column_lifetime",
    }
)  # fmt: skip
_EXPLAIN = re.compile(r"\s*explain\b(\s+analyze\b)?(\s*\([^)]*\))?", re.IGNORECASE)
_LIMITS = frozenset({"LIMIT", "STREAMING_LIMIT"})
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()]|\s+|[^\s()'\"]+")
_TIME = re.compile(r"time_ns (>=|>|<=|<|=) (-?\d+)")
_VENUE = re.compile(r"venue = '([^']*)'")
_VENUES = re.compile(r"venue IN \(('[^']*'(?:, '[^']*')*)\)")


class Need(NamedTuple):
    """What is needed of one table; the default is all of it.

    Parameters
    ----------
    columns : names; None for every one.
    start_ns, end_ns : first and last event time [ns UTC].
    venues : None for every one.
    rows : so many of the first rows; None for all.
    """

    columns: frozenset[str] | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    venues: frozenset[str] | None = None
    rows: int | None = None

    def takes(self, file: DataFile) -> bool:
        """Whether a row of the file may be needed."""
        of_others = bool(file.venue) and self.venues is not None and file.venue not in self.venues
        return file.overlaps(self.start_ns, self.end_ns) and not of_others

    def or_else(self, other: Need) -> Need:
        """What is needed by the one or the other."""
        return Need(
            None if self.columns is None or other.columns is None else self.columns | other.columns,
            None if self.start_ns is None or other.start_ns is None else min(self.start_ns, other.start_ns),
            None if self.end_ns is None or other.end_ns is None else max(self.end_ns, other.end_ns),
            None if self.venues is None or other.venues is None else self.venues | other.venues,
        )


def needs(connection: duckdb.DuckDBPyConnection, query: str, tables: Mapping[str, str]) -> dict[str, Need]:
    """What the query needs of each of the tables; one that is not named is not read at all.

    Parameters
    ----------
    connection : an empty database with the macros of the lake. It is fenced here: nothing outside is read.
    tables : the tables that the query mentions, with their columns as ``CREATE TABLE`` takes them.

    Raises
    ------
    duckdb.Error
        the query cannot be answered over these tables, whatever rows they hold.
    """
    import duckdb

    connection.execute(f"CREATE SCHEMA {_BARE}")
    for name, columns in tables.items():
        connection.execute(f'CREATE TABLE {_BARE}."{name}" ({columns})')
        connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM {_BARE}."{name}"')
    known = [str(row[0]) for row in connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()]
    off = ",".join(name for name in known if name not in _OF_THE_QUERY)
    for setting in (
        "python_enable_replacements = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        f"disabled_optimizers = '{off}'",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    connection.sql(query)  # what is wrong with it is told in its own words
    kind = str(connection.extract_statements(query)[0].type)
    if kind.endswith("EXPLAIN"):
        start = _EXPLAIN.match(query)
        if start is None:
            return dict.fromkeys(tables, Need())
        query = query[start.end() :]
    try:
        plan = json.loads(connection.execute(f"EXPLAIN (FORMAT JSON) {query}").fetchall()[0][1])
        return _of_plan(plan)
    except (ValueError, LookupError, TypeError, AttributeError, duckdb.Error):  # a plan of another form
        return dict.fromkeys(tables, Need())


def _of_plan(plan: list[dict[str, Any]]) -> dict[str, Need]:
    found: dict[str, Need] = {}
    for node in plan:
        for name, need in _scans(node, None):
            found[name] = found[name].or_else(need) if name in found else need
    return found


def _scans(node: Mapping[str, Any], rows: int | None) -> Iterator[tuple[str, Need]]:
    """Each scan below a node; ``rows`` is how many of the node's rows are looked at."""
    says = node.get("extra_info") or {}
    if says.get("Table"):
        filters = _texts(says.get("Filters"))
        words = set(_texts(says.get("Projections"))) | set(re.findall(r"\w+", " ".join(filters)))
        need = Need(frozenset(words), rows=None if "Filters" in says else rows)
        yield str(says["Table"]).rpartition(".")[2].strip('"'), _narrowed(need, filters)
        return
    below = None
    if node["name"] in _LIMITS and re.fullmatch(r"\d+", says.get("Limit", "")):
        below = int(says["Limit"]) + int(says.get("Offset", 0))
    elif node["name"] == "PROJECTION":
        below = rows
    for child in node.get("children", []):
        yield from _scans(child, below)


def _texts(said: object) -> list[str]:
    if said is None:
        return []
    return [said] if isinstance(said, str) else [str(one) for one in said]  # type: ignore[attr-defined]


def _narrowed(need: Need, filters: list[str]) -> Need:
    """A need, and all the filters of its scan."""
    if any(text.count("'") % 2 for text in filters):  # a text of several lines, cut at their ends
        return need
    for text in filters:
        for one in _conjuncts(text.removeprefix("optional: ")):
            if found := _TIME.fullmatch(one):
                need = _later(need, found[1], int(found[2]))
            elif found := _VENUE.fullmatch(one):
                need = _among(need, frozenset({found[1]}))
            elif found := _VENUES.fullmatch(one):
                need = _among(need, frozenset(re.findall(r"'([^']*)'", found[1])))
    return need


def _later(need: Need, sign: str, time_ns: int) -> Need:
    if abs(time_ns) >= 1 << 62:  # hundreds of years from any event, and near the end of the numbers
        return need
    first = {">=": time_ns, ">": time_ns + 1, "=": time_ns}.get(sign)
    last = {"<=": time_ns, "<": time_ns - 1, "=": time_ns}.get(sign)
    if first is not None:
        need = need._replace(start_ns=first if need.start_ns is None else max(first, need.start_ns))
    if last is not None:
        need = need._replace(end_ns=last if need.end_ns is None else min(last, need.end_ns))
    return need


def _among(need: Need, venues: frozenset[str]) -> Need:
    return need._replace(venues=venues if need.venues is None else need.venues & venues)


def _conjuncts(text: str) -> list[str]:
    """The parts of a condition that must all hold, without their brackets; itself where it is one part."""
    tokens = _TOKEN.findall(text.strip())
    while len(tokens) > 1 and tokens[0] == "(" and _closing(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    depth, parts = 0, [""]
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0 and token == "OR":
            return []
        if depth == 0 and token == "AND":
            parts.append("")
        else:
            parts[-1] += token
    if len(parts) == 1:
        return [parts[0].strip()]
    return [one for part in parts for one in _conjuncts(part)]


def _closing(tokens: list[str]) -> int:
    """Where the bracket that opens first is closed; -1 where it is not."""
    depth = 0
    for number, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0:
            return number
    return -1
