"""etcd's side of a load: h2load, a generator in C that costs less than any client in Python would.

What lives here: how h2load is called and how what it says is read.  What does not: etcd's messages (etcd_frames.py),
and whether what was asked was really done (etcd_cluster.py).  h2load never looks at what comes back.
"""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

from bench.client_process import run_tool
from bench.etcd_frames import frame, path
from bench.loads import WARM_UP_S, Load
from bench.sample import Sample, SampleError, summarise

CONNECTIONS = 2
"""On a machine with two cores one costs etcd a few percent more processor time a call, and more than two no less."""

_REQUESTS = re.compile(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")
_BODY_BYTES = re.compile(r"headers .*\((\d+)\) data")
_HTTP_OK = "200"


@frozen
class Generated:
    """calls: how many were answered.  body_bytes: of all answers together; an error of gRPC has none."""

    calls: int
    body_bytes: int
    sample: Sample


def generate(folder: Path, address: str, load: Load, seconds: float) -> Generated:
    """Carry a load out on one server.  Raises SampleError when a request failed."""
    body, log = folder / "request.bin", folder / "requests.log"
    body.write_bytes(frame(load))
    log.unlink(missing_ok=True)
    total_s = WARM_UP_S + seconds
    connections = CONNECTIONS if load.callers % CONNECTIONS == 0 else 1
    output = run_tool(
        [
            *(
                "h2load",
                f"--clients={connections}",
                f"--max-concurrent-streams={load.callers // connections}",
                f"--duration={total_s * 1000:.0f}ms",
            ),
            *(
                f"--log-file={log}",
                f"--data={body}",
                "--header=content-type: application/grpc",
                "--header=te: trailers",
            ),
            f"http://{address}{path(load)}",
        ],
        total_s,
    ).decode()
    calls, body_bytes = _parse(output)
    return Generated(calls, body_bytes, read_log(log.read_text(), load.batch))


def read_log(text: str, batch: int) -> Sample:
    """The figures out of h2load's log: start in microseconds, HTTP status, microseconds until the answer's end."""
    rows = [line.split("\t") for line in text.splitlines()]
    refused = [row for row in rows if row[1] != _HTTP_OK]
    if refused or not rows:
        raise SampleError(f"{len(refused)} of {len(rows)} requests were not answered")
    calls = [(int(start), int(duration)) for start, _, duration in rows]
    counted_from = min(start for start, _ in calls) + WARM_UP_S * 1e6
    counted = [(start, duration) for start, duration in calls if start >= counted_from]
    end = max((start + duration for start, duration in counted), default=counted_from)
    return summarise(
        [duration / 1e6 for _, duration in counted],
        (end - counted_from) / 1e6,
        batch=batch,
        warm_up_calls=len(calls) - len(counted),
    )


def _parse(output: str) -> tuple[int, int]:
    requests, body_bytes = _REQUESTS.search(output), _BODY_BYTES.search(output)
    if requests is None or body_bytes is None:
        raise SampleError(f"h2load says what this benchmark does not understand:\n{output}")
    succeeded, *troubles = (int(group) for group in requests.groups())
    if any(troubles):
        raise SampleError(f"h2load could not do its work: {requests[0]}")
    return succeeded, int(body_bytes[1])
