"""How is a block of CSV lines read, so that a refusal names the line and the field?

A block is a stretch of whole lines of a file that may be too large to hold; the first may begin with a
header.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deleverage.errors import DeleverageError, SourceChanged

if TYPE_CHECKING:
    import polars as pl


ROW = "_row"  # the name that the checks of the importers know


@dataclass(frozen=True)
class Block:
    """Lines of a file: its name for messages, the bytes, and the number of the first line."""

    label: str
    text: bytes
    first_line: int = 1


def read(block: Block, columns: dict[str, str], optional: tuple[str, ...] = ()) -> pl.DataFrame:
    """The columns of a block, typed, with the number of each line in '_row'.

    A first line whose first field is the first column's name is a header and puts the fields in its order;
    without a header the fields are ``columns`` in order.

    Parameters
    ----------
    columns : name to polars type by name.
    optional : columns that may be empty (null).

    Raises
    ------
    SourceChanged
        a line with another number of fields, a header without a column, a field that is not a number.
    """
    import polars as pl

    text = block.text.replace(b"\r\n", b"\n")
    if text and not text.endswith(b"\n"):
        text += b"\n"
    head = text.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    names, skip = list(columns), 0
    if head.split(",")[0].strip().strip('"') == names[0]:
        names, skip = [cell.strip().strip('"') for cell in head.split(",")], 1
        missing = [name for name in columns if name not in names]
        if missing:
            raise refused(block, 1, missing[0], f"the columns {list(columns)}", f"{names}")
    _same_fields(block, text, len(names))
    if text.count(b"\n") <= skip:
        return pl.DataFrame(schema={ROW: pl.Int64, **{n: getattr(pl, t) for n, t in columns.items()}})
    try:
        frame = pl.read_csv(
            io.BytesIO(text),
            has_header=False,
            skip_rows=skip,
            infer_schema=False,
            new_columns=names,
            quote_char=None,
        ).with_row_index(ROW, offset=block.first_line + skip)
    except pl.exceptions.PolarsError as error:
        _same_fields(block, text, len(names), look=True)
        raise refused(block, block.first_line, "", "lines of text", f"{str(error)[:80]!r}") from error
    return _typed(block, frame, columns, optional)


def _same_fields(block: Block, text: bytes, fields: int, *, look: bool = False) -> None:
    if not look and text.count(b",") == text.count(b"\n") * (fields - 1) and b"\n\n" not in text:
        return  # most likely all equal; polars refuses a line that is too long, a short one ends in null
    for number, line in enumerate(text.split(b"\n")[:-1], start=block.first_line):
        found = line.count(b",") + 1
        if found != fields:
            raise refused(
                block, number, "", f"{fields} fields", f"{found} in '{line[:60].decode('utf-8', 'replace')}'"
            )


def _typed(
    block: Block, frame: pl.DataFrame, columns: dict[str, str], optional: tuple[str, ...]
) -> pl.DataFrame:
    import polars as pl

    cells = {name: pl.col(name).str.strip_chars(' "') for name in columns}
    empty = {name: cells[name].fill_null("") == "" for name in columns}
    typed = frame.select(
        pl.col(ROW).cast(pl.Int64),
        *(
            pl.when(empty[name] if name in optional else pl.lit(False))
            .then(None)
            .otherwise(_cast(cells[name], dtype))
            .alias(name)
            for name, dtype in columns.items()
        ),
    )
    for name, dtype in columns.items():
        values = typed[name]
        bad = values.is_null()
        if name in optional:
            bad &= ~frame.select(empty[name]).to_series()
        if dtype == "Float64":
            bad |= ~values.is_finite().fill_null(True)
        if bad.any():
            at = int(bad.arg_true()[0])
            kind = {"Int64": "a whole number", "Float64": "a number", "Boolean": "true or false"}.get(
                dtype, "a text"
            )
            raise refused(block, int(typed[ROW][at]), name, kind, f"'{frame[name][at] or ''}'")
    return typed


def _cast(cell: pl.Expr, dtype: str) -> pl.Expr:
    import polars as pl

    if dtype == "Boolean":
        low = cell.str.to_lowercase()
        return pl.when(low == "true").then(True).when(low == "false").then(False).otherwise(None)
    if dtype == "String":
        return pl.when(cell == "").then(None).otherwise(cell)
    return cell.cast(getattr(pl, dtype), strict=False)


def refused(block: Block, line: int, column: str, expected: str, found: str) -> DeleverageError:
    """The one message of a file that is not as documented."""
    where = ", ".join(
        part for part in (block.label, f"line {line}", f"field '{column}'" if column else "") if part
    )
    return SourceChanged(
        f"{where}: expected {expected}, found {found}",
        hint="nothing of this file was kept; if it stays so, the source has changed",
        file=block.label,
        line=line,
        field=column,
    )
