"""Which live files hold nothing but what one writer has added, so that it knows their rows by itself?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deleverage.data.lake.log import DataFile


@dataclass
class OwnFiles:
    """The files of one writer of one table, and what compactions made of them."""

    _own: dict[str, DataFile] = field(default_factory=dict)
    _seen: dict[str, DataFile] = field(default_factory=dict)

    def look(self, live: Mapping[str, DataFile]) -> frozenset[str]:
        """Its files among those that are live now.

        Files that were put together stay its own where nothing but its own went, and as many rows came: had
        another's been among them that came and went unseen, there would be more.
        """
        gone = [file for path, file in self._seen.items() if path not in live]
        came = [file for path, file in live.items() if path not in self._seen and path not in self._own]
        if gone:
            balance = Counter[str]()
            mixed = {file.venue for file in gone if file.path not in self._own}
            together = [file for file in came if file.path.rpartition("/")[2].startswith("compact-")]
            for file in together:
                balance[file.venue] += file.rows
            for file in gone:
                balance[file.venue] -= file.rows
            for file in together:
                if file.venue not in mixed and balance[file.venue] == 0:
                    self._own[file.path] = file
        self._own = {path: file for path, file in self._own.items() if path in live}
        self._seen = dict(live)
        return frozenset(self._own)

    def add(self, files: Iterable[DataFile]) -> None:
        """Note what it has just made live."""
        for file in files:
            self._own[file.path] = self._seen[file.path] = file
