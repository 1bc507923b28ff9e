import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tasks.core.params import Params, load
from tasks.support.commands import alone, compute, guarded
from tasks.support.errors import BadInput
from tasks.support.progress import tell_metrics
from tasks.support.stages import stage
from tasks.support.tracking import EXPERIMENT

ROOT = Path(__file__).parents[2]


def _raise(error: Exception) -> None:
    raise error


def test_bad_input_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: _raise(BadInput("found 1, expected 2: add one"))) == 1
    assert capsys.readouterr().err == "error: found 1, expected 2: add one\n"


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_disk_that_refuses_is_one_line_that_names_the_file(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: _raise(OSError(code, os.strerror(code), "data/split"))) == 1
    assert capsys.readouterr().err.startswith(f"error: data/split: {os.strerror(code)}: ")


def test_a_defect_of_our_own_keeps_its_traceback() -> None:
    with pytest.raises(FileNotFoundError):
        guarded(lambda: _raise(FileNotFoundError(errno.ENOENT, "gone", "x")))
    assert guarded(lambda: None) == 0


def test_a_second_process_is_refused_and_told_who_holds_the_folder(project: Path) -> None:
    program = "from tasks.support.commands import alone\nwith alone():\n    pass"
    second = [sys.executable, "-c", program]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    with alone():
        refused = subprocess.run(second, cwd=project, env=env, capture_output=True, text=True)
        assert refused.returncode == 1
        assert f"process {os.getpid()} is already running Equipoise in {project}" in refused.stderr
    assert subprocess.run(second, cwd=project, env=env).returncode == 0


def test_a_stage_for_each_item_needs_its_name() -> None:
    done = subprocess.run([sys.executable, "-m", "tasks.train"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "usage: python -m tasks.train NAME" in done.stderr


def _count(params: Params, out: Path, *, raw: Path) -> None:
    out.mkdir(parents=True)
    tell_metrics({"files": len(list(raw.iterdir()))}, 1)
    (out / "width.csv").write_text(str(params.train_gan.score_images))


STAGE = stage(params=["train_gan"], rooms=[], out="counts")(_count)


@pytest.fixture
def counted(project: Path) -> Path:
    (project / "data/raw").mkdir()
    (project / "data/raw/one.png").write_bytes(b"")
    for name in ("params.yaml", "tuning.yaml", "data/sources.json"):
        shutil.copy(ROOT / name, project / name)
    return project


def test_a_stage_without_items_is_run_in_the_project_and_not_tracked(counted: Path) -> None:
    compute(STAGE, load())
    assert (counted / "data/counts/width.csv").exists()
    assert not (counted / "mlflow.db").exists()


def test_a_stage_of_items_is_mirrored_with_what_it_told(counted: Path, empty_store: Path) -> None:
    shutil.copy(empty_store, counted)
    params = load()
    each = replace(STAGE, params=("train_gan", "candidates"), each="candidates")
    compute(each, params, "dcgan")
    assert (counted / "data/counts/dcgan/width.csv").exists()
    client = MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id], "run_name = 'dcgan'")
    assert run.data.metrics == {"files": 1.0}
    assert run.data.params["kind"] == "dcgan"
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["width.csv"]
    with pytest.raises(
        BadInput, match=r"^no other among candidates in the parameters; expected one of conditional, dcgan$"
    ):
        compute(each, params, "other")
