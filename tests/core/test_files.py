import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.core.files import REFUSED, remove_others, replacing, replacing_file, sha256_of, write_json
from tasks.support.errors import BadInput


def _fill(target: Path, text: str) -> None:
    with replacing(target) as folder:
        (folder / "file").write_text(text)


def test_the_new_folder_takes_the_old_ones_place_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    _fill(target, "old")
    (target / "extra").touch()
    _fill(target, "new")
    assert [path.name for path in target.iterdir()] == ["file"]
    assert (target / "file").read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out"
    _fill(target, "old")
    with pytest.raises(UnicodeEncodeError), replacing(target) as folder:
        (folder / "file").write_text("half\udc80", encoding="utf-8")
    assert (target / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_kill_leaves_the_old_folder_and_the_next_run_finishes(tmp_path: Path) -> None:
    target = tmp_path / "out"
    _fill(target, "old")
    program = (
        "import sys, time; from pathlib import Path; from tasks.core.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'file').write_text('half'); print('writing', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, target], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    assert (target / "file").read_text() == "old"
    _fill(target, "new")
    assert (target / "file").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with (
        pytest.raises(BadInput, match=r"cannot write .*out: .*: make the folder writable"),
        replacing(tmp_path / "data/out"),
    ):
        pass


def _refuse(target: Path) -> None:
    with replacing(target, keep_refused=True) as folder:
        (folder / "counts.csv").write_text("what was there")
        raise BadInput("too few images")


@pytest.mark.usefixtures("project")
def test_a_refused_folder_is_kept_until_the_next_attempt() -> None:
    with pytest.raises(BadInput, match="too few images"):
        _refuse(Path("data/clean"))
    assert not Path("data/clean").exists()
    assert (REFUSED / "clean/counts.csv").read_text() == "what was there"
    _fill(Path("data/clean"), "better")
    assert not (REFUSED / "clean").exists()


@pytest.mark.usefixtures("project")
def test_a_refused_folder_is_kept_on_another_disk() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as disk:  # memory, mostly
        if Path(disk).stat().st_dev == Path().stat().st_dev:
            pytest.skip("no second disk")
        with pytest.raises(BadInput, match="too few images"):
            _refuse(Path(disk, "clean"))
        assert (REFUSED / "clean/counts.csv").read_text() == "what was there"
        assert list(Path(disk).iterdir()) == []


@pytest.mark.usefixtures("project")
def test_the_reason_for_a_refusal_is_shown_where_its_folder_cannot_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    Path(".state").write_text("a file where a folder should be")
    with pytest.raises(BadInput, match="too few images"):
        _refuse(Path("data/clean"))
    assert "the refused output cannot be kept in .state/refused/clean" in caplog.text


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep/file"
    with replacing_file(target) as sibling:
        sibling.write_text("old")
    with pytest.raises(UnicodeEncodeError), replacing_file(target) as sibling:
        sibling.write_text("half\udc80", encoding="utf-8")
    assert target.read_text() == "old"
    with replacing_file(target) as sibling:
        sibling.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_outputs_that_others_remove_at_the_same_time_are_no_error(tmp_path: Path) -> None:
    for _ in range(20):
        for number in range(30):
            (tmp_path / f"stale/{number}").mkdir(parents=True)
            (tmp_path / f"stale/{number}/file").touch()
        barrier = threading.Barrier(4)

        def remove(barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            remove_others(tmp_path, {"kept"})

        with ThreadPoolExecutor(4) as threads:
            for future in [threads.submit(remove) for _ in range(4)]:
                future.result()
        assert list(tmp_path.iterdir()) == []


def test_outputs_no_longer_named_are_removed(tmp_path: Path) -> None:
    for name in ("kept", "gone", ".kept.partial"):
        (tmp_path / name).mkdir()
    remove_others(tmp_path, {"kept"})
    assert {path.name for path in tmp_path.iterdir()} == {"kept", ".kept.partial"}


def test_equal_values_give_equal_json(tmp_path: Path) -> None:
    assert write_json(tmp_path / "a", {"b": 1, "a": [0.5]})
    assert write_json(tmp_path / "b", {"a": [0.5], "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert not write_json(tmp_path / "a", {"a": [0.5], "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "c", float("nan"))


def test_a_folders_hash_depends_on_names_and_contents_only(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "file").write_text("same")
    os.utime(tmp_path / "two/sub/file", (time.time() - 1000,) * 2)
    assert sha256_of(tmp_path / "one") == sha256_of(tmp_path / "two")
    (tmp_path / "two/sub/file").rename(tmp_path / "two/sub/other")
    assert sha256_of(tmp_path / "one") != sha256_of(tmp_path / "two")
