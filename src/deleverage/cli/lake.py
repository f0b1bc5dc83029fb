"""The commands `import` and `lake status`: real market data, in and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

IMPORT_EXAMPLE = "\b\nExample:\n  deleverage import downloads --lake lake"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The lake: observed market data.")

LakeFolder = Annotated[Path, typer.Option("--lake", metavar="DIR", help="Folder of the lake.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def import_files(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files, or folders of them.")],
    lake: LakeFolder,
    json: Json = False,
) -> None:
    """Read files of market data into a lake; all of them, or none."""
    from deleverage.cli.stream import Progress, emit, emit_json, note
    from deleverage.data.importing import import_paths

    with Progress() as progress:
        imported = import_paths(paths, lake, progress=progress)
    report = imported.to_json()
    if json:
        emit_json(report)
        return
    emit(f"{report['files']} files into {lake}")
    for name, table in report["tables"].items():
        if not table["rows"]:
            continue
        emit(f"  {name:<16}{table['added']:>12,} rows added, {table['rows']:,} now")
    for defect in report["defects"]:
        others = f" and {defect['files'] - 1} more" if defect["files"] > 1 else ""
        emit(f"  {defect['file']}{others}: {defect['defect']}; {defect['handled']}")
    if report["skipped"]:
        reasons: dict[str, int] = {}
        for skipped in report["skipped"]:
            reason = skipped["reason"].split(" (")[0]
            reasons[reason] = reasons.get(reason, 0) + 1
        for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
            note(f"left out {count} {'file' if count == 1 else 'files'}: {reason}")
        note("--json lists each file that was left out, with its layout")


@app.command("status", epilog="\b\nExample:\n  deleverage lake status --lake lake")
def status(lake: LakeFolder, json: Json = False) -> None:
    """Say which tables a lake holds, from when to when."""
    from deleverage.cli.stream import emit, emit_json
    from deleverage.data.lake import Lake

    rows = Lake.open(lake).status()
    if json:
        emit_json({"lake": lake, "tables": rows})
        return
    emit(f"{'table':<16}{'rows':>12}{'MB':>9}  from                  to")
    for row in rows:
        span = f"{row.first}  {row.last}" if row.rows else "-"
        emit(f"{row.table:<16}{row.rows:>12,}{row.bytes / 1e6:>9.1f}  {span}")
