"""The commands `scenario list`, `scenario show` and `scenario check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from deleverage.errors import InputError
    from deleverage.experiment.scenario import Scenario

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Embedded scenarios, and own ones.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list", epilog="\b\nExample:\n  deleverage scenario list")
def list_scenarios(json: Json = False) -> None:
    """List the embedded scenarios."""
    from deleverage.cli.stream import emit, emit_json
    from deleverage.experiment.scenario import ALIASES, Scenario, embedded_names

    entries = [_entry(Scenario.load(name), name, ALIASES) for name in embedded_names()]
    if json:
        emit_json(entries)
        return
    width = max(len(", ".join([entry["name"], *entry["aliases"]])) for entry in entries)
    for entry in entries:
        names = ", ".join([*entry["aliases"], entry["name"]])
        emit(f"{names:<{width}}  {entry['title']}: {', '.join(entry['markets'])}, {entry['minutes']} minutes")


def _entry(scenario: Scenario, name: str, aliases: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "aliases": [alias for alias, stored in aliases.items() if stored == name],
        "title": scenario.title,
        "description": scenario.description,
        "venue": scenario.venue,
        "markets": list(scenario.markets),
        "start": f"{scenario.start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{scenario.end:%Y-%m-%dT%H:%M:%SZ}",
        "minutes": scenario.steps // 60,
    }


@app.command(
    "show",
    epilog="\b\nExamples:\n  deleverage scenario show oct-10\n  deleverage scenario show oct-10 > mine.toml",
)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An embedded scenario, or a TOML file.")],
    json: Json = False,
) -> None:
    """Print a scenario in full: TOML with comments, every figure with its mark and source."""
    from deleverage.cli.stream import emit, emit_json
    from deleverage.experiment.scenario import ALIASES, Scenario
    from deleverage.experiment.scenario.files import find_text

    text, file = find_text(name)
    if not json:
        emit(text)
        return
    scenario = Scenario.from_text(text, file)
    emit_json(
        {
            **_entry(scenario, scenario.name, ALIASES),
            "sha256": scenario.sha256(),
            "run": scenario.run.model_dump(),
            "venue_rules": scenario.venue_rules.model_dump(),
            "figures": scenario.figures().to_dicts(),
            "published": [item.model_dump() for item in scenario.published],
        }
    )


@app.command("check", epilog="\b\nExample:\n  deleverage scenario check mine.toml")
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A TOML file, or an embedded scenario.")],
    json: Json = False,
) -> None:
    """Check a scenario; say every line that is wrong. Exit code 0 if it can be run, 2 if not."""
    from deleverage.cli.failure import BAD_INPUT
    from deleverage.cli.stream import emit, emit_json, note
    from deleverage.errors import InputError
    from deleverage.experiment.scenario import Scenario
    from deleverage.experiment.world import check_setup

    try:
        scenario = Scenario.load(file if "/" in file or not Path(file).is_file() else f"./{file}")
        check_setup(scenario)  # venue, date, contracts and figures must go together, as for a run
    except InputError as error:
        if not json:
            for problem in _problems(error):
                note("\n  ".join(part for part in (problem["text"], problem["hint"]) if part))
        else:
            emit_json({"file": file, "ok": False, "problems": _problems(error)})
        raise typer.Exit(BAD_INPUT) from None
    figures = scenario.figures()
    marks = dict(sorted(figures["mark"].value_counts().rows()))
    if json:
        emit_json({"file": file, "ok": True, "problems": [], "figures": figures.height, "marks": marks})
    else:
        counts = ", ".join(f"{count} {mark}" for mark, count in marks.items())
        emit(f"{file}: can be run; {figures.height} figures ({counts}), {len(scenario.priors())} priors")


def _problems(error: InputError) -> list[dict[str, Any]]:
    """Each thing that is wrong: line, key, expected, found, hint and the whole text."""
    found = error.context.get("problems")
    if isinstance(found, list):
        return found
    keys = ("line", "key", "expected", "found")
    return [{**{key: error.context.get(key) for key in keys}, "hint": error.hint, "text": error.message}]
