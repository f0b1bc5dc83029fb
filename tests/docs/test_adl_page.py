"""Does the page on deleveraging name every policy, and does its example print what it shows?"""

from __future__ import annotations

import contextlib
import io
import re

from deleverage.venues.adl import policies
from tests.docs.pages import DOCS, blocks

PAGE = DOCS / "adl.md"


def test_example_prints_what_the_page_shows() -> None:
    (example,) = [block for block in blocks(PAGE) if block.language == "python"]
    (shown,) = [block for block in blocks(PAGE) if block.language == "text"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example.text, PAGE.name, "exec"), {})
    assert printed.getvalue() == shown.text


def test_table_names_every_policy_in_order_and_says_which_close_lots() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|.*\| ?(whole)? ?\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(name, "whole" if policy.whole_lots else "") for name, policy in policies.items()]
