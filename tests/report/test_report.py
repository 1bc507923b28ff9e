"""The stage: a whole report from files alone."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tasks.core.files import sha256_of
from tasks.core.params import Params
from tasks.report import candidates, report, training
from tests.report.written import INPUTS, tiny, write_run

LINK = re.compile(r"\]\(([^)]+)\)")


@pytest.fixture(autouse=True)
def _no_diagrams(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (candidates, training):
        monkeypatch.setattr(module, "draw_network", lambda path, _: path.write_bytes(b""))


@pytest.fixture(scope="module")
def params() -> Params:
    return tiny()


@pytest.fixture
def written(project: Path, params: Params) -> Path:
    write_run(params)
    return project


def _report(params: Params) -> Path:
    out = Path("data/report")
    report(params, out, **{name: Path("data") / name for name in INPUTS})
    return out


@pytest.mark.usefixtures("written")
def test_every_link_of_every_page_leads_to_a_file_of_the_report(params: Params) -> None:
    out, linked = _report(params), set()
    for page in out.rglob("*.md"):
        for target in LINK.findall(page.read_text()):
            path = (page.parent / target).resolve()
            assert path.is_relative_to(out.resolve()), f"{page} links {target}"
            assert path.exists(), f"{page} links {target}"
            linked.add(path)
    pictures = {path.resolve() for path in out.rglob("*.png")}
    assert pictures <= linked, "each picture is shown by a page"


@pytest.mark.usefixtures("written")
def test_equal_files_give_equal_bytes_and_nothing_is_noted_as_opened(params: Params) -> None:
    first = sha256_of(_report(params))
    assert sha256_of(_report(params)) == first
    assert not Path("ledger.jsonl").exists()


@pytest.mark.usefixtures("written")
def test_the_first_page_has_the_verdict_and_the_summary_all_arms(params: Params) -> None:
    out = _report(params)
    text, summary = (out / "report.md").read_text(), (out / "summary.txt").read_text()
    assert text.startswith("# Verdict: do not synthesise\n")
    for heading in ("Arms", "Classes", "Generator", "Training", "The data"):
        assert f"\n## {heading}\n" in text
    assert "No images of class cat were made: too few." in text
    assert "| cat | 8 | 0 |" in text
    assert "- quarantine: 1 not_an_image, [contact sheet](quarantine/not_an_image.png)" in text
    assert "- left out: 1 not_an_image, [list](left_out.csv)" in text
    assert "4 of 4 checks passed" in text
    assert all(f"{name} " in summary for name in params.arms)
    assert "verdict: do not synthesise" in summary


@pytest.mark.usefixtures("written")
def test_tables_for_plots_have_a_row_for_each_point_and_each_prediction(params: Params) -> None:
    out = _report(params)
    curves, confusion = pd.read_csv(out / "curves.csv"), pd.read_csv(out / "confusion.csv")
    assert set(curves["arm"]) == set(params.arms)
    assert len(curves) == 2 * len(params.arms)
    assert len(confusion) == 2 * 16
    assert (confusion["actual"] == confusion["predicted"]).mean() == 14 / 16


@pytest.mark.usefixtures("written")
def test_many_arms_have_a_place(params: Params) -> None:
    many = replace(params, arms=params.arms | {f"arm_{number:02d}": params.arms["imbalanced"] for number in range(25)})
    Path("data").rename("old")
    Path("data").mkdir()
    write_run(many)
    assert len(list((_report(many) / "arms").iterdir())) == len(many.arms)


@pytest.mark.usefixtures("written")
def test_the_report_warns_where_synthetic_images_were_enlarged(params: Params) -> None:
    larger = replace(params, train=params.train.model_copy(update={"size_px": 16}))
    assert "**Synthetic images have" not in (_report(params) / "report.md").read_text()
    text = " ".join((_report(larger) / "report.md").read_text().split())
    assert "**Synthetic images have 8 pixels a side and were enlarged to 16: their blur may tell" in text


def test_it_needs_neither_tensorflow_nor_tracking() -> None:
    code = (
        "import sys, tasks.report.pages, tasks.report.words, tasks.evidence.comparison, tasks.evidence.results\n"
        "banned = ('tensorflow', 'keras', 'mlflow', 'tasks.networks', 'tasks.gan', 'tasks.classifier', 'tasks.quality')\n"
        "print([name for name in banned if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_sentence_alone_needs_no_matplotlib() -> None:
    code = "import sys, tasks.report.words; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
