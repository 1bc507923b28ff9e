"""Objects in S3 buckets: the only importer of boto3.

Endpoint, region, profile, credentials and the sending of checksums come from where every AWS tool has them:
AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_PROFILE, AWS_REQUEST_CHECKSUM_CALCULATION, ~/.aws/config and so on. A request is
made 3 times, or AWS_MAX_ATTEMPTS times.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from tasks.support.errors import BadInput, retried
from tasks.support.progress import bar

SCHEME = "s3://"
_ATTEMPTS = 5  # at an object that breaks off or arrives damaged
_THREADS = 16
PAUSES_S, WITHIN_S = (1.0, 4.0), 60.0  # between attempts at a page of a listing; each is of 3 requests by boto3
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
        stored: list[Stored] = []
        for page in self._pages():
            for entry in page.get("Contents", []):
                if (entry["Size"] or not entry["Key"].endswith("/")) and (
                    not self._single or entry["Key"] == self._start
                ):
                    stored.append(Stored(self._relative(entry["Key"]), entry["Size"], entry["ETag"].strip('"')))
        return stored

    def _pages(self) -> Iterator[dict[str, Any]]:
        """Answers of at most 1,000 objects each; one that fails is asked for again, and not those before it."""
        token: dict[str, str] = {}
        while True:
            # What has never answered may be a wrong address, which is said at once.
            may_pass = _is_passing if token else _is_busy
            with self._named():
                page = retried(partial(self._page, token), may_pass, PAUSES_S, WITHIN_S)
            yield page
            if not page["IsTruncated"]:
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, token: dict[str, str]) -> Any:
        return self._client.list_objects_v2(Bucket=self._name, Prefix=self._start, **token)

    def fetch(self, wanted: Iterable[tuple[Stored, Path]]) -> None:
        """Objects to files, several at a time; a file is there whole and verified, or not at all.

        A transfer is tried again when it breaks or its bytes are not those of the object: size always, and MD5 where
        the ETag is one (not for multipart uploads and KMS encryption), beside the checksums that boto3 verifies.

        Raises:
            BadInput: an object cannot be read, or is no longer the one that was listed.
        """
        from s3transfer.manager import TransferConfig, TransferManager

        left = [*wanted]
        config = TransferConfig(max_request_concurrency=_THREADS, num_download_attempts=_ATTEMPTS)
        with TransferManager(self._client, config) as manager, ThreadPoolExecutor(_THREADS) as pool:
            arrivals = pool.map(lambda pair: self._bring(manager, *pair), left)
            for _ in bar(arrivals, self.url, "object", len(left)):
                pass

    def _relative(self, key: str) -> str:
        return key.rpartition("/")[2] if self._single else key.removeprefix(self._start)

    def _key(self, name: str) -> str:
        return self._start if self._single else self._start + name

    def _bring(self, manager: Any, one: Stored, path: Path) -> None:
        arriving = path.with_name(f"{path.name}.arriving")
        try:
            for _ in range(_ATTEMPTS):
                with self._named():
                    manager.download(self._name, self._key(one.name), str(arriving), subscribers=[_known(one)]).result()
                    if self._intact(one, arriving):
                        arriving.replace(path)
                        return
        finally:
            arriving.unlink(missing_ok=True)
        raise BadInput(
            f"{self._address(one)} arrived damaged {_ATTEMPTS} times (its size or MD5 is not the listed one): check "
            "the network, then run again"
        )

    def _intact(self, one: Stored, path: Path) -> bool:
        """Whether a file holds the listed bytes; where MD5 does not tell, the object must still be the listed one."""
        whole = path.stat().st_size == one.size
        is_md5 = bool(_MD5.fullmatch(one.etag))
        if whole and is_md5 and _md5_of(path) == one.etag:
            return True
        now = self._client.head_object(Bucket=self._name, Key=self._key(one.name))
        if (now["ContentLength"], now["ETag"].strip('"')) != (one.size, one.etag):
            raise BadInput(f"{self._address(one)} changed since it was listed: run `make refresh`")
        return whole and (not is_md5 or "kms" in now.get("ServerSideEncryption", ""))

    def _address(self, one: Stored) -> str:
        return f"{SCHEME}{self._name}/{self._key(one.name)}"

    @cached_property
    def _client(self) -> Any:
        import boto3  # deferred: it takes a second
        from botocore.config import Config

        with self._named():
            return boto3.client(
                "s3",
                config=Config(
                    retries={"mode": "standard"},
                    max_pool_connections=_THREADS,
                    connect_timeout=4,  # with 3 attempts, a server that is away is known to be in 15 s
                    read_timeout=60,
                ),
            )

    @contextmanager
    def _named(self) -> Iterator[None]:
        """What boto3 raises as one sentence that names the place and what to do."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
        from s3transfer.exceptions import RetriesExceededError, S3DownloadFailedError, S3ValidationError

        remedy = "check the address, AWS_ENDPOINT_URL_S3, AWS_REGION and the credentials"
        try:
            yield
        except NoCredentialsError as error:
            raise BadInput(f"no AWS credentials for {self.url}: set AWS_PROFILE or AWS_ACCESS_KEY_ID") from error
        except ClientError as error:
            code, message = (error.response["Error"].get(key, "") for key in ("Code", "Message"))
            if code in ("404", "NoSuchKey"):
                remedy = "an object is gone since it was listed: run `make refresh`"
            raise BadInput(f"{self.url}: the server answers {code} ({message.rstrip('.')}): {remedy}") from error
        except S3DownloadFailedError as error:  # If-Match was refused
            raise BadInput(f"{self.url}: an object changed since it was listed: run `make refresh`") from error
        except RetriesExceededError as error:
            broken = f"{self.url}: an object broke off {_ATTEMPTS} times ({error.last_exception})"
            raise BadInput(f"{broken}: check the network, then run again") from error
        except (BotoCoreError, Boto3Error, S3ValidationError, ValueError) as error:  # ValueError: an odd endpoint
            raise BadInput(f"{self.url} cannot be read ({str(error).rstrip('.')}): {remedy}") from error


def _is_busy(error: Exception) -> bool:
    """Whether a server answered that it cannot answer now."""
    from botocore.exceptions import ClientError

    status = error.response["ResponseMetadata"]["HTTPStatusCode"] if isinstance(error, ClientError) else 0
    return bool(status >= 500 or status == 429)


def _is_passing(error: Exception) -> bool:
    """The same, or whether a connection broke off."""
    from botocore.exceptions import HTTPClientError

    return _is_busy(error) or isinstance(error, HTTPClientError)


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _known(one: Stored) -> Any:
    """Tells a transfer what the listing said: no HEAD request is needed, and parts of another object are refused."""
    from s3transfer.subscribers import BaseSubscriber

    class Known(BaseSubscriber):  # type: ignore[misc]
        def on_queued(self, future: Any, **_: Any) -> None:
            future.meta.provide_transfer_size(one.size)
            future.meta.provide_object_etag(f'"{one.etag}"')

    return Known()
