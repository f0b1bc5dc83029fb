"""What is a scenario: the market, the people in it, the rules and the news of one run, read from TOML."""

from __future__ import annotations

from deleverage.experiment.scenario.figure import Figure, LakeQuery, Mark, Needs, Unit
from deleverage.experiment.scenario.files import ALIASES, embedded_names, embedded_text
from deleverage.experiment.scenario.model import Scenario
from deleverage.experiment.scenario.sections import (
    Arbitrage,
    Book,
    DipBuyers,
    Exit,
    Fees,
    Insurance,
    Makers,
    Market,
    Newcomers,
    News,
    Population,
    ProfitTakers,
    Published,
    RunSize,
    Venue,
    VenueRules,
    Withdrawal,
)

__all__ = [
    "ALIASES",
    "Arbitrage",
    "Book",
    "DipBuyers",
    "Exit",
    "Fees",
    "Figure",
    "Insurance",
    "LakeQuery",
    "Makers",
    "Mark",
    "Market",
    "Needs",
    "Newcomers",
    "News",
    "Population",
    "ProfitTakers",
    "Published",
    "RunSize",
    "Scenario",
    "Unit",
    "Venue",
    "VenueRules",
    "Withdrawal",
    "embedded_names",
    "embedded_text",
]
