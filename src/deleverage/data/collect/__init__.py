"""Collecting from venues as it happens: connections, books, gaps, and the way into the lake."""

from deleverage.data.collect.collector import Collector, collect, summary
from deleverage.data.collect.settings import Settings

__all__ = ["Collector", "Settings", "collect", "summary"]
