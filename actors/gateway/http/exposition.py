"""Metrics as Prometheus' text: the samples of one scrape in a registry of its own, so that no state is shared.

What lives here: the hand-over to prometheus-client.  What does not: what is measured (actors/gateway/metrics.py).
Imported where HTTP is served alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from actors.gateway.metrics import DEFINITIONS, PREFIX, Samples

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def exposition(samples: Samples) -> bytes:
    """The body of a scrape."""
    registry = CollectorRegistry()
    registry.register(_Scrape(samples))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Scrape(Collector):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        """One family for each definition that has samples."""
        for one in DEFINITIONS:
            family = _family(PREFIX + one.name, one.kind, one.help, list(one.labels))
            for labels, value in self._samples.get(one.name, ()):
                if isinstance(family, HistogramMetricFamily):
                    family.add_metric(labels, _buckets(value), value["sum_s"])
                else:
                    family.add_metric(labels, value)
            if family.samples:
                yield family


def _family(
    name: str, kind: str, text: str, labels: list[str]
) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    if kind == "counter":
        return CounterMetricFamily(name, text, labels=labels)
    if kind == "gauge":
        return GaugeMetricFamily(name, text, labels=labels)
    return HistogramMetricFamily(name, text, labels=labels)


def _buckets(value: dict[str, Any]) -> list[tuple[str, float]]:
    return [*((str(limit), count) for limit, count in value["buckets"]), ("+Inf", value["count"])]
