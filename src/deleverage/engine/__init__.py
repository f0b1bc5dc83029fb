"""The machine: one market, second by second, in integers."""
