"""The command `import`: files of market data into a lake, all or none, and what was wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deleverage.data.import_report import ImportReport

EXAMPLES = (
    "\b\nExamples:\n"
    "  deleverage import downloads --lake lake              a folder of files, recognised by content\n"
    "  deleverage import downloads --lake lake --defects    what was wrong with each, in sentences\n"
    "  deleverage import bars.csv --lake lake --mapping bars.toml"
)
_FEW = 8  # defects that are told in sentences without being asked

LakeFolder = Annotated[
    str, typer.Option("--lake", metavar="DIR", help="Folder of the lake, or its address (s3://...).")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def import_files(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files, or folders of them.")],
    lake: LakeFolder,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="TOML that says what CSV or Parquet files hold."),
    ] = None,
    defects: Annotated[
        bool, typer.Option("--defects", help="Say of each defect what it is and what was done.")
    ] = False,
    json: Json = False,
) -> None:
    """Read files of market data into a lake; all of them, or none."""
    from deleverage.cli.stream import Progress, columns, emit, emit_json

    with Progress() as progress:
        progress(0, 0, "looking at the files")
        from deleverage.data.importing import import_paths

        report = import_paths(paths, lake, mapping=mapping, progress=progress)
    if json:
        emit_json(report.to_json())
    else:
        emit("\n".join(screen(report, lake, width=min(columns(), 100), sentences=defects)))


def screen(report: ImportReport, lake: str, *, width: int, sentences: bool) -> list[str]:
    """What is printed: files, rows by table, every kind of defect once, what was left out and why."""
    from deleverage.data.finding import printable

    known = f", {len(report.known):,} were there already" if report.known else ""
    lines = [f"{_files(len(report.imported))} into {lake}{known}"]
    held = [(name, count) for name, count in report.rows.items() if count]
    if held:
        lines += ["", *_tables([(name, report.added.get(name, 0), count) for name, count in held], width)]
    if report.noted:
        lines += ["", *_defects(report, width, sentences)]
    if report.skipped:
        lines += ["", f"left out: {_files(len(report.skipped))}", *_reasons(report, width)]
    return [printable(line) for line in lines]


def _tables(held: list[tuple[str, int, int]], width: int) -> list[str]:
    """Rows by table, in two columns where they are many and there is room."""
    cells = [("table", "added", "rows"), *((name, _added(new), f"{all_:,}") for name, new, all_ in held)]
    names, added, rows = (max(len(cell[k]) for cell in cells) for k in range(3))
    head, *told = [f"{one:<{names}}  {two:>{added}}  {three:>{rows}}" for one, two, three in cells]
    across = 2 if len(told) > 8 and 2 * len(head) + 4 <= width else 1
    return ["    ".join([head] * across), *_grid(told, across, "    ")]


def _files(count: int) -> str:
    return f"{count:,} file" + ("" if count == 1 else "s")


def _added(count: int) -> str:
    return f"+{count:,}" if count else "–"


def _grid(cells: list[str], across: int, between: str = "  ") -> list[str]:
    """Cells in columns, read downwards."""
    height = -(-len(cells) // across)
    wide = max(len(cell) for cell in cells)
    return [between.join(cell.ljust(wide) for cell in cells[row::height]).rstrip() for row in range(height)]


def _defects(report: ImportReport, width: int, sentences: bool) -> list[str]:
    import textwrap

    count = len(report.noted)
    head = f"wrong with the data, and dealt with: {count} kind{'' if count == 1 else 's'}"
    names = sorted(report.noted)
    if not sentences and count > _FEW:
        wide = max(len(name) for name in names)
        across = max((width + 2) // (wide + 2), 1)
        told = textwrap.wrap(f"{head} (--defects: what, where)", width, subsequent_indent="  ")
        return [*told, *_grid(names, across)]
    lines = [head]
    for name in names:
        one = report.noted[name]
        where = ", ".join(
            part
            for part in (
                _files(len(one.files)) if one.files else "",
                f"{one.rows:,} rows" if one.rows else "",
            )
            if part
        )
        lines.append(f"{name}  [{where}]" if where else name)
        text = f"{one.defect.defect}; {one.defect.handled}"
        if one.example:
            text += f". {one.example}"
        lines += textwrap.wrap(text, width - 4, initial_indent="    ", subsequent_indent="    ")
    return lines


def _reasons(report: ImportReport, width: int) -> list[str]:
    """Files that were left out by reason, the most frequent first; one alone is named."""
    import textwrap

    files: dict[str, list[str]] = {}
    for file, reason in report.skipped:
        files.setdefault(reason, []).append(file)
    lines = []
    for reason, names in sorted(files.items(), key=lambda item: -len(item[1])):
        text = f"{len(names):>4}  {reason}"
        if len(names) == 1:
            text += f": {names[0]}"
        lines += textwrap.wrap(text, width, subsequent_indent="      ", break_on_hyphens=False)
    return lines
