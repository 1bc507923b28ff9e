"""Sources in a bucket, on a real server; those on disk are tested with `ingest`."""

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pandas as pd
import pytest

from tasks.core.params import LabelsFile
from tasks.support.errors import BadInput
from tests.bringing import bring, files, png
from tests.s3 import Proxy, serving, spoiling


@pytest.fixture
def bucket(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Proxy]]:
    """The folder of a bucket called `pictures`, and what was asked for."""
    (project / "buckets/pictures").mkdir(parents=True)
    with serving(project / "buckets") as server, spoiling(server) as proxy:
        for name, value in (server.env | {"AWS_ENDPOINT_URL_S3": proxy.url}).items():
            monkeypatch.setitem(os.environ, name, value)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        yield project / "buckets/pictures", proxy


def _zipped(contents: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_an_archive_and_its_labels_in_a_bucket(bucket: tuple[Path, Proxy], project: Path) -> None:
    folder, proxy = bucket
    (folder / "eyes.v2.zip").write_bytes(_zipped({f"{number}.png": png(number) for number in range(4)}))
    (folder / "eyes.v2.zip.sig").write_bytes(b"not the archive")
    (folder / "labels.csv").write_text("image,level\n0,0\n1,0\n2,4\n3,4\n")
    labels = LabelsFile(
        path="s3://pictures/labels.csv",
        name_column="image",
        label_column="level",
        suffix=".png",
        names={"0": "healthy", "4": "ill"},
        on_mismatch="stop",
    )
    (project / "local/cat").mkdir(parents=True)
    (project / "local/cat/a.png").write_bytes(png(9))
    sources = (files("s3://pictures/eyes.v2.zip", labels=labels), files(project / "local"))
    raw = bring(*sources)
    table = pd.read_parquet(raw / "files.parquet").set_index("path")["label"]
    assert table.to_dict() == {
        "cat/a.png": "cat",
        "healthy/0.png": "healthy",
        "healthy/1.png": "healthy",
        "ill/2.png": "ill",
        "ill/3.png": "ill",
    }
    assert sorted(proxy.asked("GET")) == ["/pictures/eyes.v2.zip", "/pictures/labels.csv"]
    (project / "local/cat/b.png").write_bytes(png(10))
    bring(*sources)
    assert proxy.asked("GET").count("/pictures/eyes.v2.zip") == 1


def test_objects_that_cannot_be_kept_are_refused(bucket: tuple[Path, Proxy], project: Path) -> None:
    folder, _ = bucket
    (folder / "cat").mkdir()
    (folder / "cat/a\\b.png").write_bytes(b"x")
    with pytest.raises(BadInput, match="s3://pictures holds a name with a backslash"):
        bring(files("s3://pictures"))
    assert not (project / "data/raw").exists()


def test_a_missing_object_and_an_empty_prefix_are_named(bucket: tuple[Path, Proxy]) -> None:
    (bucket[0] / "cat").mkdir()
    (bucket[0] / "cat/a.png").write_bytes(b"x")
    for path in ("s3://pictures/gone.zip", "s3://pictures/dog"):
        with pytest.raises(BadInput, match=f"{path} holds no file"):
            bring(files(path))
