"""What does Prometheus see of a collection? The counts of `Stats`, read when it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from deleverage.data.collect.stats import Stats, quantile
from deleverage.errors import InputError

PREFIX = "deleverage_collect"


class Exposed:
    """A collector in Prometheus' sense: makes the samples at the moment of a scrape."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Any]:
        """All metrics with their samples."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

        stats = self._stats
        by_stream = ("venue", "stream")

        def counter(name: str, help_text: str, labels: tuple[str, ...]) -> Any:
            return CounterMetricFamily(f"{PREFIX}_{name}", help_text, labels=labels)

        def gauge(name: str, help_text: str, labels: tuple[str, ...] = ()) -> Any:
            return GaugeMetricFamily(f"{PREFIX}_{name}", help_text, labels=labels)

        events = counter("events", "Messages received.", by_stream)
        rows = counter("rows", "New rows that messages gave.", by_stream)
        size = counter("received_bytes", "Bytes of messages received.", by_stream)
        lag = gauge("lag_seconds", "Receive time minus event time.", (*by_stream, "quantile"))
        newest = gauge("last_event_timestamp_seconds", "When the newest message was received.", by_stream)
        for key, one in list(stats.streams.items()):
            events.add_metric(key, one.messages)
            rows.add_metric(key, one.rows)
            size.add_metric(key, one.bytes)
            newest.add_metric(key, one.received_ns / 1e9)
            for share in (0.5, 0.99):
                value = one.lag(share)
                if value is not None:
                    lag.add_metric((*key, f"{share:g}"), value)
        yield from (events, rows, size, lag, newest)
        gaps = counter("gaps", "Stretches that were not observed.", by_stream)
        lost = counter("events_lost", "Events known to be missing.", by_stream)
        for key, count in list(stats.gaps.items()):
            gaps.add_metric(key, count)
        for key, count in list(stats.lost.items()):
            lost.add_metric(key, count)
        yield from (gaps, lost)
        up = gauge("connected", "1 while the venue has granted the subscriptions.", ("connection",))
        for name, is_up in list(stats.connected.items()):
            up.add_metric((name,), float(is_up))
        yield up
        for metric, text, label, counts in (
            ("reconnects", "Connections that ended and were opened again.", "connection", stats.reconnects),
            ("malformed", "Messages that could not be read.", "venue", stats.malformed),
            ("book_resyncs", "Order books that had to start anew.", "venue", stats.resyncs),
            ("rate_limited", "Requests refused as too many.", "venue", stats.limited),
            ("written_rows", "Rows that the lake has acknowledged.", "table", stats.written),
        ):
            family = counter(metric, text, (label,))
            for name, count in list(counts.items()):
                family.add_metric((name,), count)
            yield family
        for metric, text, number in (
            ("waiting_rows", "Rows that wait for the lake.", stats.waiting),
            ("waiting_bytes", "Bytes of raw payloads that wait for the lake.", stats.waiting_bytes),
            ("pressure", "How full the room for waiting rows is; from 1 on nothing is read.", stats.pressure),
        ):
            family = gauge(metric, text)
            family.add_metric((), number)
            yield family
        for metric, text, times in (
            ("write_seconds", "Time of one transaction.", stats.write_s),
            (
                "durable_seconds",
                "From receiving the oldest row of a transaction until it was durable.",
                stats.behind_s,
            ),
        ):
            family = gauge(metric, text, ("quantile",))
            for share in (0.5, 0.99):
                value = quantile(times, share)
                if value is not None:
                    family.add_metric((f"{share:g}",), value)
            yield family
        total = SummaryMetricFamily(f"{PREFIX}_transactions", "Transactions and rows in them.")
        total.add_metric((), stats.transactions, sum(stats.written.values()))
        yield total


def serve(stats: Stats, port: int, address: str = "127.0.0.1") -> tuple[int, Callable[[], None]]:
    """Answer scrapes at ``http://address:port/metrics``; returns the port and what ends it.

    Raises
    ------
    InputError
        the port is taken, or prometheus-client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        raise InputError(
            "expected the package prometheus-client to be installed, found no such package",
            hint='Install it with the extra "collect": pip install "deleverage[collect]".',
        ) from None
    registry = CollectorRegistry()
    registry.register(Exposed(stats))
    try:
        server, thread = start_http_server(port, addr=address, registry=registry)
    except OSError as error:
        raise InputError(
            f"--metrics-port {port}: expected a free port, found {error.strerror}",
            hint="Give another port, or 0 for any.",
        ) from error

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join(5)

    return server.server_port, end
