"""Can a user write a file of claims from its page alone?"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from deleverage.claims.read import read_claims
from deleverage.errors import InputError
from deleverage.experiment.measures import ALL

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"


def _example() -> str:
    text = PAGE.read_text("utf-8").partition("## The file")[2]
    return dedent("\n".join(line for line in text.splitlines() if line.startswith("    ")))


def test_the_example_of_the_page_is_a_file_that_is_read() -> None:
    read, _ = read_claims(_example(), "page.toml", ALL)
    claim = read.claim[0]
    assert claim.id == "eth_fall" and claim.figure[0].parameters == {"coin": "ETH"}


def test_the_keys_that_the_page_calls_needed_are_those() -> None:
    for key in ("parameters", "rounding"):
        lines = [line for line in _example().splitlines() if not line.startswith(key)]
        read_claims("\n".join(lines), "page.toml", ALL)
    for key in ("id", "text", "kind", "measure", "reading", "stated", "unit", "tolerance"):
        lines = [line for line in _example().splitlines() if not line.startswith(f"{key} =")]
        with pytest.raises(InputError, match=key):
            read_claims("\n".join(lines), "page.toml", ALL)
