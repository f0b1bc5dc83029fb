"""Does the program give the numbers that theory and print demand? Every verdict, in one table.

    python -m verify                          all of it: about two minutes
    python -m verify --only HK,MDD,adl_toy    only ids that begin so, or modules of that name
    python -m verify --list                   what there is, without running anything
    python -m verify --out all.json           everything in one file, too

Each module in `MODULES` has ``verdicts()``. What it found is written to `verify/verdicts/MODULE.json`, for
readers who do not run it; one that could not run for want of data leaves its file as it is.
Studies take long and stay commands of their own: what they last wrote, `verify/verdicts/STUDY-DATE.json`, is
shown with its date. Exits 1 where a verdict does not hold, a departure no longer departs, or a module fails.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import deleverage
from verify.studies import STUDIES, TOOLS, stored
from verify.table import body, heading, summary
from verify.verdict import Departure, Finding, NotRun, Verdict, as_row, passes

FOLDER = Path(__file__).resolve().parent / "verdicts"

MODULES: dict[str, str] = {
    "geanakoplos": "GEA",
    "margin_spiral": "BP",
    "leverage_target": "AS",
    "thurner": "TFG",
    "fire_sales": "CS",
    "vulnerable_banks": "GLT",
    "invariance": "KO",
    "book_impact": "SQ OW",
    "cross_impact": "X",
    "perpetual_price": "AHJ",
    "linear_cascade": "LIN",
    "tipping": "TIP",
    "liquidation_prices": "LIQ",
    "shapley_axioms": "SHAP",
    "adl_toy": "ADL-1 ADL-2",
    "adl_waves": "ADL-3",
    "insurance_fund": "IF",
    "hawkes": "HK",
    "branching": "BR",
    "drawdown": "MDD",
    "fisher": "FISH",
    "fear_greed": "FG",
    "scoring": "PS",
}
"""Module and the beginnings of its ids, in the order of the table."""


@dataclass(frozen=True)
class Broken:
    """A module that gave no verdicts: it is not there, or it failed."""

    module: str
    why: str


def asked(only: Sequence[str], modules: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Modules to run, each with the beginnings of ids that are wanted of it; none: all of them.

    Raises
    ------
    SystemExit
        a word that no module and no id begins with.
    """
    if not only:
        return dict.fromkeys(modules, ())
    chosen: dict[str, tuple[str, ...]] = {}
    for word in only:
        if word in modules:
            chosen[word] = ()
            continue
        hit = [
            name
            for name, ids in modules.items()
            if any(word.upper().startswith(id_) or id_.startswith(word.upper()) for id_ in ids.split())
        ]
        if not hit:
            known = ", ".join(sorted({id_ for ids in modules.values() for id_ in ids.split()}))
            raise SystemExit(f"--only: expected a module or a beginning of {known}; found '{word}'")
        for name in hit:
            if chosen.get(name, None) != ():
                chosen[name] = (*chosen.get(name, ()), word.upper())
    return {name: chosen[name] for name in modules if name in chosen}


def found_by(name: str) -> list[Finding] | Broken:
    """What a module says, or why it says nothing; an error of one module does not stop the others."""
    try:
        module = importlib.import_module(f"verify.{name}")
        findings = list(cast(Callable[[], Iterable[object]], module.verdicts)())
    except Exception as error:
        traceback.print_exc()
        return Broken(name, f"{type(error).__name__}: {error}")
    found = [x for x in findings if isinstance(x, Verdict | NotRun | Departure)]
    if len(found) < len(findings) or not found:
        return Broken(name, f"expected verdicts, found {findings[:1] or 'none'}")
    return found


def document(module: str, findings: Sequence[Finding]) -> dict[str, object]:
    """What is written of one module; no clock in it, so that the same numbers make the same file."""
    return {
        "module": f"verify.{module}",
        "version": deleverage.__version__,
        "findings": [as_row(finding) for finding in findings],
    }


def with_stored(finding: Finding, path: Path) -> Finding:
    """The finding, which says where its last numbers are if it was not run and there are any."""
    if not isinstance(finding, NotRun) or not path.exists():
        return finding
    version = json.loads(path.read_text(encoding="utf-8"))["version"]
    return replace(finding, why=f"{finding.why}. Last numbers, of version {version}: {path.name}")


def write(path: Path, content: object) -> None:
    """Write JSON with a final newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    options = argparse.ArgumentParser(
        prog="python -m verify", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--only", default="", help="ids (their beginnings) or modules, by comma")
    options.add_argument("--out", type=Path, help="JSON file for everything that was found")
    options.add_argument("--verdicts", type=Path, default=FOLDER, help="folder of the files by module")
    options.add_argument("--no-save", action="store_true", help="do not write the files by module")
    options.add_argument("--list", action="store_true", help="say what there is and stop")
    return options


def show_list(modules: dict[str, str]) -> None:
    """Modules, studies and tools, one a line."""
    for name, ids in modules.items():
        print(f"verdicts  {ids:14} verify/{name}.py")
    for study in STUDIES:
        print(f"study     {study.id:14} {study.command}")
    for name, what in TOOLS.items():
        print(f"tool      {'':14} verify/{name}.py: {what}")


def main(arguments: Sequence[str] | None = None, modules: dict[str, str] | None = None) -> int:
    """Run, print, save; 1 where something does not hold."""
    chosen = parser().parse_args(arguments)
    modules = MODULES if modules is None else modules
    if chosen.list:
        show_list(modules)
        return 0
    only = [word.strip() for word in chosen.only.split(",") if word.strip()]
    findings: list[Finding] = []
    broken: list[Broken] = []
    seconds: dict[str, float] = {}
    for name, prefixes in asked(only, modules).items():
        print(f"{name} …", end=" ", file=sys.stderr, flush=True)
        start = time.perf_counter()
        result = found_by(name)
        seconds[name] = time.perf_counter() - start
        print(f"{seconds[name]:.1f} s", file=sys.stderr, flush=True)
        if isinstance(result, Broken):
            broken.append(result)
            continue
        path = chosen.verdicts / f"{name}.json"
        if all(isinstance(finding, NotRun) for finding in result):
            result = [with_stored(finding, path) for finding in result]
        elif not chosen.no_save:
            write(path, document(name, result))
        findings += [x for x in result if not prefixes or x.id.upper().startswith(prefixes)]
    studies = [] if only else stored(chosen.verdicts)
    print(heading())
    for line in body(findings):
        print(line)
    for study in studies:
        print("\n".join(study.lines()))
    for module in broken:
        print(f"BROKEN     verify.{module.module}: {module.why}")
    print(summary(findings, len(broken), sum(seconds.values())))
    if chosen.out is not None:
        whole = {
            "version": deleverage.__version__,
            "findings": [as_row(finding) for finding in findings],
            "studies": [study.as_row() for study in studies],
            "broken": [{"module": module.module, "why": module.why} for module in broken],
        }
        write(chosen.out, whole)
    if not findings and not broken:
        print("expected something to verify, found nothing that --only names", file=sys.stderr)
        return 1
    return 0 if not broken and all(map(passes, findings)) else 1


if __name__ == "__main__":
    sys.exit(main())
