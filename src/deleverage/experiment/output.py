"""How is an answer written to a folder, so that the folder is whole or absent, and read back for a replay?"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deleverage import __version__
from deleverage.errors import InputError, InternalError, RunError
from deleverage.experiment.answer import Answer

if TYPE_CHECKING:
    import polars as pl

    from deleverage.experiment.scenario import Scenario

RUN_FILE = "run.json"
NOTE_FILE = "note.html"
FORMAT = "deleverage run"
FORMAT_VERSION = 1

Note = Callable[[Answer, Path], object]
"""Writes the note of an answer to a path. Passed in: reports stand to the right of this room."""


@dataclass(frozen=True)
class Replay:
    """What `run.json` holds: enough to rebuild the run without lake or network."""

    scenario: Scenario
    """The scenario that ran, settings and figures of the lake included as values."""
    seed: int
    seeds: int
    accounts: int
    summary: dict[str, Any]
    candles: pl.DataFrame | None = field(repr=False, default=None)
    """The observed candles that the run was set against; None where there were none."""


# --- before the run ---------------------------------------------------------------------------------


def check_target(folder: str | Path) -> Path:
    """The folder as an absolute path, if an answer may be written there; called before a run starts.

    A target may be absent, an empty folder, or an earlier answer, which will be replaced.

    Raises
    ------
    InputError
        the parent is not there or may not be written, or the target holds something else.
    """
    given = Path(folder)
    target = given.absolute() if not given.is_symlink() else given.resolve()
    target = target.parent.resolve() / target.name
    parent = target.parent
    if not parent.is_dir():
        found = "a file" if parent.exists() else "no such folder"
        raise _not_usable(given, f"a parent folder '{parent}' that exists", found, "Create it first.")
    if target == Path.cwd() or not target.name:
        raise _not_usable(
            given, "a folder of its own", "the current folder", "Give another folder, such as out."
        )
    _check_contents(given, target)
    _check_writable(given, parent)
    return target


def _check_contents(given: Path, target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise _not_usable(given, "a folder, or nothing", "a file", "Give another folder.")
    if any(target.iterdir()) and not _is_answer(target):
        raise _not_usable(
            given,
            "an empty folder or an earlier answer of deleverage",
            "a folder with other files",
            "Nothing was touched; give another folder.",
        )


def _is_answer(folder: Path) -> bool:
    try:
        content = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def _check_writable(given: Path, parent: Path) -> None:
    if not os.access(parent, os.W_OK | os.X_OK):
        raise _not_usable(
            given,
            f"a parent folder '{parent}' that may be written",
            "permission denied",
            "Change its permissions or give another folder.",
        )


def _not_usable(given: Path, expected: str, found: str, hint: str) -> InputError:
    return InputError(f"--out {given}: expected {expected}, found {found}", hint=hint, folder=str(given))


# --- after the run ----------------------------------------------------------------------------------


def write_answer(
    answer: Answer,
    folder: str | Path,
    *,
    scenario: Scenario,
    note: Note | None = None,
    candles: str = "candles",
) -> Path:
    """Write `run.json`, one Parquet file per table and the note; the folder appears whole or not at all.

    Everything is written beside the target first. A process that is killed at any moment leaves the target
    whole or absent, and what it left beside it is swept by the next call.

    Parameters
    ----------
    answer : what `run` returned; its summary names seed, seeds and accounts.
    scenario : the scenario that ran, with settings and figures of the lake.
    note : writes the note to a path; without it there is none.
    candles : name of the table of observed candles, kept in `run.json` too.

    Raises
    ------
    InputError
        the target may not be used (`check_target`).
    RunError
        the disk is full or went away.
    """
    target = check_target(folder)
    try:
        with _beside(target) as partial:
            checksums = _write_tables(answer, partial)
            if note is not None:
                note(answer, partial / NOTE_FILE)
            _write_text(partial / RUN_FILE, _run_json(answer, scenario, checksums, candles))
            _to_disk(partial)
            _put(partial, target)
    except OSError as error:
        raise RunError(
            f"--out {folder}: expected to write the answer, found {error.strerror or error}",
            hint="Nothing was written there; free some space or give another folder.",
            folder=str(folder),
        ) from error
    return target


def _write_tables(answer: Answer, folder: Path) -> dict[str, dict[str, Any]]:
    checksums = {}
    for name, table in sorted(answer.tables.items()):
        path = folder / f"{name}.parquet"
        table.write_parquet(path, compression="zstd", statistics=True)
        _to_disk(path)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        checksums[name] = {"file": path.name, "rows": table.height, "sha256": digest}
    return checksums


def _run_json(answer: Answer, scenario: Scenario, checksums: dict[str, dict[str, Any]], candles: str) -> str:
    observed = answer.tables.get(candles)
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "program": "deleverage",
        "version": __version__,
        "seed": answer.summary["seed"],
        "seeds": answer.summary["seeds"],
        "accounts": answer.summary["accounts"],
        "scenario_sha256": scenario.sha256(),
        "lake": scenario.lake_files(),
        "summary": answer.summary,
        "tables": checksums,
        "observed_candles": observed.to_dicts() if observed is not None and observed.height else None,
        "scenario_toml": scenario.to_toml(),
    }
    return to_json(content)


def to_json(content: object) -> str:
    """JSON text of plain values; a number that is not finite is a bug of ours."""
    try:
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InternalError(f"expected plain finite values in the answer, found: {error}") from error


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    _to_disk(path)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new folder beside ``target``, locked while this process lives; removed if it is still there."""
    _sweep(target)
    partial = target.parent / f".{target.name}.partial-{os.getpid()}"
    handle = -1
    try:
        partial.mkdir()
        handle = os.open(partial, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)  # the kernel drops it with the process: who can take it, may sweep
        yield partial
    finally:
        if partial.exists():
            shutil.rmtree(partial, ignore_errors=True)
        if handle >= 0:
            os.close(handle)


def _put(partial: Path, target: Path) -> None:
    """Rename ``partial`` to ``target``; an earlier answer steps aside first and is then removed."""
    if target.exists() and any(target.iterdir()):
        _check_contents(target, target)
        aside = target.parent / f".{target.name}.replaced-{partial.name.rsplit('-', 1)[1]}"
        os.rename(target, aside)
        os.rename(partial, target)
        _to_disk(target.parent)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        os.rename(partial, target)
        _to_disk(target.parent)


def _sweep(target: Path) -> None:
    """Remove what killed processes left; an earlier answer that one of them had set aside is put back."""
    for aside in sorted(target.parent.glob(f".{target.name}.replaced-*")):
        if not target.exists():
            os.rename(aside, target)
        else:
            shutil.rmtree(aside, ignore_errors=True)
    for partial in target.parent.glob(f".{target.name}.partial-*"):
        if _is_abandoned(partial):
            shutil.rmtree(partial, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- back again -------------------------------------------------------------------------------------


def read_replay(path: str | Path) -> Replay:
    """What is needed to rebuild a run, from its `run.json` (or the folder that holds it) alone.

    Raises
    ------
    InputError
        there is no such file, or it was not written by `run --out`.
    """
    from deleverage.experiment.scenario import Scenario

    file = Path(path) / RUN_FILE if Path(path).is_dir() else Path(path)
    content = _read_run(file)
    scenario = Scenario.from_text(content["scenario_toml"], f"{file} (scenario)")
    return Replay(
        scenario=scenario,
        seed=content["seed"],
        seeds=content["seeds"],
        accounts=content["accounts"],
        summary=content["summary"],
        candles=_candles(content.get("observed_candles")),
    )


def _read_run(file: Path) -> dict[str, Any]:
    def unusable(found: str) -> InputError:
        return InputError(
            f"--replay {file}: expected the {RUN_FILE} of an earlier answer, found {found}",
            hint=f"Give the {RUN_FILE} that `deleverage run ... --out DIR` wrote.",
            file=str(file),
        )

    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise unusable("no such file") from None
    except OSError as error:
        raise unusable((error.strerror or "an unreadable file").lower()) from None
    except ValueError as error:
        raise unusable(f"no JSON ({error})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise unusable("another kind of JSON")
    if content.get("format_version") != FORMAT_VERSION:
        found = content.get("format_version")
        raise unusable(f"format version {found!r}; this program reads {FORMAT_VERSION}")
    kinds = {"scenario_toml": str, "seed": int, "seeds": int, "accounts": int, "summary": dict}
    for key, kind in kinds.items():
        if not isinstance(content.get(key), kind):
            raise unusable(f"no usable '{key}' in it")
    return content


def _candles(rows: list[dict[str, Any]] | None) -> pl.DataFrame | None:
    if not rows:
        return None
    import polars as pl

    from deleverage.schema import CANDLES, conform

    types = {column.name: getattr(pl, column.dtype) for column in CANDLES.columns}
    return conform(pl.DataFrame(rows, schema=types), CANDLES)
