"""Which scenarios ship with the program, and how a scenario's text is found by name or path."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path

from deleverage.errors import ScenarioError

ALIASES: dict[str, str] = {"oct-10": "oct-10-four-venues"}
"""Names that stand for the best embedded version of an episode."""


def embedded_names() -> list[str]:
    """Names of the embedded scenarios, sorted, without aliases."""
    folder = resources.files("deleverage.scenarios")
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def embedded_text(name: str) -> str:
    """The commented TOML of an embedded scenario, by name or alias.

    Raises
    ------
    ScenarioError
        no such name; says which there are.
    """
    stored = ALIASES.get(name, name)
    names = embedded_names()
    if stored not in names:
        choices = [*ALIASES, *names]
        near = difflib.get_close_matches(name, choices, n=1)
        raise ScenarioError(
            f"expected the name of an embedded scenario or the path of a TOML file, found {name!r}",
            hint=(f"Did you mean {near[0]!r}? " if near else "") + f"Embedded: {', '.join(choices)}.",
            file=name,
            expected="a scenario",
            found=name,
        )
    return (resources.files("deleverage.scenarios") / f"{stored}.toml").read_text(encoding="utf-8")


def find_text(name_or_path: str | Path) -> tuple[str, str]:
    """Text of a scenario, and the file name for messages."""
    given = str(name_or_path)
    looks_like_file = (
        isinstance(name_or_path, Path) or given.endswith(".toml") or "/" in given or "\\" in given
    )
    if not looks_like_file:
        return embedded_text(given), f"{ALIASES.get(given, given)}.toml"
    path = Path(given)
    try:
        return path.read_text(encoding="utf-8"), given
    except FileNotFoundError:
        reason, hint = "no such file", f"Embedded scenarios: {', '.join([*ALIASES, *embedded_names()])}."
    except IsADirectoryError:
        reason, hint = "a folder", "Give the TOML file itself."
    except UnicodeDecodeError as error:
        reason, hint = f"bytes that are not UTF-8 (at byte {error.start})", "Save the file as UTF-8."
    except OSError as error:
        reason, hint = (error.strerror or "an unreadable file").lower(), "Check its permissions."
    raise ScenarioError(
        f"{given}: expected a readable TOML file, found {reason}",
        hint=hint,
        file=given,
        expected="a readable TOML file",
        found=reason,
    ) from None
