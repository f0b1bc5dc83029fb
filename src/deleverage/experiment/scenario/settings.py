"""How does a value that the user sets for one run reach its figure or setting?"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from deleverage.experiment.scenario.figure import Needs
from deleverage.experiment.scenario.problems import (
    Problem,
    as_error,
    did_you_mean,
    model_at,
    needs_at,
    shown,
)

USER_SOURCE = "user"
"""Key in ``sources`` of every figure set by the user."""

_PRIOR_KEYS = ("value", "low", "high")

Model = type[BaseModel]


def apply_settings(tables: dict[str, Any], settings: Mapping[str, object], scenario: Model) -> None:
    """Set every key of ``settings`` in ``tables``, the plain dicts of a scenario; texts are TOML values.

    Raises
    ------
    ScenarioError
        no such key, or no number where one is needed. Bounds are left to the validation of ``scenario``.
    """
    for key, value in settings.items():
        _set(tables, key, _setting_value(value), scenario)


def _setting_value(value: object) -> object:
    """Numbers, booleans, times and lists in TOML form; everything else stays a text."""
    if not isinstance(value, str):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _set(tables: dict[str, Any], key: str, value: object, scenario: Model) -> None:
    parts = tuple(key.split("."))
    path, last = (parts, "value") if needs_at(scenario, parts) else (parts[:-1], parts[-1])
    needs = needs_at(scenario, path)
    section = _section_of(tables, path)
    if needs and section is not None and last in _PRIOR_KEYS:
        _set_figure(tables, section, path, last, value, needs)
    elif not _set_plain(tables, parts, value):
        hint = did_you_mean(key, _settable(tables, scenario))
        raise as_error([Problem(None, key, "the key of a figure or a setting", "no such key", hint)], "--set")


def _section_of(tables: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any] | None:
    section: Any = tables
    for part in path[:-1]:
        section = section.get(part) if isinstance(section, dict) else None
    return section if isinstance(section, dict) else None


def _set_figure(
    tables: dict[str, Any],
    section: dict[str, Any],
    path: tuple[str, ...],
    key: str,
    value: object,
    needs: Needs,
) -> None:
    name = ".".join(path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = "Write a plain number in that unit; a share of 2 % is 0.02."
        raise as_error([Problem(None, name, needs.expected, shown(value), hint)], "--set")
    figure = dict(section.get(path[-1], {"unit": needs.unit}))
    if key != "value" and "prior" not in figure:
        found, hint = f"the number {figure.get('value')!r}", f"Set the figure itself: {name}=..."
        raise as_error([Problem(None, f"{name}.{key}", "a figure with a prior", found, hint)], "--set")
    stale = {"lake", "at", "sha256"} | ({"prior", "low", "high"} if key == "value" else set())
    kept = {inner: item for inner, item in figure.items() if inner not in stale}
    section[path[-1]] = {**kept, key: value, "mark": "set by user", "source": USER_SOURCE}
    tables["sources"][USER_SOURCE] = "set by the user for this run"


def _set_plain(tables: dict[str, Any], parts: tuple[str, ...], value: object) -> bool:
    section = _section_of(tables, parts)
    if (
        section is None
        or parts[0] in ("sources", "published")
        or isinstance(section.get(parts[-1]), dict | None)
    ):
        return False
    section[parts[-1]] = value
    return True


def _settable(tables: Mapping[str, Any], scenario: Model) -> list[str]:
    """Every key of a figure, present or optional, and of a setting."""
    keys = [f"{section}.{key}" for section in ("run", "venue_rules") for key in tables[section]]
    for name in scenario.model_fields:
        inner = (
            [(name, part) for part in tables[name]]
            if name in ("market", "insurance", "venues")
            else [(name,)]
        )
        for path in inner:
            model = model_at(scenario, path)
            keys += (
                [".".join((*path, key)) for key in model.model_fields if needs_at(scenario, (*path, key))]
                if model
                else []
            )
    return [*keys, "start", "end"]
