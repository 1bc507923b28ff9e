"""The README's commands, run as they stand there on a project with tiny parameters."""

import re
import signal
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from tests.pipeline.project import PYTHON, ROOT, Project

README = (ROOT / "README.md").read_text()
# What a person runs for as long as they look; what runs these very tests, and what needs a champion
# (tests/test_rollback.py).
SERVERS = {"make ui", "make server", "make worker"}
NOT_HERE = {"make test", "make rollback"}
EXPECTED = {
    "make demo": "runs and registered generators: `make ui`",
    "make repro": "Data and pipelines are up to date.",
    ".venv/bin/dvc repro": "Data and pipelines are up to date.",
    ".venv/bin/dvc metrics show": "gain_low",
    ".venv/bin/dvc plots show": "index.html",
    ".venv/bin/dvc exp run -S 'train.seeds=2'": "Ran experiment",
    "make register": "equipoise-generator version",
    "make lint": "",
}


def commands() -> list[str]:
    """The commands of the README in order: lines of its shell blocks, and `make` commands inside of sentences."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.split("  #")[0].split("   #")[0].strip() for block in blocks for line in block.splitlines()]
    return list(dict.fromkeys([*filter(None, lines), *re.findall(r"`(make [a-z]+)`", README)]))


def as_here(command: str) -> str:
    """The command with the environment that runs the tests in place of .venv, which needs no installation."""
    bin_folder = PYTHON.parent
    return command.replace("make ", f"make --assume-old=.venv/installed BIN={bin_folder} ").replace(
        ".venv/bin/", f"{bin_folder}/"
    )


def test_every_command_of_the_readme_is_tested() -> None:
    assert set(commands()) == SERVERS | NOT_HERE | set(EXPECTED)


def test_the_commands_do_what_the_readme_says(flowed: Project, tmp_path: Path) -> None:
    project = flowed.copy(tmp_path / "project")
    for command in commands():
        if command in EXPECTED and command != "make lint":
            assert EXPECTED[command] in project.run("sh", "-c", as_here(command)), command
    with sqlite3.connect(project.folder / "mlflow.db") as store:
        (versions,) = store.execute("SELECT count(*) FROM model_versions").fetchone()
    store.close()
    assert versions == 1  # the experiment has not registered anything


def test_the_python_example_makes_images_without_the_project(flowed: Project, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    example = example.replace("/path/to/equipoise", str(flowed.folder)).replace('"2", "5"', '"cat", "dog"')
    (tmp_path / "elsewhere").mkdir()
    program = tmp_path / "elsewhere" / "example.py"
    program.write_text(example + "print(images.shape, images.dtype, images.max() > images.min())\n")
    project = Project(tmp_path / "elsewhere", "")
    assert project.run(PYTHON, "-I", program).splitlines()[-1] == "(2, 8, 8, 1) uint8 True"


def test_the_user_interface_answers(flowed: Project, tmp_path: Path) -> None:
    project = flowed.copy(tmp_path / "project")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = project.start("sh", "-c", f"exec {as_here('make ui')} UI_PORT={port}")
    try:
        for _ in range(120):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                    client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                    if client.recv(64).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
                        break
            except OSError:
                pass
            assert process.poll() is None, process.communicate()[0]
            time.sleep(1)
        else:
            pytest.fail("the MLflow UI did not answer in two minutes")
    finally:
        project.stop(process, signal.SIGKILL)
