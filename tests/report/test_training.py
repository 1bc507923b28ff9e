from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.evidence.results import ArmResult
from tasks.report.run import Folders, Run, read_run
from tasks.report.training import arms_section, augmentation_lines, curves_section, enlargement_lines
from tests.classifier.examples import arm, made, mixed
from tests.report.written import INPUTS, tiny, write_run

ARMS = {
    "plain": arm(),
    "changed": arm(augmentation="shifts"),
    "mixed": arm(augmentation="shifts", **mixed(0.2)),
    "gan": arm(augmentation="shifts", **mixed(0.4), **made()),
}


def _results(**gaps: float) -> dict[str, ArmResult]:
    none: Any = None
    return {name: ArmResult(none, none, 0.7, (0.0, 0.0), gap) for name, gap in gaps.items()}


def test_what_changes_of_images_do_to_the_gap_is_told_of_arms_alike_but_for_that() -> None:
    lines = [line for line in augmentation_lines(_results(plain=0.3, changed=0.1, mixed=-0.2, gan=-0.1), ARMS) if line]
    assert lines == ["changed changes images and ends with a gap of +0.100; plain, alike but for that, +0.300."]


def test_of_arms_that_differ_in_more_than_changes_of_images_nothing_is_told() -> None:
    arms = ARMS | {"plain": arm(oversample=True)}
    assert not list(augmentation_lines(_results(plain=0.3, changed=0.1, mixed=0.1, gan=0.1), arms))


def test_it_warns_where_synthetic_images_were_enlarged() -> None:
    assert enlargement_lines(64, 64) == enlargement_lines(64, 32) == []
    text = " ".join(enlargement_lines(128, 150))
    assert text.startswith("**Synthetic images have 128 pixels a side and were enlarged to 150: their blur may tell")


@pytest.fixture
def run(project: Path) -> Run:
    params = tiny()
    write_run(params)
    return read_run(params, Folders(*(project / "data" / name for name in INPUTS)))


def test_the_report_shows_pictures_of_the_pair_equal_ones_once_and_links_the_rest(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    text = "\n".join(arms_section(folder, run))
    generative, free = run.pair
    assert f"{generative}:\n\n![batch.png of {generative}](arms/{generative}/batch.png)" in text
    assert f"{free}:\n\n![batch.png of {free}](arms/{free}/batch.png)" in text
    both = f"{generative} and {free}:\n\n![changes.png of {generative}](arms/{generative}/changes.png)"
    assert both in text
    assert "[on a page of their own](arms.md)" in text
    page = (folder / "arms.md").read_text()
    assert all(f"## {name}\n\n![batch.png of {name}](arms/{name}/batch.png)" in page for name in run.params.arms)


def test_curves_are_means_over_seeds(run: Run, tmp_path: Path) -> None:
    curves_section(tmp_path, run)
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert lines[0].startswith("step,")
    assert len(lines) == 1 + 2 * len(run.params.arms)
    assert np.isclose(run.histories["imbalanced"]["validation_balanced_accuracy"], 0.1).all()
