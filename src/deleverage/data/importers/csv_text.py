"""How is a CSV read so that a refusal names the line and the field?"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING

from deleverage.data.importers.base import SourceFile, refusal
from deleverage.errors import SchemaError, SourceChanged

if TYPE_CHECKING:
    import polars as pl

TRUNCATED = "get the file again: it looks cut off; if it is whole, end its last line with a line break"
ROW = "_row"  # number of the line or row in the file, for messages


def read_csv(source: SourceFile, columns: dict[str, str], *, header: bool = True) -> pl.DataFrame:
    """The named columns of a CSV, and the column '_row' with the number of the line in the file.

    Parameters
    ----------
    columns : name to polars type by name; without a header these are all columns in order.

    Raises
    ------
    SchemaError
        cut off, a line with another number of fields, a column missing, a field that is not a number.
    """
    text = _unpacked(source)
    names = _names(source, text, columns, header)
    _same_fields(source, text, len(names))
    frame = _as_text(text, names, skip=1 if header else 0)
    return _typed(source, frame, columns)


def _unpacked(source: SourceFile) -> bytes:
    data = source.path.read_bytes()
    if source.path.suffix == ".gz":
        try:
            data = gzip.decompress(data)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise refusal(
                SourceChanged,
                source,
                expected="a whole gzip file",
                found=f"one that does not unpack ({error})",
                todo="get the file again: it looks cut off",
            ) from None
    return data


def _names(source: SourceFile, text: bytes, columns: dict[str, str], header: bool) -> list[str]:
    if not header:
        return list(columns)
    names = [cell.strip() for cell in text.split(b"\n", 1)[0].decode("utf-8-sig", "replace").split(",")]
    missing = [name for name in columns if name not in names]
    if missing:
        raise refusal(
            SchemaError,
            source,
            place="line 1",
            column=missing[0],
            expected=f"the columns {list(columns)}",
            found=f"{names}, without {missing}",
            todo="give the file with all its columns",
        )
    return names


def _same_fields(source: SourceFile, text: bytes, fields: int) -> None:
    lines = text.split(b"\n")
    whole = lines.pop() == b""
    for number, line in enumerate(lines, start=1):
        if line.count(b",") != fields - 1:
            raise _other_fields(source, number, line, fields)
    if not whole:
        last = text.rsplit(b"\n", 1)[-1]
        if last.count(b",") != fields - 1:
            raise _other_fields(source, len(lines) + 1, last, fields)
        raise refusal(
            SchemaError,
            source,
            place=f"line {len(lines) + 1}",
            expected="a line break at its end",
            found=f"the file ends after '{last[-20:].decode('utf-8', 'replace')}'",
            todo=TRUNCATED,
        )


def _other_fields(source: SourceFile, number: int, line: bytes, fields: int) -> Exception:
    return refusal(
        SchemaError,
        source,
        place=f"line {number}",
        expected=f"{fields} fields",
        found=f"{line.count(b',') + 1} in '{line[:60].decode('utf-8', 'replace')}'",
        todo=TRUNCATED,
    )


def _as_text(text: bytes, names: list[str], skip: int) -> pl.DataFrame:
    import polars as pl

    if text.count(b"\n") <= skip:
        frame = pl.DataFrame(schema={name: pl.String for name in names})
    else:
        frame = pl.read_csv(
            io.BytesIO(text),
            has_header=False,
            skip_rows=skip,
            infer_schema=False,
            new_columns=names,
            quote_char=None,
        )
    return frame.with_row_index(ROW, offset=skip + 1)


def _typed(source: SourceFile, frame: pl.DataFrame, columns: dict[str, str]) -> pl.DataFrame:
    import polars as pl

    if frame.is_empty():
        raise refusal(
            SchemaError, source, expected="at least one row", found="none", todo="give a file with rows"
        )
    cells = {name: pl.col(name).str.strip_chars(' \r"') for name in columns}
    typed = frame.select(
        pl.col(ROW).cast(pl.Int64),
        *(cell.cast(getattr(pl, columns[name]), strict=False).alias(name) for name, cell in cells.items()),
    )
    for name, dtype in columns.items():
        bad = (
            typed[name].is_null() if dtype != "Float64" else typed[name].is_null() | ~typed[name].is_finite()
        )
        if bad.any():
            at = bad.arg_true()[0]
            raise refusal(
                SchemaError,
                source,
                place=f"line {typed[ROW][at]}",
                column=name,
                expected="a whole number"
                if dtype == "Int64"
                else "a number"
                if dtype == "Float64"
                else "a text",
                found=f"'{frame[name][at] or ''}'",
                todo="correct that line or get the file again",
            )
    return typed
