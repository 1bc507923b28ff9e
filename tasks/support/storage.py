"""Objects in S3 buckets: the only importer of boto3.

Endpoint, region, profile, credentials and the sending of checksums come from where every AWS tool has them:
AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_PROFILE, AWS_REQUEST_CHECKSUM_CALCULATION, ~/.aws/config and so on.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks.support.errors import BadInput
from tasks.support.progress import bar

SCHEME = "s3://"
_ATTEMPTS = 5
_THREADS = 16
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Stored:
    """One object: name below the prefix, size in bytes, ETag without quotes."""

    name: str
    size: int
    etag: str


class Bucket:
    """The objects below `s3://bucket/prefix`, or with `single` the one object that the address names."""

    def __init__(self, url: str, single: bool) -> None:
        self.url, self._single = url, single
        self._name, _, prefix = url.removeprefix(SCHEME).rstrip("/").partition("/")
        self._start = prefix if single or not prefix else f"{prefix}/"  # of the keys of all objects

    def list(self) -> list[Stored]:
        """What is there, in S3's order; markers of empty folders are left out.

        Raises:
            BadInput: the bucket cannot be listed.
        """
        with self._named():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=self._start)
            return [
                Stored(self._relative(entry["Key"]), entry["Size"], entry["ETag"].strip('"'))
                for page in pages
                for entry in page.get("Contents", [])
                if not entry["Key"].endswith("/") and (not self._single or entry["Key"] == self._start)
            ]

    def fetch(self, wanted: Iterable[tuple[Stored, Path]]) -> None:
        """Objects to files, several at a time; a file is there whole and verified, or not at all.

        A transfer is tried again when it breaks or its bytes are not those of the object: size always, and MD5 where
        the ETag is one (not for multipart uploads and KMS encryption), beside the checksums that boto3 verifies.

        Raises:
            BadInput: an object cannot be read, or is no longer the one that was listed.
        """
        left = list(wanted)
        for _ in range(_ATTEMPTS):
            self._transfer([(one, _arriving(path)) for one, path in left])
            for one, path in left:
                if self._intact(one, _arriving(path)):
                    _arriving(path).replace(path)
            left = [(one, path) for one, path in left if not path.exists()]
            if not left:
                return
        raise BadInput(
            f"{SCHEME}{self._name}/{self._key(left[0][0].name)} arrived damaged {_ATTEMPTS} times (size or MD5 differ "
            "from the listing): check the network and the object, then run again"
        )

    def _relative(self, key: str) -> str:
        return key.rpartition("/")[2] if self._single else key.removeprefix(self._start)

    def _key(self, name: str) -> str:
        return self._start if self._single else self._start + name

    def _transfer(self, wanted: Sequence[tuple[Stored, Path]]) -> None:
        from s3transfer.manager import TransferConfig, TransferManager

        config = TransferConfig(max_request_concurrency=_THREADS, num_download_attempts=_ATTEMPTS)
        with self._named(), TransferManager(self._client, config) as manager:
            futures = [
                manager.download(self._name, self._key(one.name), str(path), subscribers=[_known(one)])
                for one, path in wanted
            ]
            for future in bar(futures, self.url, "object"):
                future.result()

    def _intact(self, one: Stored, path: Path) -> bool:
        if path.stat().st_size != one.size:
            return False
        if (
            not _MD5.fullmatch(one.etag)
            or hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == one.etag
        ):
            return True
        with self._named():
            encryption = self._client.head_object(Bucket=self._name, Key=self._key(one.name)).get(
                "ServerSideEncryption", ""
            )
        return "kms" in encryption  # the ETag of such objects is no MD5

    @cached_property
    def _client(self) -> Any:
        import boto3  # deferred: it takes a second
        from botocore.config import Config

        with self._named():
            return boto3.client(
                "s3",
                config=Config(
                    retries={"max_attempts": _ATTEMPTS, "mode": "standard"},
                    max_pool_connections=_THREADS,
                    connect_timeout=20,
                    read_timeout=60,
                ),
            )

    @contextmanager
    def _named(self) -> Iterator[None]:
        """What boto3 raises as one sentence that names the place and what to do."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
        from s3transfer.exceptions import S3DownloadFailedError

        remedy = "check the name, and AWS_ENDPOINT_URL_S3, AWS_REGION and AWS_PROFILE"
        try:
            yield
        except NoCredentialsError as error:
            raise BadInput(f"no AWS credentials for {self.url}: set AWS_PROFILE or AWS_ACCESS_KEY_ID") from error
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("PreconditionFailed", "412", "404", "NoSuchKey"):
                remedy = "an object changed since it was listed: run `make refresh`"
            raise BadInput(f"{self.url}: the server answers {code} ({error}): {remedy}") from error
        except (BotoCoreError, Boto3Error, S3DownloadFailedError) as error:
            raise BadInput(f"{self.url} cannot be read ({error}): {remedy}") from error


def _arriving(path: Path) -> Path:
    return path.with_name(f"{path.name}.arriving")


def _known(one: Stored) -> Any:
    """Tells a transfer what the listing said: no HEAD request is needed, and another object is refused (If-Match)."""
    from s3transfer.subscribers import BaseSubscriber

    class Known(BaseSubscriber):  # type: ignore[misc]
        def on_queued(self, future: Any, **_: Any) -> None:
            future.meta.provide_transfer_size(one.size)
            future.meta.provide_object_etag(f'"{one.etag}"')

    return Known()
