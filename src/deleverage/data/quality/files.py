"""Can the files of the tables be read?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deleverage.data.lake.parts import DAMAGED_HINT, damage
from deleverage.data.quality.findings import Finding, Span

if TYPE_CHECKING:
    from deleverage.data.lake import Lake


def check(lake: Lake, span: Span) -> Iterator[tuple[str, Finding]]:
    """Files that are gone or damaged, as 'table/path' and what is told of it; reads all of them."""
    for name in sorted(span.tables | {"gaps", "fills"}):  # recorded gaps are looked up for every table
        live = lake.table(name)
        with live.lock:
            files = list(live.log.files.values()) if live.log.refresh() else []
        for file in files:
            if why := damage(lake.place, live.table, file):
                path = f"{name}/{file.path}"
                first = file.first_ns or 0
                yield (
                    path,
                    Finding(
                        "files", name, file.venue, "", first, file.last_ns or first, "error",
                        "every file of the table readable", f"'{path}' is not: {why}", DAMAGED_HINT,
                    ),
                )  # fmt: skip
