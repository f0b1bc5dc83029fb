"""The lake: observed market data as Delta tables in a folder or an object store.

`store` is the door. `place` says where the lake lies, `log` what is live in a table and how that changes in
one step, `parts` how rows become files, `keys` which rows are new, `append` how they are added once,
`imports` how several tables change together; `maintain`, `status`, `query` and `reparse` are what the
commands of the same names do; `needs` and `fetch` bring to `query` what it needs of an object store.
"""

from deleverage.data.lake.append import Appended
from deleverage.data.lake.imports import ImportRecord, Source, Writer
from deleverage.data.lake.parts import declared
from deleverage.data.lake.status import TableStatus
from deleverage.data.lake.store import IMPORT_HINT, MANIFEST, Lake
from deleverage.data.lake.times import iso, sha256_of

__all__ = [
    "Appended",
    "IMPORT_HINT",
    "ImportRecord",
    "Lake",
    "MANIFEST",
    "Source",
    "TableStatus",
    "Writer",
    "declared",
    "iso",
    "sha256_of",
]
