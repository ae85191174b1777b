"""Where samples of batch tasks go: a Pushgateway, or the folder of node_exporter's textfile collector.

Both replace what was published before under the same job and grouping, at once: nobody sees half of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Invalid, Unavailable
from model_lifecycle.core.names import check_name
from model_lifecycle.core.samples import Sample, check_labels
from model_lifecycle.hooks.session import ConnectionSession

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def push(session: ConnectionSession, job: str, grouping: Mapping[str, str], samples: Iterable[Sample]) -> None:
    """Send samples to a Pushgateway.

    :raises Invalid: if the Pushgateway refuses them, in its words.
    :raises Unavailable: if it does not answer.
    """
    from prometheus_client import push_to_gateway

    def send(url: str, method: str, timeout: float | None, headers: Any, data: bytes) -> Callable[[], None]:
        # The session knows credentials, TLS and time-outs; a repeated PUT puts the same.
        def call() -> None:
            path = url.removeprefix(session.url)
            session.call(method, path, content=data, headers=dict(headers), text=True)

        return call

    group = checked(job, grouping)
    push_to_gateway(session.url, job, registry(group, job, samples), dict(group), handler=send)


def write(folder: Path, job: str, grouping: Mapping[str, str], samples: Iterable[Sample]) -> Path:
    """Write samples to a file of their own, whole or not at all; the grouping becomes labels of every sample.

    :raises Invalid: if the folder does not exist.
    :raises Unavailable: if it cannot be written to.
    """
    from prometheus_client import write_to_textfile

    group = checked(job, grouping)
    key = sha256(repr(sorted(group.items())).encode()).hexdigest()[:12]
    if not folder.is_absolute() or not folder.is_dir():
        raise Invalid("the extra textfile names no folder that exists here", target=str(folder))
    # The collector's own job is that of node_exporter, so a label job would be renamed.
    collected = registry(group, job, [Sample(s.name, s.value, {**s.labels, **group}, s.help) for s in samples])
    file = folder / f"{job}-{key}.prom"
    try:
        write_to_textfile(str(file), collected)
    except OSError as error:
        raise Unavailable(f"the samples cannot be written: {error.strerror}", target=str(file)) from error
    return file


def checked(job: str, grouping: Mapping[str, str]) -> Mapping[str, str]:
    """The grouping, if job and grouping can name a group.

    :raises Invalid: if they cannot.
    """
    check_name(job, "job")
    if "job" in grouping:
        raise Invalid("the grouping has a label job, which the job is already")
    return check_labels(grouping)


def registry(group: Mapping[str, str], job: str, samples: Iterable[Sample]) -> CollectorRegistry:
    """The samples as prometheus_client wants them: gauges, by name.

    :raises Invalid: if two samples are of the same series, or one belongs to another group.
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector

    metrics: dict[str, Metric] = {}
    seen = set()
    for sample in samples:
        identity = (sample.name, frozenset(sample.labels.items()))
        if identity in seen:
            raise Invalid(f"two samples are of the same series {sample.name} {dict(sample.labels)}")
        seen.add(identity)
        _check_group(sample, {**group, "job": job})
        metric = metrics.setdefault(sample.name, Metric(sample.name, sample.help or sample.name, "gauge"))
        metric.add_sample(sample.name, dict(sample.labels), sample.value)

    class Collected(Collector):
        def collect(self) -> Iterable[Metric]:
            return metrics.values()

    found = CollectorRegistry(auto_describe=False)
    found.register(Collected())
    return found


def _check_group(sample: Sample, group: Mapping[str, str]) -> None:
    """A Pushgateway would write the group's labels over the sample's without a word."""
    other = [name for name, value in group.items() if sample.labels.get(name, value) != value]
    if other:
        raise Invalid(f"a sample of {sample.name} has another {', '.join(other)} than its group")
