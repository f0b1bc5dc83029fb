"""Is everything that a user can name on a page, and does a page name nothing that is not there?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

import deleverage
import deleverage as dl
from deleverage import errors, schema
from deleverage.cli import failure
from deleverage.engine.step import __doc__ as phases
from deleverage.experiment.answer import MECHANISMS
from deleverage.experiment.scenario import Scenario
from docs.make_reference import commands, filled, model_of, pages
from tests.docs.pages import DOCS


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def part(page: str, heading: str) -> str:
    """What stands below a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text(page), re.DOTALL | re.MULTILINE)
    assert found, f"{page} has no heading '{heading}'"
    return found[1]


@pytest.mark.parametrize("page", [page.relative_to(DOCS).as_posix() for page in pages()])
def test_made_tables_are_as_the_code_says(page: str) -> None:
    assert filled(text(page)) == text(page), f"run: python docs/make_reference.py ({page})"


@pytest.mark.parametrize("name", list(commands()))
def test_every_command_has_a_heading_and_every_option_a_row(name: str) -> None:
    here = part("cli.md", f"deleverage {name}".strip())
    for parameter in commands()[name].params:
        shown = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar
        assert f"`{shown}" in here, f"{shown} of `deleverage {name}` is not on its page"
        assert parameter.help, f"{shown} of `deleverage {name}` has no help"


def test_pages_name_no_command_that_is_not_there() -> None:
    first = {name.split()[0] for name in commands() if name}
    for page in sorted(DOCS.rglob("*.md")):
        for word in re.findall(
            r"(?:^ {4}|\$ |`)deleverage ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        ):
            assert word in first, f"{page.name} names `deleverage {word}`"


def test_every_exit_code_is_listed() -> None:
    codes = {
        errors.EXIT_OK,
        errors.EXIT_CHECK_NOT_MET,
        errors.EXIT_INTERNAL,
        failure.STOPPED,
        failure.PIPE_CLOSED,
    }
    codes |= {errors.exit_code(kind("")) for kind in (errors.InputError, errors.DataError, errors.RunError)}
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", part("cli.md", "Exit codes"), re.MULTILINE)}
    assert listed == codes


@pytest.mark.parametrize("name", list(schema.LAKE_TABLES))
def test_every_table_of_the_lake_has_its_columns_on_the_page(name: str) -> None:
    here = part("lake.md", name)
    assert all(f"| `{column}` |" in here for column in schema.LAKE_TABLES[name].names)


@pytest.mark.parametrize("name", [name for name in schema.ANSWER_TABLES if name not in schema.LAKE_TABLES])
def test_every_table_of_an_answer_has_its_columns_on_the_page(name: str) -> None:
    here = part("answer.md", name)
    assert all(f"| `{column}` |" in here for column in schema.ANSWER_TABLES[name].names)


def test_every_column_says_what_it_means_or_stands_beside_one_that_does() -> None:
    for table in (*schema.LAKE_TABLES.values(), *schema.ANSWER_TABLES.values()):
        for column in table.columns:
            told = (
                column.meaning
                or column.name.rsplit("_", 1)[-1] in ("p05", "p50", "p95", "coins")
                or column.unit == ""
            )
            assert told, f"{table.name}.{column.name} says nothing"


def test_every_unit_suffix_of_a_column_is_explained() -> None:
    here = part("nomenclature.md", "Units in names")
    explained = set(re.findall(r"`_(\w+)`", here))
    for table in (*schema.LAKE_TABLES.values(), *schema.ANSWER_TABLES.values()):
        for column in table.columns:
            suffix = column.name.rsplit("_", 1)[-1]
            if (
                column.unit in ("USD", "coins", "bp", "s", "ns UTC", "ppm")
                and "_" in column.name
                and suffix != "24h"
            ):
                assert suffix in explained, f"{table.name}.{column.name}: _{suffix} is not in nomenclature.md"


@pytest.mark.parametrize("name", sorted(Scenario.model_fields))
def test_every_field_of_a_scenario_is_on_the_page(name: str) -> None:
    here = text("scenario.md")
    if name in ("run", "market", "insurance", "venue_rules") or name not in _plain_fields():
        assert re.search(rf"`\[{name}(\.\w+)?\]`|`\[\[{name}\]\]`", here), f"no heading for [{name}]"
        for field in model_of(name).model_fields:
            assert f"| `{field}` |" in here, f"{name}.{field}"
    else:
        assert f"| `{name}` |" in here


def _plain_fields() -> set[str]:
    annotations = {name: str(info.annotation) for name, info in Scenario.model_fields.items()}
    return {name for name, annotation in annotations.items() if "sections." not in annotation}


def test_every_mechanism_is_explained() -> None:
    for name in MECHANISMS:
        assert f"`{name}`" in text("answer.md")
        assert f"`{name}`" in part("engine.md", '9 What "off" means'), name


@pytest.fixture(scope="module")
def small_answer() -> dl.Answer:
    return dl.run("double-trouble", seeds=2, accounts=500)


def _paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and not {"p05", "p50", "p95"} <= set(value):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    else:
        yield path


def test_every_key_of_a_real_summary_is_on_the_page(small_answer: dl.Answer) -> None:
    here = part("answer.md", "The summary, key by key")
    named = set(re.findall(r"[A-Za-z_0-9]+", " ".join(re.findall(r"^\| (`.*?`) \|", here, re.MULTILINE))))
    named |= set(re.findall(r"`(\w+)`", here))
    names = {*small_answer.summary["markets"], *small_answer.summary["insurance_fund"], *MECHANISMS}
    names |= {*small_answer.summary["venues"]}
    packages = set(small_answer.summary["provenance"]["packages"])
    for path in _paths({k: v for k, v in small_answer.summary.items() if k != "published"}):
        missing = [key for key in path if key not in named | names | packages]
        assert not missing, f"{'.'.join(path)}: {missing} is not in answer.md"


def test_every_table_of_a_real_answer_is_on_the_page(small_answer: dl.Answer) -> None:
    for name, table in small_answer.tables.items():
        assert f"### {name}" in text("answer.md" if name != "candles" else "lake.md")
        assert set(table.columns) == set(schema.ANSWER_TABLES[name].names)


def test_public_names_are_in_the_tour_or_on_a_page() -> None:
    everything = "".join(text(page) for page in ("tour.md", "answer.md", "lake.md", "engine.md", "index.md"))
    missing = [n for n in deleverage.__all__ if n not in ("__version__", "Answer") and n not in everything]
    assert not missing, missing
    assert {field.name for field in fields(dl.Answer)} == {"summary", "tables"}


def test_phases_of_the_second_are_numbered_on_the_page_as_in_the_code() -> None:
    assert phases is not None
    last = max(int(number) for number in re.findall(r"^ +(\d+)  ", phases, re.MULTILINE))
    here = part("engine.md", "3 One second")
    numbers = [int(n) for cell in re.findall(r"^\| ([\d–]+) \|", here, re.MULTILINE) for n in cell.split("–")]
    assert sorted(numbers)[0] == 1 and sorted(numbers)[-1] == last == 12
