"""The world in: files are imported into a lake, and the lake answers for every figure."""

from deleverage.data.figure import FigureQuery, Observation
from deleverage.data.importing import ImportReport, import_paths
from deleverage.data.lake import Lake, TableStatus

__all__ = ["FigureQuery", "ImportReport", "Lake", "Observation", "TableStatus", "import_paths"]
