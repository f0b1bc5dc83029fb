"""Does a licence text beside data forbid what one may want to do with it?"""

from __future__ import annotations

import re

from deleverage.data.importers.base import Defect
from deleverage.data.importers.layout import Layout

_GPL = re.compile(r"GNU (AFFERO )?GENERAL PUBLIC LICENSE", re.IGNORECASE)
_NON_COMMERCIAL = re.compile(r"non[\s\u2010-\u2013-]*commercial", re.IGNORECASE)


def restriction(layout: Layout, folder: str) -> Defect | None:
    """What a text forbids; None where it is no licence, or one that asks for a notice only."""
    if layout.kind not in ("document", "other"):
        return None
    if _GPL.search(layout.head):
        return Defect(
            "licence-copyleft",
            "data files of a project under the GPL",
            "imported for use here; not for redistribution with the product",
            example=folder,
        )
    if _NON_COMMERCIAL.search(layout.head) and "license" in layout.head.lower():
        return Defect(
            "licence-non-commercial",
            "data whose licence forbids commercial use",
            "imported for research; not for a commercial product, and named with its author",
            example=folder,
        )
    return None
