import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.support.commands import alone, guarded
from tasks.support.errors import BadInput

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
