"""What is a whole scenario: its sections, and how it is loaded, changed, drawn and written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import Field, ValidationError, model_validator

from deleverage.errors import InputError, MissingDataError
from deleverage.experiment.scenario import sections
from deleverage.experiment.scenario.figure import Figure, LakeQuery, Moment, Strict, wrong
from deleverage.experiment.scenario.files import ALIASES, embedded_names, embedded_text, find_text
from deleverage.experiment.scenario.problems import did_you_mean, scenario_error
from deleverage.experiment.scenario.settings import apply_settings
from deleverage.experiment.scenario.text import parse, write

if TYPE_CHECKING:
    import polars as pl

__all__ = ["LakeLike", "ObservationLike", "Scenario"]


class ObservationLike(Protocol):
    """What the lake answers with: a value in the unit of its column, and where it comes from."""

    @property
    def value(self) -> float:
        """In the unit of the column."""
        ...

    @property
    def source(self) -> str:
        """The imported file."""
        ...

    @property
    def sha256(self) -> str:
        """Its checksum."""
        ...

    @property
    def time_ns(self) -> int:
        """Event time [ns UTC]."""
        ...


class LakeLike(Protocol):
    """A lake that can observe one figure."""

    def figure(self, query: Any, /) -> Any:
        """The observation that ``query`` asks for."""
        ...


class Scenario(Strict):
    """Market, population, rules and news of one run; every figure with its unit, mark and source."""

    name: Annotated[str, Field(min_length=1)]
    title: Annotated[str, Field(min_length=1)]
    description: str
    venue: Annotated[str, Field(min_length=1)]
    rules_date: date
    start: Moment
    end: Moment
    no_data_after: Moment
    """No figure may be stamped later: what came after is outcome."""
    markets: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Names of the markets, in the order of every table."""
    sources: dict[str, str]
    run: sections.RunSize
    venues: dict[str, sections.Venue] = Field(default_factory=dict)
    """Several venues by name; empty: `venue` alone. Totals of the parties are divided by open interest."""
    market: dict[str, sections.Market]
    book: sections.Book
    withdrawal: sections.Withdrawal
    news: sections.News
    population: sections.Population
    makers: sections.Makers
    arbitrage: sections.Arbitrage
    profit_takers: sections.ProfitTakers
    dip_buyers: sections.DipBuyers
    newcomers: sections.Newcomers
    insurance: dict[str, sections.Insurance]
    collateral: dict[str, sections.Collateral] = Field(default_factory=dict)
    """Assets that accounts pledge besides the settlement asset; empty: none."""
    fees: sections.Fees
    exit: sections.Exit
    venue_rules: sections.VenueRules
    published: Annotated[tuple[sections.Published, ...], Field(strict=False)] = ()

    # --- in ---------------------------------------------------------------------------------------

    @staticmethod
    def names() -> list[str]:
        """Names of the embedded scenarios, aliases first."""
        return [*ALIASES, *embedded_names()]

    @staticmethod
    def embedded_text(name: str) -> str:
        """The commented TOML of an embedded scenario."""
        return embedded_text(name)

    @classmethod
    def load(cls, name_or_path: str | Path) -> Scenario:
        """Read an embedded scenario by name, or a TOML file by path.

        Raises
        ------
        ScenarioError
            unknown name, unreadable file, or a key or value that is not usable.
        """
        text, file = find_text(name_or_path)
        return cls.from_text(text, file)

    @classmethod
    def from_text(cls, text: str, file: str = "scenario") -> Scenario:
        """Validate TOML text; ``file`` names it in messages."""
        return cls._validated(parse(text, file), text, file)

    @classmethod
    def _validated(cls, tables: Mapping[str, Any], text: str | None, file: str) -> Scenario:
        try:
            return cls.model_validate(tables)
        except ValidationError as error:
            raise scenario_error(error, cls, text, file) from None

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, tables: Any) -> Any:
        """A market with ``like = "BTC"`` has what it does not say itself from the market of that name."""
        markets = tables.get("market") if isinstance(tables, Mapping) else None
        if not isinstance(markets, Mapping):
            return tables
        filled = {}
        for name, market in markets.items():
            like = market.get("like") if isinstance(market, Mapping) else None
            if like is None:
                filled[name] = market
                continue
            known = [other for other, table in markets.items() if "like" not in table]
            if like not in known:
                raise wrong(
                    f"a market that says everything itself, {known}",
                    f"'{like}'",
                    did_you_mean(str(like), known),
                    key=f"market.{name}.like",
                )
            own = {key: value for key, value in market.items() if key != "like"}
            filled[name] = {**markets[like], **own}
        return {**tables, "market": filled}

    @model_validator(mode="after")
    def _agrees(self) -> Scenario:
        """What must hold between sections."""
        self._times_agree()
        self._names_agree()
        for path, figure in self.figure_items():
            if figure.source not in self.sources:
                raise wrong(
                    "a key of [sources]",
                    f"'{figure.source}'",
                    did_you_mean(figure.source, list(self.sources)) + " Or describe it in [sources].",
                    key=f"{path}.source",
                )
            for key, moment in (("at", figure.at), ("lake", figure.lake.at if figure.lake else None)):
                if moment and moment > self.no_data_after:
                    raise wrong(
                        f"a time up to no_data_after = {self.no_data_after:%Y-%m-%dT%H:%M:%SZ}",
                        f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                        "What came later is outcome and may set no figure.",
                        key=f"{path}.{key}",
                    )
        return self

    def _times_agree(self) -> None:
        if not self.start < self.end:
            raise wrong(
                "an end after the start", f"{self.end:%Y-%m-%dT%H:%M:%SZ}", "Exchange the two.", key="end"
            )
        news = self.news
        if (
            news.starts_s.value is not None
            and news.ends_s.value is not None
            and not news.starts_s.value < news.ends_s.value
        ):
            raise wrong(
                f"an end of the news after its start at {news.starts_s.value:g} s",
                f"{news.ends_s.value:g} s",
                "Exchange the two.",
                key="news.ends_s",
            )

    def _names_agree(self) -> None:
        if sorted(self.markets) != sorted(self.market):
            raise wrong(
                f"the names of the [market.*] sections, {sorted(self.market)}",
                str(list(self.markets)),
                "List each market once, in the order of the tables.",
                key="markets",
            )
        for name, market in self.market.items():
            if market.venue not in (None, self.venue, *self.venues):
                raise wrong(
                    "a venue with a section [venues.*]",
                    f"'{market.venue}'",
                    did_you_mean(str(market.venue), list(self.venues)),
                    key=f"market.{name}.venue",
                )
            if market.fund not in self.insurance:
                raise wrong(
                    "a fund with a section [insurance.*]",
                    f"'{market.fund}'",
                    did_you_mean(market.fund, list(self.insurance)),
                    key=f"market.{name}.fund",
                )
        for name, asset in self.collateral.items():
            venue = asset.venue or self.venue
            if venue not in (self.venue, *self.venues):
                raise wrong(
                    "a venue with a section [venues.*]",
                    f"'{venue}'",
                    did_you_mean(venue, list(self.venues)),
                    key=f"collateral.{name}.venue",
                )
            own = [market for market in self.markets if self.venue_of(market) == venue]
            if asset.follows is not None and asset.follows not in own:
                raise wrong(
                    f"a market of {venue}, {own}",
                    f"'{asset.follows}'",
                    did_you_mean(asset.follows, own),
                    key=f"collateral.{name}.follows",
                )
        seen: set[str] = set()
        for number, item in enumerate(self.published):
            if item.id in seen:
                raise wrong(
                    "ids that occur once",
                    f"'{item.id}' again",
                    "Rename one of them.",
                    key=f"published.{number}.id",
                )
            seen.add(item.id)
            if item.source not in self.sources:
                raise wrong(
                    "a key of [sources]",
                    f"'{item.source}'",
                    did_you_mean(item.source, list(self.sources)),
                    key=f"published.{number}.source",
                )

    # --- figures ----------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Seconds from start to end."""
        return round((self.end - self.start).total_seconds())

    @property
    def start_ns(self) -> int:
        """Start, ns UTC."""
        return round(self.start.timestamp()) * 1_000_000_000

    def venue_of(self, market: str) -> str:
        """Where a market trades."""
        return self.market[market].venue or self.venue

    def coin_of(self, market: str) -> str:
        """What a market trades."""
        return self.market[market].coin or market

    @property
    def pledged(self) -> dict[str, sections.Collateral]:
        """The assets that are pledged in a run, by name; none where the switch says so."""
        return self.collateral if self.venue_rules.collateral else {}

    @property
    def absent_mechanisms(self) -> tuple[str, ...]:
        """Mechanisms that nothing in the scenario can set off: no collateral, no outage."""
        halts = [venue.halt_for_s for venue in self.venues.values()]
        absent = []
        if not self.pledged:
            absent.append("collateral")
        if not any(halt.is_prior or halt.number > 0 for halt in halts):
            absent.append("outage")
        return tuple(absent)

    def figure_items(self) -> Iterator[tuple[str, Figure]]:
        """Every figure with its dotted path, in the order of the sections and of ``markets``."""
        for section in type(self).model_fields:
            value = getattr(self, section)
            if isinstance(value, Strict):
                yield from _figures_in(value, section)
            elif isinstance(value, dict) and section != "sources":
                order = self.markets if section == "market" else sorted(value)
                for name in order:
                    yield from _figures_in(value[name], f"{section}.{name}")

    def figure(self, path: str) -> Figure:
        """The figure at a dotted path."""
        for found, figure in self.figure_items():
            if found == path:
                return figure
        raise InputError(
            f"expected the path of a figure, found {path!r}",
            hint=did_you_mean(path, [found for found, _ in self.figure_items()]),
            key=path,
        )

    def priors(self) -> list[tuple[str, Figure]]:
        """Figures that are still distributions, with their paths; `Figure.quantile` draws from one."""
        return [(path, figure) for path, figure in self.figure_items() if figure.is_prior]

    def figures(self) -> pl.DataFrame:
        """Table `figures`: key, value or prior, unit, mark, source."""
        import polars as pl

        from deleverage.schema import FIGURES, conform

        rows = [
            (path, figure.text, figure.unit, figure.mark, self._source_text(figure))
            for path, figure in self.figure_items()
        ]
        return conform(
            pl.DataFrame(rows, schema=dict.fromkeys(FIGURES.names, pl.String), orient="row"), FIGURES
        )

    def _source_text(self, figure: Figure) -> str:
        stamp = f" (at {figure.at:%Y-%m-%d %H:%M} UTC)" if figure.at else ""
        return self.sources[figure.source] + stamp

    # --- changed copies ---------------------------------------------------------------------------

    def at(self, values: Mapping[str, float]) -> Scenario:
        """A copy in which the figures at these paths are fixed to numbers; marks and sources stay."""
        figures = dict(self.figure_items())
        for path in values:
            if path not in figures:
                self.figure(path)  # raises
        return self._with(
            {path: _without_prior(figures[path], value=float(value)) for path, value in values.items()}
        )

    def fixed(self, draw: Mapping[str, float] | None = None) -> Scenario:
        """A copy without priors: each at the quantile that ``draw`` gives for its path, or at its median."""
        quantiles = draw or {}
        return self.at({path: figure.quantile(quantiles.get(path, 0.5)) for path, figure in self.priors()})

    def with_settings(self, settings: Mapping[str, object]) -> Scenario:
        """A copy with values set by the user, such as ``{"news.shock": 0.05, "population.fuel.low": 0.1}``.

        A figure set to a number loses its prior and is marked 'set by user'; texts are read as TOML values.

        Raises
        ------
        ScenarioError
            unknown key, or a value of the wrong kind or outside its bounds.
        """
        if not settings:
            return self
        tables = self._tables()
        apply_settings(tables, settings, type(self))
        return type(self)._validated(tables, None, "--set")

    def with_lake(self, lake: LakeLike) -> Scenario:
        """A copy in which every figure that has a `lake` query holds the lake's observation.

        The mark stays as declared: a stand-in (another time, another contract) remains 'assumed'.

        Raises
        ------
        MissingDataError
            the lake lacks the row; says which figure asked for it.
        InputError
            the row is stamped after ``no_data_after``.
        """
        replaced: dict[str, Figure] = {}
        sources: dict[str, str] = {}
        for path, figure in self.figure_items():
            if figure.lake is not None:
                observation = self._observe(lake, path, figure.lake)
                key = f"lake:{observation.source}"
                sources[key] = f"{observation.source}, read from the lake (table {figure.lake.table})"
                replaced[path] = _without_prior(
                    figure,
                    value=observation.value * figure.lake.scale,
                    source=key,
                    at=_moment(observation.time_ns),
                    sha256=observation.sha256 or None,
                )
        copy = self._with(replaced, {**self.sources, **sources})
        return type(self)._validated(copy._tables(), None, f"{self.name} with the lake")

    def _observe(self, lake: LakeLike, path: str, query: LakeQuery) -> ObservationLike:
        from deleverage.data.figure import FigureQuery

        ask = FigureQuery(
            table=query.table,
            where=dict(query.where),
            at=query.at.isoformat(),
            column=query.column,
            max_age_s=query.max_age_s,
        )
        try:
            observation: ObservationLike = lake.figure(ask)
        except MissingDataError as error:
            raise MissingDataError(
                f"{self.name}, {path}: {error.message}", hint=error.hint, **{**error.context, "figure": path}
            ) from error
        if observation.time_ns > round(self.no_data_after.timestamp()) * 1_000_000_000:
            raise InputError(
                f"{self.name}, {path}: expected an observation up to "
                f"{self.no_data_after:%Y-%m-%dT%H:%M:%SZ}, found one of "
                f"{_moment(observation.time_ns):%Y-%m-%dT%H:%M:%SZ} in {observation.source}",
                hint="What came later is outcome and may set no figure; ask for an earlier row.",
                key=path,
            )
        return observation

    def _with(self, figures: Mapping[str, Figure], sources: Mapping[str, str] | None = None) -> Scenario:
        """A copy with these figures; they are valid already."""
        sections_changed: dict[str, Any] = {}
        for path, figure in figures.items():
            parts = path.split(".")
            section = sections_changed.get(parts[0], getattr(self, parts[0]))
            if isinstance(section, dict):
                inner = section[parts[1]].model_copy(update={parts[2]: figure})
                sections_changed[parts[0]] = {**section, parts[1]: inner}
            else:
                sections_changed[parts[0]] = section.model_copy(update={parts[1]: figure})
        if sources is not None:
            sections_changed["sources"] = dict(sources)
        return self.model_copy(update=sections_changed)

    # --- out --------------------------------------------------------------------------------------

    def _tables(self) -> dict[str, Any]:
        """Plain dicts that `_validated` accepts again."""
        return self.model_dump(exclude_none=True)

    def to_toml(self) -> str:
        """Canonical text: same figures, same text; without comments."""
        return write(self._tables())

    def sha256(self) -> str:
        """Checksum of the canonical text."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()

    def figures_sha256(self) -> str:
        """Checksum of what a simulation can depend on: times, switches and figures; no texts, no outcomes."""
        kept = {
            key: value
            for key, value in self._tables().items()
            if key not in ("name", "title", "description", "sources", "published", "no_data_after")
        }
        lines = [f"{path} = {figure.text} [{figure.unit}]" for path, figure in self.figure_items()]
        plain = write(_without_figures(kept))
        return hashlib.sha256("\n".join([plain, *lines]).encode()).hexdigest()

    def lake_files(self) -> list[dict[str, str]]:
        """Files of the lake that set a figure: source, sha256, and the figures, for provenance."""
        files: dict[tuple[str, str], list[str]] = {}
        for path, figure in self.figure_items():
            if figure.sha256:
                files.setdefault((figure.source.removeprefix("lake:"), figure.sha256), []).append(path)
        return [
            {"source": source, "sha256": checksum, "figures": ", ".join(paths)}
            for (source, checksum), paths in sorted(files.items())
        ]


def _figures_in(section: Strict, path: str) -> Iterator[tuple[str, Figure]]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Figure):
            yield f"{path}.{name}", value


def _without_prior(figure: Figure, **changes: Any) -> Figure:
    return figure.model_copy(update={"prior": None, "low": None, "high": None, **changes})


def _without_figures(tables: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_figures(value) if isinstance(value, Mapping) else value
        for key, value in tables.items()
        if not (isinstance(value, Mapping) and "unit" in value)
    }


def _moment(time_ns: int) -> datetime:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=rest // 1000)
