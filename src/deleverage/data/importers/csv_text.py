"""How is a CSV read so that a refusal names the line and the field?"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from deleverage.data.importers.base import ROW, Defect, SourceFile, refusal
from deleverage.data.importers.content import read
from deleverage.errors import SchemaError, SourceChanged

if TYPE_CHECKING:
    import polars as pl

TRUNCATED = "get the file again: it looks cut off; if it is whole, end its last line with a line break"
MAX_LINE = 1024**2  # bytes; the widest table of a vendor is a few kB a line
_WORDS = {"Int64": "a whole number", "Float64": "a number", "String": "a text", "Boolean": "true or false"}


def read_open_csv(source: SourceFile, columns: dict[str, str]) -> tuple[pl.DataFrame, list[Defect]]:
    """The same of a file whose writer ends no last line: that line may be cut inside and is left out."""
    text = read(source)
    if text.endswith(b"\n"):
        return read_csv(source, columns), []
    whole, _, last = text.rpartition(b"\n")
    open_end = Defect(
        "last-line-open",
        "files that end without a line break: their last line may be cut inside a number",
        "that line left out",
        1,
        last[:60].decode("utf-8", "replace"),
    )
    return read_csv(source, columns, text=whole + b"\n"), [open_end]


def read_csv(
    source: SourceFile, columns: dict[str, str], *, header: bool = True, text: bytes | None = None
) -> pl.DataFrame:
    """The named columns of a CSV, and the column '_row' with the number of the line in the file.

    Parameters
    ----------
    text : the bytes, where they are at hand.
    columns : name to polars type by name; with '?' behind the type a field may be empty. Without a header
        these
        are all columns in order.

    Raises
    ------
    SchemaError
        cut off, a line with another number of fields, a column missing, a field that is not a number.
    SourceChanged
        it does not unpack, or is no UTF-8.
    """
    text = _decodes(source, read(source) if text is None else text)
    names = _names(source, text, columns, header)
    _same_fields(source, text, len(names))
    frame = as_text(text, names, skip=1 if header else 0)
    return typed(source, frame, columns)


def header_of(source: SourceFile) -> list[str]:
    """The names in the first line."""
    first = read(source).split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    return [cell.strip().strip('"') for cell in first.split(",")]


def _decodes(source: SourceFile, text: bytes) -> bytes:
    try:
        text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise refusal(
            SourceChanged,
            source,
            place=f"line {line}",
            expected="a text in UTF-8",
            found=f"the byte 0x{text[error.start]:02x}, which is none",
            todo="save the file as UTF-8",
        ) from None
    return text


def _names(source: SourceFile, text: bytes, columns: dict[str, str], header: bool) -> list[str]:
    if not header:
        return list(columns)
    first = text.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    names = [cell.strip().strip('"') for cell in first.split(",")]
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
        if len(line) > MAX_LINE:
            raise refusal(
                SchemaError,
                source,
                place=f"line {number}",
                expected=f"lines of at most {MAX_LINE:,} bytes",
                found=f"one of {len(line):,}",
                todo="get the file again: its line breaks are lost",
            )
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


def as_text(text: bytes, names: list[str], skip: int) -> pl.DataFrame:
    """Every field as a text, with '_row'."""
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
        ).with_columns(pl.all().fill_null(""))
    return frame.with_row_index(ROW, offset=skip + 1)


def typed(source: SourceFile, frame: pl.DataFrame, columns: dict[str, str]) -> pl.DataFrame:
    """Fields as the declared types; refused at the first that is none."""
    import polars as pl

    if frame.is_empty():
        raise refusal(
            SchemaError, source, expected="at least one row", found="none", todo="give a file with rows"
        )
    frame = frame.with_columns(pl.col(name).str.strip_chars(' \r"') for name in columns)
    types = {name: dtype.rstrip("?") for name, dtype in columns.items()}
    parsed = frame.select(
        pl.col(ROW).cast(pl.Int64),
        *(_parsed(name, dtype).alias(name) for name, dtype in types.items()),
    )
    for name, dtype in types.items():
        bad = parsed[name].is_null()
        if dtype == "Float64":
            bad = bad | ~parsed[name].is_finite().fill_null(False)
        if columns[name].endswith("?"):
            bad = bad & (frame[name] != "").fill_null(False)
        elif dtype == "String":
            bad = bad | (frame[name] == "").fill_null(True)
        if bad.any():
            at = bad.arg_true()[0]
            raise refusal(
                SchemaError,
                source,
                place=f"line {parsed[ROW][at]}",
                column=name,
                expected=_WORDS[dtype],
                found=f"'{frame[name][at] or ''}'",
                todo="correct that line or get the file again",
            )
    return parsed


def _parsed(name: str, dtype: str) -> pl.Expr:
    import polars as pl

    cell = pl.col(name)
    if dtype == "Boolean":
        lower = cell.str.to_lowercase()
        return pl.when(lower == "true").then(True).when(lower == "false").then(False)
    if dtype == "String":
        return pl.when(cell != "").then(cell)
    return cell.cast(getattr(pl, dtype), strict=False)
