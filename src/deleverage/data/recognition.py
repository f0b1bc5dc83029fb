"""Which importer reads a file? Told by the content; two that both would are an error, never a guess."""

from __future__ import annotations

from deleverage.data.importers import IMPORTERS
from deleverage.data.importers.base import Importer, SourceFile, refusal
from deleverage.data.importers.layout import Layout, layout_of
from deleverage.errors import DeleverageError, SchemaError, SourceChanged


def importer_of(source: SourceFile, named: bool) -> Importer | None:
    """The one importer that recognises the content; a file called like a family without its layout is
    refused.
    """
    layout = layout_of(source)
    matches = [importer for importer in IMPORTERS if importer.recognise(layout)]
    if len(matches) > 1:
        raise refusal(
            SchemaError,
            source,
            expected="a layout of one family",
            found=f"one of {' and of '.join(importer.name for importer in matches)}",
            todo="give a mapping file (--mapping) that says what it holds",
        )
    if matches:
        return matches[0]
    for importer in IMPORTERS:
        if importer.file_names.fullmatch(source.name):
            raise _near_miss(source, importer, layout)
    if layout.kind == "broken":
        raise refusal(
            SourceChanged,
            source,
            expected="a file that opens as what its name says",
            found=unknown(layout),
            todo="get the file again",
        )
    if named:
        raise refusal(
            SchemaError,
            source,
            expected="a layout that is known (docs/import.md lists them)",
            found=unknown(layout),
            todo="give a mapping file (--mapping) that says what it holds",
        )
    return None


def _near_miss(source: SourceFile, importer: Importer, layout: Layout) -> DeleverageError:
    if layout.kind == "broken":
        return refusal(
            SourceChanged,
            source,
            expected=importer.holds,
            found="a file that does not open: empty or cut off",
            todo="get the file again",
        )
    if layout.kind == "numbers":
        return refusal(
            SchemaError,
            source,
            place="line 1",
            expected=f"{importer.holds}: {len(importer.columns)} fields",
            found=f"{len(layout.names)}",
            todo="give the file with all its columns",
        )
    missing = [name for name in importer.columns if name not in layout.names]
    return refusal(
        SchemaError,
        source,
        place="line 1" if layout.kind == "csv" else "",
        column=missing[0] if missing else "",
        expected=f"{importer.holds} with the columns {list(importer.columns)}",
        found=f"{list(layout.names)}" + (f", without {missing}" if missing else ", in another layout"),
        todo="give the file with all its columns",
    )


def unknown(layout: Layout) -> str:
    """Why nothing reads such a file."""
    if layout.kind == "document":
        return "a text, not data"
    if layout.kind == "broken":
        return "it does not open: empty or cut off"
    if layout.kind in ("parquet", "feather") and not layout.names:
        return "a table without columns and rows: the vendor had nothing"
    if not layout.names:
        return "no importer knows this layout"
    shown = ", ".join(layout.names[:6]) + (", ..." if len(layout.names) > 6 else "")
    return f"no importer knows this layout ({layout.kind}: {shown})"
