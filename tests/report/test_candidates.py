from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.core.files import write_json
from tasks.core.params import load
from tasks.report.candidates import alarm_lines, draw_samples, write_candidates
from tests.parameters import ROOT
from tests.report.written import ALARM, write_candidate

CANDIDATES = dict.fromkeys(("one", "two"), load(ROOT).candidates["conditional"])


def _pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_each_candidate_has_a_page_with_its_history_snapshots_and_networks(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_candidate(tmp_path / "generators" / name)
    (line, _) = write_candidates(tmp_path, tmp_path / "generators", CANDIDATES)
    assert "[one](candidates/one.md), [two](candidates/two.md)" in line
    page = (tmp_path / "candidates/one.md").read_text()
    files = {"history.png", "generator.png", "discriminator.png", "seed_0_00001.png", "seed_0_00002.png"}
    assert {path.name for path in (tmp_path / "candidates/one").iterdir()} == files
    assert all(f"(one/{file})" in page for file in files)
    assert "- one (all, seed 0), epoch 2: Images of the least varied class differ 0.1 times as much" in page


def test_a_candidate_without_alarms_or_snapshots_has_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "generators/one"
    write_candidate(folder)
    write_json(folder / "alarms.json", [])
    for path in folder.glob("seed_0/*/*"):
        path.unlink()
    write_candidates(tmp_path, tmp_path / "generators", {"one": CANDIDATES["one"]})
    page = (tmp_path / "candidates/one.md").read_text()
    assert "What the detectors saw" not in page
    assert "(one/history.png)" in page


def test_of_many_alarms_the_first_are_told_and_the_rest_counted() -> None:
    lines = alarm_lines([{"candidate": "one", **ALARM, "epoch": epoch} for epoch in range(25)], CANDIDATES)
    told = [line for line in lines if line.startswith("- ")]
    assert len(told) == 21
    assert told[-1] == "- 5 more"


def test_samples_are_drawn_in_lines_by_class(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2)
    labels = np.repeat([0, 1], 12)
    np.savez(tmp_path / "samples.npz", images=images, labels=labels)
    draw_samples(tmp_path / "sheet.png", tmp_path / "samples.npz", ["cat", "dog"], "title")
    pixels = _pixels(tmp_path / "sheet.png")
    left = 12 + 6 * 5
    shown = [int(pixels[34 + 76 * row + 30, left + 76 * column + 30, 0]) for row, column in ((0, 9), (1, 1), (2, 0))]
    assert shown == [9, 11, 12]
