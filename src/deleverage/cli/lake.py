"""The commands of the lake: observed market data, looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The lake: observed market data.")

LakeFolder = Annotated[Path, typer.Option("--lake", metavar="DIR", help="Folder of the lake.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
