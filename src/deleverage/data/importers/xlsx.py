"""How is the first sheet of a workbook read? A workbook is a zip of XML; only cells of text and numbers
are read.
"""

from __future__ import annotations

import io
import re
import zipfile
from xml.etree import ElementTree

from deleverage.data.importers.base import SourceFile, refusal
from deleverage.errors import InputError, SourceChanged

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_SHEET, _TEXTS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
_CELL = re.compile(r"([A-Z]+)\d+")
_LARGEST = 512 * 1024**2  # bytes of a part, unpacked


def first_sheet(source: SourceFile) -> list[list[str]]:
    """Rows of cells as texts; '' where a cell is empty.

    Raises
    ------
    SourceChanged
        it is no workbook, or cut off.
    InputError
        a part unpacks to more than the limit, or declares entities.
    """
    try:
        raw = source.path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(raw)) as book:
            texts = _texts(_part(source, book, _TEXTS)) if _TEXTS in book.namelist() else []
            sheet = ElementTree.fromstring(_part(source, book, _SHEET))
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, OSError) as error:
        raise refusal(
            SourceChanged,
            source,
            expected="a workbook",
            found=f"one that does not open ({error})",
            todo="get the file again: it looks cut off",
        ) from None
    return [_row(row, texts) for row in sheet.iter(f"{_MAIN}row")]


def _part(source: SourceFile, book: zipfile.ZipFile, name: str) -> bytes:
    with book.open(name) as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST or b"<!DOCTYPE" in data[:1024] or b"<!ENTITY" in data:
        raise refusal(
            InputError,
            source,
            place=name,
            expected=f"at most {_LARGEST >> 20} MiB of cells, without entities",
            found="more, or entities",
            todo="this looks like a bomb: leave it out",
        )
    return data


def _texts(data: bytes) -> list[str]:
    found = ElementTree.fromstring(data)
    return ["".join(t.text or "" for t in item.iter(f"{_MAIN}t")) for item in found.iter(f"{_MAIN}si")]


def _row(row: ElementTree.Element, texts: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{_MAIN}c"):
        match = _CELL.fullmatch(cell.get("r", ""))
        at = _column(match[1]) if match else len(cells)
        cells.extend([""] * (at - len(cells)))
        value = cell.find(f"{_MAIN}v")
        inline = cell.find(f"{_MAIN}is")
        if inline is not None:
            cells.append("".join(t.text or "" for t in inline.iter(f"{_MAIN}t")))
        elif value is None or value.text is None:
            cells.append("")
        else:
            cells.append(texts[int(value.text)] if cell.get("t") == "s" else value.text)
    return cells


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1
