"""Listing and fetching objects of a real S3 server, directly and through a proxy that spoils answers."""

import hashlib
import itertools
import math
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import boto3
import numpy as np
import pytest

from tasks.support import storage
from tasks.support.errors import BadInput
from tasks.support.storage import Bucket, Stored
from tests.s3 import Fault, Proxy, Server, serving, spoiling

REFRESH = "run `make refresh`"
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("buckets")) as server:
        yield server


@pytest.fixture
def proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """In front of the server, and where this test's objects are asked for."""
    with spoiling(server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
        yield proxy


@pytest.fixture
def name(server: Server) -> str:
    """Of an empty bucket."""
    name = f"bucket-{next(NUMBERS)}"
    (server.folder / name).mkdir()
    return name


@pytest.fixture
def out(tmp_path: Path) -> Path:
    path = tmp_path / "out"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def _environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it would remember the first test's credentials
    for variable, value in server.env.items():
        monkeypatch.setenv(variable, value)


def noise(size: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def fetch(bucket: Bucket, listed: list[Stored], out: Path) -> dict[str, bytes]:
    """Content of the listed objects, fetched to files with numbers for names."""
    paths = {one.name: out / str(number) for number, one in enumerate(listed)}
    bucket.fetch((one, paths[one.name]) for one in listed)
    assert len(list(out.iterdir())) == len(listed)
    return {name: path.read_bytes() for name, path in paths.items()}


def test_more_objects_than_a_page_holds_are_listed_completely_and_in_order(
    server: Server, proxy: Proxy, name: str
) -> None:
    for number in range(2500):
        server.put(f"{name}/cat/{number:04d}.png", str(number).encode())
    listed = Bucket(f"s3://{name}/cat", single=False).list()
    assert [one.name for one in listed] == [f"{number:04d}.png" for number in range(2500)]
    assert listed[1234] == Stored("1234.png", 4, hashlib.md5(b"1234", usedforsecurity=False).hexdigest())
    assert len(proxy.requests) == 3


@pytest.mark.parametrize(("fault", "after", "times"), [("unavailable", 0, 5), ("unavailable", 1, 5), ("reset", 1, 5)])
def test_a_page_of_a_listing_is_asked_for_again_and_no_other(
    fault: Fault, after: int, times: int, server: Server, proxy: Proxy, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "PAUSES_S", (0.01, 0.01))
    for number in range(1500):
        server.put(f"{name}/cat/{number:04d}.png")
    proxy.spoil(fault, times, listings_after=after)
    assert len(Bucket(f"s3://{name}/cat", single=False).list()) == 1500
    assert len(proxy.requests) == 2 + times


def test_a_listing_that_stays_broken_is_given_up(
    server: Server, proxy: Proxy, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "PAUSES_S", (0.01, 0.01))
    server.put(f"{name}/a")
    proxy.spoil("unavailable", math.inf, listings_after=0)
    with pytest.raises(BadInput, match="the server answers 503"):
        Bucket(f"s3://{name}", single=False).list()
    assert len(proxy.requests) == 9  # boto3 makes three of each attempt


@pytest.mark.parametrize("url", ["s3://{}/cat", "s3://{}/cat/"])
def test_a_prefix_is_a_folder(server: Server, name: str, url: str) -> None:
    for key in ("cat/a", "cat/deep/b", "cat2/x", "cat.txt", "other/cat/y"):
        server.put(f"{name}/{key}")
    assert [one.name for one in Bucket(url.format(name), single=False).list()] == ["a", "deep/b"]


def test_a_bucket_without_prefix_is_listed_whole(server: Server, name: str) -> None:
    assert Bucket(f"s3://{name}", single=False).list() == []
    for key in ("cat/a", "x"):
        server.put(f"{name}/{key}")
    assert [one.name for one in Bucket(f"s3://{name}", single=False).list()] == ["cat/a", "x"]


def test_a_single_object_is_the_one_that_the_address_names(server: Server, name: str, out: Path) -> None:
    for key in ("sets/all.zip", "sets/all.zip.old", "sets/all.zip2/x"):
        server.put(f"{name}/{key}", key.encode())
    bucket = Bucket(f"s3://{name}/sets/all.zip", single=True)
    assert [one.name for one in bucket.list()] == ["all.zip"]
    assert fetch(bucket, bucket.list(), out) == {"all.zip": b"sets/all.zip"}
    assert Bucket(f"s3://{name}/sets/al", single=True).list() == []


def test_objects_arrive_exactly_in_parallel_and_with_one_request_each(
    server: Server, proxy: Proxy, name: str, out: Path
) -> None:
    content = {f"{number:03d}": noise(number * 100, number) for number in range(200)}  # one of them empty
    for key, value in content.items():
        server.put(f"{name}/cat/{key}", value)
    bucket = Bucket(f"s3://{name}/cat", single=False)
    assert fetch(bucket, bucket.list(), out) == content
    assert Counter(proxy.asked("GET")) == {f"/{name}/cat/{key}": 1 for key in content}
    assert len(proxy.requests) == 1 + len(content)  # the listing; no HEAD
    assert 2 <= proxy.most_at_once <= 16


def test_keys_keep_their_characters(server: Server, name: str, out: Path) -> None:
    keys = ["with space", "plus+plus", "a%20b", "ünï/日本", "q?x=1&y=2", "#hash", "it's (1)~!*.png", "a=b;c,d@e$f"]
    for key in keys:
        server.put(f"{name}/Ä +/{key}", key.encode())
    bucket = Bucket(f"s3://{name}/Ä +", single=False)
    listed = bucket.list()
    assert sorted(one.name for one in listed) == sorted(keys)
    assert fetch(bucket, listed, out) == {key: key.encode() for key in keys}


def test_large_objects_come_in_parts_and_a_spoilt_part_is_noticed(
    server: Server, proxy: Proxy, name: str, out: Path
) -> None:
    server.put(f"{name}/all.tar", content := noise(20_000_000))
    bucket = Bucket(f"s3://{name}/all.tar", single=True)
    listed = bucket.list()
    proxy.spoil("flipped", 1)
    assert fetch(bucket, listed, out) == {"all.tar": content}
    assert len(proxy.asked("GET")) == 6  # parts of 8 MiB, twice
    proxy.spoil("truncated", 1)
    assert fetch(bucket, listed, out) == {"all.tar": content}
    assert len(proxy.asked("GET")) == 10  # three parts, one of them twice


@pytest.mark.parametrize("fault", get_args(Fault))
def test_a_fault_that_passes_is_survived(fault: Fault, server: Server, proxy: Proxy, name: str, out: Path) -> None:
    server.put(f"{name}/cat/a", content := noise(100_000))
    bucket = Bucket(f"s3://{name}/cat", single=False)
    listed = bucket.list()
    proxy.spoil(fault, 2)
    assert fetch(bucket, listed, out) == {"a": content}
    assert len(proxy.asked("GET")) == 3


@pytest.mark.parametrize(
    ("fault", "attempts", "said"),
    [
        ("unavailable", 3, "the server answers 503 .*: check the address"),
        ("reset", 5, "broke off 5 times .*: check the network"),
        ("truncated", 5, "broke off 5 times .*: check the network"),
        ("flipped", 5, "arrived damaged 5 times .*: check the network"),
    ],
)
def test_a_fault_that_stays_is_told_and_leaves_no_file(
    fault: Fault, attempts: int, said: str, server: Server, proxy: Proxy, name: str, out: Path
) -> None:
    server.put(f"{name}/cat/a", noise(100_000))
    bucket = Bucket(f"s3://{name}/cat", single=False)
    listed = bucket.list()
    proxy.spoil(fault, math.inf)
    with pytest.raises(BadInput, match=said) as caught:
        fetch(bucket, listed, out)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(out.iterdir()) == []
    assert len(proxy.asked("GET")) == attempts


def test_what_arrived_before_an_object_that_cannot_be_fetched_stays(server: Server, name: str, out: Path) -> None:
    for number in range(40):
        server.put(f"{name}/{number:02d}")
    bucket = Bucket(f"s3://{name}", single=False)
    listed = bucket.list()
    (server.folder / name / "30").unlink()
    with pytest.raises(BadInput, match=REFRESH):
        fetch(bucket, listed, out)
    there = {path.name for path in out.iterdir()}
    assert there >= {str(number) for number in range(30)}
    assert there <= {str(number) for number in range(40) if number != 30}


@pytest.mark.parametrize("content", [b"CONTENT", b"longer content", b""], ids=["same_size", "longer", "empty"])
def test_an_object_that_changed_since_it_was_listed_is_refused(
    content: bytes, server: Server, proxy: Proxy, name: str, out: Path
) -> None:
    server.put(f"{name}/a")
    bucket = Bucket(f"s3://{name}", single=False)
    listed = bucket.list()
    server.put(f"{name}/a", content)
    with pytest.raises(BadInput, match=f"s3://{name}/a changed since it was listed: {REFRESH}"):
        fetch(bucket, listed, out)
    assert list(out.iterdir()) == []
    assert len(proxy.asked("GET")) == 1


def test_a_large_object_that_changed_since_it_was_listed_is_refused(
    server: Server, proxy: Proxy, name: str, out: Path
) -> None:
    server.put(f"{name}/all.tar", noise(20_000_000))
    bucket = Bucket(f"s3://{name}/all.tar", single=True)
    listed = bucket.list()
    proxy.claims = {"Etag": '"another"'}  # which the proxy, as S3 does, compares with If-Match
    with pytest.raises(BadInput, match=f"an object changed since it was listed: {REFRESH}"):
        fetch(bucket, listed, out)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    "claims",
    [
        {"Etag": '"abc-2"'},  # of a multipart upload
        {"Etag": f'"{"0" * 32}"', "X-Amz-Server-Side-Encryption": "aws:kms"},
    ],
    ids=["multipart", "kms"],
)
def test_an_etag_that_is_no_md5_is_compared_with_the_objects(
    claims: dict[str, str], server: Server, proxy: Proxy, name: str, out: Path
) -> None:
    server.put(f"{name}/a")
    proxy.claims = claims
    bucket = Bucket(f"s3://{name}", single=False)
    assert fetch(bucket, [Stored("a", 7, claims["Etag"].strip('"'))], out) == {"a": b"content"}
    (out / "0").unlink()
    proxy.claims = {**claims, "Etag": '"def-2"'}
    with pytest.raises(BadInput, match=REFRESH):
        fetch(bucket, [Stored("a", 7, claims["Etag"].strip('"'))], out)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "x" * 40}, "the server answers SignatureDoesNotMatch"),
        ({"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN000000000"}, "the server answers InvalidAccessKeyId"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no AWS credentials for"),
        ({"AWS_PROFILE": "unknown"}, "unknown.* could not be found"),
        ({"AWS_ENDPOINT_URL_S3": "nonsense"}, "Invalid endpoint"),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}, "Could not connect"),
        ({"AWS_ENDPOINT_URL_S3": "http://nowhere.invalid"}, "Could not connect"),
        ({"AWS_REQUEST_CHECKSUM_CALCULATION": "sometimes"}, "request_checksum_calculation"),
    ],
    ids=["secret", "key_id", "no_credentials", "profile", "endpoint", "away", "unknown_host", "checksums"],
)
def test_what_stands_in_the_way_is_said_in_one_sentence_and_soon(
    changed: dict[str, str], said: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in changed.items():
        monkeypatch.setenv(variable, value)
    start = time.monotonic()
    with pytest.raises(BadInput, match=said) as caught:
        Bucket(f"s3://{name}/cat", single=False).list()
    assert time.monotonic() - start < 10
    assert f"s3://{name}/cat" in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_an_unknown_bucket_is_named() -> None:
    with pytest.raises(BadInput, match=r"s3://no-such-bucket/cat: the server answers NoSuchBucket .*: check the addr"):
        Bucket("s3://no-such-bucket/cat", single=False).list()


def test_a_server_that_swallows_what_is_sent_is_given_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())  # from now on it answers nobody
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{full.getsockname()[1]}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        start = time.monotonic()
        with pytest.raises(BadInput, match="timeout"):
            Bucket(f"s3://{name}", single=False).list()
    assert 3 < time.monotonic() - start < 10  # of three attempts, 15 s with the pauses between them


def test_a_server_that_goes_away_is_told_by_fetch(
    server: Server, name: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        server.put(f"{name}/{number:02d}")
    listed = Bucket(f"s3://{name}", single=False).list()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    start = time.monotonic()
    with pytest.raises(BadInput, match="Could not connect"):
        fetch(Bucket(f"s3://{name}", single=False), listed, out)
    assert time.monotonic() - start < 15
    assert list(out.iterdir()) == []


def test_the_number_of_attempts_comes_from_the_environment(
    server: Server, proxy: Proxy, name: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(f"{name}/a")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    bucket = Bucket(f"s3://{name}", single=False)
    listed = bucket.list()
    proxy.spoil("unavailable", math.inf)
    with pytest.raises(BadInput, match="503"):
        fetch(bucket, listed, out)
    assert len(proxy.asked("GET")) == 1


@pytest.mark.parametrize("when", ["when_required", "when_supported"])
def test_the_sending_of_checksums_comes_from_the_environment(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", when)
    assert Bucket("s3://any", single=False)._client.meta.config.request_checksum_calculation == when
