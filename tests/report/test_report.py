"""The stage: a whole report from files alone."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tasks.core.files import sha256_of
from tasks.core.params import Params
from tasks.report import report
from tests.parameters import ROOT
from tests.report.written import INPUTS, tiny, write_run

LINK = re.compile(r"\]\(([^)]+)\)")


@pytest.fixture(scope="module")
def params() -> Params:
    return tiny()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, params: Params) -> Iterator[Path]:
    """A project with a report, as the current folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        write_run(params)
        _report(params, "report")
        yield Path.cwd()


def _report(params: Params, name: str) -> Path:
    out = Path("data") / name
    report(params, out, **{name: Path("data") / name for name in INPUTS})
    return out


def test_every_link_of_every_page_leads_to_a_file_of_the_report(project: Path) -> None:
    out, linked = project / "data/report", set()
    for page in out.rglob("*.md"):
        for target in LINK.findall(page.read_text()):
            path = (page.parent / target).resolve()
            assert path.is_relative_to(out), f"{page} links {target}"
            assert path.exists(), f"{page} links {target}"
            linked.add(path)
    assert set(out.rglob("*.png")) <= linked, "each picture is shown by a page"


def test_equal_files_give_equal_bytes_and_nothing_is_noted_as_opened(project: Path, params: Params) -> None:
    assert sha256_of(_report(params, "again")) == sha256_of(project / "data/report")
    assert not (project / "ledger.jsonl").exists()


def test_the_first_page_has_the_verdict_and_the_summary_all_arms(project: Path, params: Params) -> None:
    text, summary = ((project / "data/report" / name).read_text() for name in ("report.md", "summary.txt"))
    assert text.startswith("# Verdict: do not synthesise\n")
    for heading in ("Arms", "Classes", "Generator", "Training", "The data"):
        assert f"\n## {heading}\n" in text
    assert "No images of class cat were made: 8 real images, fewer than synthesize.min_images 50." in text
    assert "| cat | 8 | 0 |" in text
    assert "- quarantine: 1 not_an_image, [contact sheet](quarantine/not_an_image.png)" in text
    assert "- left out: 1 not_an_image, [list](left_out.csv)" in text
    assert "4 of 4 checks passed" in text
    assert "**Synthetic images have" not in text
    assert [line.split()[0] for line in summary.splitlines()[1 : 1 + len(params.arms)]] == list(params.arms)
    assert "verdict: do not synthesise" in summary


def test_tables_for_plots_have_a_row_for_each_point_and_each_prediction(project: Path, params: Params) -> None:
    curves, confusion = (pd.read_csv(project / "data/report" / name) for name in ("curves.csv", "confusion.csv"))
    assert set(curves["arm"]) == set(params.arms)
    assert len(curves) == 2 * len(params.arms)
    assert len(confusion) == 2 * 16
    assert (confusion["actual"] == confusion["predicted"]).mean() == 14 / 16


def test_each_arm_has_pictures_of_what_it_does(project: Path, params: Params) -> None:
    folder = project / "data/report/arms"
    assert {path.name for path in folder.iterdir()} == set(params.arms)
    for name, arm in params.arms.items():
        does = {"batch.png": True, "beta.png": arm.mixup_alpha, "changes.png": arm.augmentation}
        assert {path.name for path in (folder / name).iterdir()} == {file for file, drawn in does.items() if drawn}


def test_it_needs_neither_tensorflow_nor_tracking() -> None:
    code = (
        "import sys, tasks.report.pages, tasks.report.words, tasks.evidence.comparison, tasks.evidence.results\n"
        "rooms = ['networks', 'gan', 'classifier', 'quality', 'registry', 'support.tracking']\n"
        "banned = ['tensorflow', 'keras', 'mlflow', *(f'tasks.{room}' for room in rooms)]\n"
        "print([name for name in banned if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_sentence_alone_needs_no_matplotlib() -> None:
    code = "import sys, tasks.report.words; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "False"
