"""The command `run`: the main job."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deleverage.errors import InputError, LedgerError

if TYPE_CHECKING:
    from deleverage.experiment.answer import Answer
    from deleverage.experiment.scenario import Scenario


EXAMPLES = """\b
Examples:
  deleverage run oct-10
  deleverage run oct-10 --seeds 16 --set news.shock=0.05
  deleverage run oct-10 --lake lake --out out
  deleverage run --replay out/run.json"""


class Executor(StrEnum):
    """Where the draws are computed."""

    threads = "threads"
    process = "process"
    ray = "ray"


def run(
    scenario: Annotated[
        str | None, typer.Argument(metavar="SCENARIO", help="An embedded scenario, or a TOML file.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of draws, instead of the scenario's.")
    ] = None,
    accounts: Annotated[
        int | None, typer.Option(min=1, help="Number of accounts, instead of the scenario's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The first seed: same seed, same bytes.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a figure of the scenario. Repeatable."),
    ] = None,
    lake: Annotated[
        str | None, typer.Option(metavar="DIR", help="Take the initial state from this lake.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write run.json, tables and note.html there.")
    ] = None,
    executor: Annotated[Executor, typer.Option(help="Where the draws are computed.")] = Executor.threads,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of workers; as many as cores by default.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Recount the whole ledger and sweep all accounts at every step.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Repeat the run of this run.json; no SCENARIO needed.")
    ] = None,
) -> None:
    """Run SCENARIO, with and without each mechanism, and compare."""
    from deleverage.experiment.output import check_target

    if out is not None:
        check_target(out)
    if replay is not None:
        _only_replay(scenario, settings, lake)
        answer, ran = _again(replay, seeds, accounts, executor, workers, check)
    else:
        if scenario is None:
            raise InputError(
                "expected a SCENARIO, found none",
                hint="`deleverage scenario list` shows the embedded ones; try `deleverage run oct-10`.",
            )
        answer, ran = _fresh(
            scenario,
            settings or [],
            lake,
            seeds=seeds,
            accounts=accounts,
            seed=seed,
            executor=executor.value,
            workers=workers,
            check=check,
        )
    _finish(answer, ran, out=out, json=json)


def parse_settings(settings: list[str]) -> dict[str, str]:
    """``["news.shock=0.05"]`` as a dict; the last of several wins."""
    parsed = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise InputError(
                f"--set {text}: expected KEY=VALUE, found {text!r}", hint="For example --set news.shock=0.05."
            )
        parsed[key.strip()] = value.strip()
    return parsed


def _fresh(
    name: str, settings: list[str], lake_folder: str | None, **options: Any
) -> tuple[Answer, Scenario]:
    changes = parse_settings(settings)
    from deleverage.experiment.scenario import Scenario

    scenario = Scenario.load(name).with_settings(changes)
    lake = None
    if lake_folder is not None:
        from deleverage.data.lake import Lake

        lake = Lake.open(lake_folder)
        scenario = scenario.with_lake(lake)
    return _run(scenario, lake=lake, **options), scenario


def _again(
    file: Path, seeds: int | None, accounts: int | None, executor: Executor, workers: int | None, check: bool
) -> tuple[Answer, Scenario]:
    from deleverage.experiment.output import read_replay

    past = read_replay(file)
    answer = _run(
        past.scenario,
        lake=None,
        candles=past.candles,
        seeds=seeds or past.seeds,
        accounts=accounts or past.accounts,
        seed=past.seed,
        executor=executor.value,
        workers=workers,
        check=check,
    )
    return answer, past.scenario


def _only_replay(scenario: str | None, settings: list[str] | None, lake: str | None) -> None:
    given = [name for name, value in (("SCENARIO", scenario), ("--set", settings), ("--lake", lake)) if value]
    if given:
        raise InputError(
            f"expected --replay alone, found {', '.join(given)} beside it",
            hint="A replay takes scenario, settings and data from run.json; leave the others out.",
        )


def _run(scenario: Scenario, **options: Any) -> Answer:
    from deleverage.cli.stream import Progress
    from deleverage.experiment.run import run as run_scenario

    with Progress() as progress:
        answer: Answer = run_scenario(scenario, progress=progress, **options)
    return answer


def _finish(answer: Answer, scenario: Scenario, *, out: Path | None, json: bool) -> None:
    from deleverage.cli.stream import columns, emit, emit_json, has_colour, note

    ledger = answer.summary["ledger"]
    if ledger["residual"] or ledger["open_interest_imbalance"]:
        raise LedgerError(
            f"expected a ledger that adds up to 0, found residual {ledger['residual']} and open-interest "
            f"imbalance {ledger['open_interest_imbalance']}"
        )
    written = ""
    if out is not None:
        from deleverage.experiment.output import NOTE_FILE, write_answer
        from deleverage.report.note import write_note

        write_answer(answer, out, scenario=scenario, note=write_note)
        written = str(out / NOTE_FILE)
    if json:
        emit_json(answer.summary)
        if written:
            note(f"written: {written}")
    else:
        from deleverage.report.terminal import screen

        emit(screen(answer, width=columns(), color=has_colour(), note=written))
