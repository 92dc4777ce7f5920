"""The bytes that go to etcd, and how the generator's words are read: a wrong figure would look like a right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.client_process import run_tool
from bench.etcd_frames import frame, path
from bench.etcd_load import generate, read_log
from bench.loads import VALUE, Kind, Load
from bench.sample import SampleError

OUTPUT = """
finished in 1.30s, {succeeded}.00 req/s, 1.19MB/s
requests: 9 total, 9 started, 9 done, {succeeded} succeeded, {failed} failed, 0 errored, 0 timeout
status codes: 9 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 174.75KB (178944) total, 3.73KB (3820) headers (space savings 94.72%), 61.24KB (62706) data
"""


def test_a_put_is_the_protobuf_that_etcd_expects() -> None:
    """PutRequest: key is field 1, value field 2; before it gRPC's five bytes."""
    message = b"\x0a\x05bench" + b"\x12\x80\x02" + VALUE
    assert frame(Load(Kind.PUT, 64)) == b"\x00\x00\x00\x01\x0a" + message
    assert path(Load(Kind.PUT, 64)) == "/etcdserverpb.KV/Put"


def test_a_batch_is_one_transaction_with_a_put_of_each_key() -> None:
    """TxnRequest.success (2) holds RequestOp.request_put (2)."""
    request = frame(Load(Kind.PUT, 512, batch=2))
    first = b"\x0a\x07bench-0" + b"\x12\x80\x02" + VALUE
    operation = b"\x12\x8c\x02" + first
    assert len(first) == 0x10C
    assert request[5:].startswith(b"\x12\x8f\x02" + operation)
    assert request[5:].count(VALUE) == 2
    assert path(Load(Kind.PUT, 512, batch=2)) == "/etcdserverpb.KV/Txn"


def test_a_get_is_a_range_of_one_key_and_linearizable() -> None:
    """RangeRequest with the key alone: `serializable` is left at false."""
    assert frame(Load(Kind.GET, 1)) == b"\x00\x00\x00\x00\x07\x0a\x05bench"
    assert path(Load(Kind.GET, 1)) == "/etcdserverpb.KV/Range"


def test_the_log_of_the_generator_becomes_figures_without_the_warm_up() -> None:
    """Requests that began in the first 0.3 s count as work, not as speed."""
    rows = [(0, 200, 1_000), (299_999, 200, 1_000), (300_000, 200, 2_000), (1_298_000, 200, 4_000)]
    sample = read_log("\n".join("\t".join(map(str, row)) for row in rows), batch=16)
    assert sample.done == 4 * 16
    assert sample.rate == pytest.approx(2 * 16 / 1.002)
    assert (sample.p50_ms, sample.p99_ms) == (4.0, 4.0)


@pytest.mark.parametrize("text", ["", "0\t-1\t5\n", "0\t503\t5\n"], ids=["nothing", "broken", "refused"])
def test_a_request_without_a_good_answer_spoils_the_run(text: str) -> None:
    """No figure is made of runs that failed in part."""
    with pytest.raises(SampleError):
        read_log(text, batch=1)


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (OUTPUT.format(succeeded=5, failed=4), "could not do its work"),
        ("h2load: unknown option", "does not understand"),
    ],
)
def test_what_the_generator_complains_of_spoils_the_run(
    output: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit code is 0 even when every request failed."""
    monkeypatch.setattr("bench.etcd_load.run_tool", lambda *_: output.encode())
    with pytest.raises(SampleError, match=complaint):
        generate(tmp_path, "127.0.0.1:1", Load(Kind.PUT, 1), 1.0)


def test_a_good_run_is_read_from_output_and_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls and bytes from the output, latencies from the log."""

    def run(*_: object) -> bytes:
        (tmp_path / "requests.log").write_text("0\t200\t7\n400000\t200\t9\n")
        return OUTPUT.format(succeeded=9, failed=0).encode()

    monkeypatch.setattr("bench.etcd_load.run_tool", run)
    made = generate(tmp_path, "127.0.0.1:1", Load(Kind.PUT, 1), 1.0)
    assert (made.calls, made.body_bytes, made.sample.done) == (9, 62_706, 2)


def test_a_tool_that_fails_says_why() -> None:
    """Its last words are in the error."""
    with pytest.raises(SampleError, match="no such file"):
        run_tool(["sh", "-c", "echo no such file >&2; exit 3"], 1.0)
