"""How is the command line tried without the engine? By a run that answers at once, or fails as told.

`python -m tests.cli_driver ARGS...` is `deleverage ARGS...` with such a run, told by the environment:

DRIVER_RAISE   name of an exception that the run raises
DRIVER_SIGNAL  'SIGKILL 7': the process sends itself that signal at its 7th file operation after the run;
               'SIGINT os.rename 2' at the 2nd of that kind
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

from deleverage import errors
from deleverage.experiment.answer import Answer
from deleverage.experiment.scenario import Scenario
from tests.report.sample import sample

RAISED: dict[str, Callable[[], BaseException]] = {
    "InputError": lambda: errors.InputError("expected a, found b", hint="Do c."),
    "MissingDataError": lambda: errors.MissingDataError("no table", hint="Import it."),
    "RunError": lambda: errors.RunError("the run ended early"),
    "LedgerError": lambda: errors.LedgerError("1 USD is missing"),
    "ValueError": lambda: ValueError("surprise"),
    "MemoryError": MemoryError,
    "KeyboardInterrupt": KeyboardInterrupt,
}
_OPERATIONS = ("open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "shutil.rmtree")


def quick_run(
    scenario: Scenario,
    *,
    seeds: int | None = None,
    accounts: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> Answer:
    """An answer that depends on nothing but its arguments."""
    if progress is not None:
        progress(1, 2, "halfway")
    if name := os.environ.get("DRIVER_RAISE"):
        raise RAISED[name]()
    answer = deepcopy(sample(seeds=2, markets=("BTC",)))  # the sample is shared between tests
    answer.summary.update(
        scenario=scenario.name,
        seeds=seeds or scenario.run.seeds,
        accounts=accounts or scenario.run.accounts,
        seed=seed,
        asked={name: option for name, option in options.items() if name not in ("lake", "candles")},
        shock=scenario.news.shock.text,
    )
    answer.summary.pop("wall_s", None)
    if options.get("candles") is not None:
        answer.tables["candles"] = options["candles"]
    _arm(os.environ.get("DRIVER_SIGNAL", ""))
    return answer


def quick_note(answer: Answer, path: Path) -> Path:
    """A note without charts."""
    path.write_text("<p>note</p>", encoding="utf-8")
    return path


def modules() -> dict[str, ModuleType]:
    """What stands in for the engine and the charts."""
    run = ModuleType("deleverage.experiment.run")
    run.run = quick_run  # type: ignore[attr-defined]
    note = ModuleType("deleverage.report.note")
    note.write_note = quick_note  # type: ignore[attr-defined]
    return {run.__name__: run, note.__name__: note}


def _arm(order: str) -> None:
    """Count file operations from now on, and send the signal at the one that was ordered."""
    parts = order.split()
    counted = {"all": 0}

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _OPERATIONS:
            return
        counted["all"] += 1
        counted[event] = counted.get(event, 0) + 1
        if (len(parts) == 2 and counted["all"] == int(parts[1])) or (
            len(parts) == 3 and event == parts[1] and counted[event] == int(parts[2])
        ):
            os.kill(os.getpid(), getattr(signal, parts[0]))

    sys.addaudithook(watch)


if __name__ == "__main__":
    sys.modules.update(modules())
    from deleverage.cli import main

    sys.exit(main())
