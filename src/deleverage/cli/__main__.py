"""What does `python -m deleverage.cli` do? The same as `deleverage`."""

from __future__ import annotations

import sys

from deleverage.cli import main

sys.exit(main())
