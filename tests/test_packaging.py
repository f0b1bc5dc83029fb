"""What is installed, from where, and what starting the program costs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import deleverage

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LISTS = ("run", "build", "dev")


def pins(name: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Requirement and hashes of every line of a lock, by name."""
    text = (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        requirement, *hashes = line.split("--hash=")
        parsed = Requirement(requirement)
        assert canonicalize_name(parsed.name) not in found, f"{parsed.name} has two versions in {name}.txt"
        found[canonicalize_name(parsed.name)] = (parsed, [one.strip() for one in hashes])
    return found


@pytest.mark.parametrize("name", LISTS)
def test_every_line_of_a_lock_has_one_exact_version_and_hashes(name: str) -> None:
    for requirement, hashes in pins(name).values():
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement


@pytest.mark.parametrize("name", LISTS)
def test_a_lock_names_no_address_and_no_option_but_hashes(name: str) -> None:
    lines = (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        words = re.sub(r"^#.*|--hash=sha256:\S+", "", line)
        assert not re.search(r"://|@|--|\bfile:", words), line


def test_the_three_locks_agree() -> None:
    everything = pins("dev")
    for name in ("run", "build"):
        for package, (requirement, hashes) in pins(name).items():
            assert everything[package] == (requirement, hashes), package


def test_locks_satisfy_what_the_project_declares() -> None:
    groups = PROJECT["dependency-groups"]
    declared = {
        "run": PROJECT["project"]["dependencies"],
        "build": groups["build"],
        "dev": [line for line in groups["dev"] if isinstance(line, str)],
    }
    for name, lines in declared.items():
        locked = pins(name)
        for wanted in map(Requirement, lines):
            pin, _ = locked[canonicalize_name(wanted.name)]
            (exact,) = pin.specifier
            assert wanted.specifier.contains(exact.version), f"{wanted} against {pin}: run scripts/lock"


def test_run_lock_holds_no_development_package() -> None:
    assert (
        not {"pytest", "hypothesis", "ruff", "mypy", "playwright", "hatchling", "pyarrow"}
        & pins("run").keys()
    )


def test_installed_packages_are_the_locked_ones() -> None:
    for package in ("numba", "numpy", "polars", "matplotlib", "pydantic", "typer"):
        (exact,) = pins("run")[package][0].specifier
        assert Version(version(package)) == Version(exact.version), f"{package}: run python3 scripts/do test"


def test_version_is_said_once() -> None:
    assert version("deleverage") == deleverage.__version__


def test_command_is_the_main_function_of_cli() -> None:
    (script,) = entry_points(group="console_scripts", name="deleverage")
    assert script.value == "deleverage.cli:main"
    assert callable(script.load())


def test_starting_the_command_loads_nothing_heavy() -> None:
    # ~1 s for numba alone; `--help` has half a second
    program = """
import contextlib, io, sys
from deleverage.cli import main
sys.argv = ["deleverage", "--help"]
text = io.StringIO()
try:
    with contextlib.redirect_stdout(text):
        code = main()
except SystemExit as end:
    code = end.code
assert not code, code
assert "scenario" in text.getvalue(), text.getvalue()
heavy = {"numba", "llvmlite", "polars", "matplotlib", "ray", "ccxt", "fastapi"} & set(sys.modules)
print(sorted(heavy))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
