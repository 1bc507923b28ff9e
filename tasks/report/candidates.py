"""A page for each candidate: how its GANs were trained, their alarms, snapshots and networks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.files import read_json
from tasks.core.params import Candidate
from tasks.report.alarms import sentence_of
from tasks.report.history_plot import draw_history
from tasks.report.network_plot import draw_network
from tasks.report.run import read_arrays
from tasks.report.sheets import Cell, draw_sheet, rows_of_cells

_COLUMNS = 10  # images of a class in a line
_MOST_ALARMS = 20


def write_candidates(folder: Path, generators: Path, candidates: Mapping[str, Candidate]) -> list[str]:
    """Lines of Markdown that link a page for each candidate; pages and pictures are written into `folder`/candidates.

    Args:
        generators: the folder of all candidates, as `train_gan` writes them.
        candidates: their settings.
    """
    (folder / "candidates").mkdir()
    for name in candidates:
        text = "\n".join(_page(folder / "candidates" / name, generators / name, candidates)) + "\n"
        (folder / f"candidates/{name}.md").write_text(text, encoding="utf-8")
    links = ", ".join(f"[{name}](candidates/{name}.md)" for name in candidates)
    return [f"How the candidates were trained, with all snapshots: {links}.", ""]


def alarm_lines(alarms: Sequence[Mapping[str, Any]], candidates: Mapping[str, Candidate]) -> list[str]:
    """Lines of Markdown on alarms, each with its candidate beside what alarms.json says of it."""
    if not alarms:
        return []
    lines = [
        f"- {alarm['candidate']} ({alarm['part']}, seed {alarm['seed']}), epoch {alarm['epoch']}: "
        f"{sentence_of(alarm, candidates[alarm['candidate']].loss)}"
        for alarm in alarms[:_MOST_ALARMS]
    ]
    more = [f"- {len(alarms) - _MOST_ALARMS} more"] if len(alarms) > _MOST_ALARMS else []
    return ["What the detectors saw in training:", "", *lines, *more, ""]


def draw_samples(path: Path, samples: Path, classes: Sequence[str], title: str) -> None:
    """Write a sheet of the images in a samples.npz, in lines by class."""
    arrays = read_arrays(samples)
    rows = [
        row
        for label, name in enumerate(classes)
        for row in rows_of_cells(name, _cells(arrays["images"][arrays["labels"] == label]), _COLUMNS)
    ]
    draw_sheet(path, title, rows, cell_px=max(64, arrays["images"].shape[1]))


def _cells(images: NDArray[np.uint8]) -> list[Cell]:
    return [Cell(image) for image in images]


def _page(pictures: Path, candidate: Path, candidates: Mapping[str, Candidate]) -> list[str]:
    """Lines of a candidate's page; its pictures are drawn."""
    name, alarms = candidate.name, read_json(candidate / "alarms.json")
    snapshots = sorted(path.parent for path in candidate.glob("seed_*/*/samples.npz"))
    pictures.mkdir()
    history, epochs = pd.read_csv(candidate / "history.csv"), sorted({int(path.name) for path in snapshots})
    draw_history(pictures / "history.png", history, alarms, epochs)
    lines = [f"# {name}", "", f"![history]({name}/history.png)", ""]
    lines += alarm_lines([{"candidate": name, **alarm} for alarm in alarms], candidates)
    lines += ["## Snapshots", ""]
    for snapshot in snapshots:
        file = f"{snapshot.parent.name}_{snapshot.name}.png"
        title = f"{snapshot.parent.name.replace('_', ' ')}, epoch {int(snapshot.name)}"
        classes = read_json(snapshot / "generator.json")["classes"]
        draw_samples(pictures / file, snapshot / "samples.npz", classes, f"generated, by class: {title}")
        lines += [f"![{title}]({name}/{file})", ""]
    lines += ["## Networks", ""]
    for network, layers in read_json(candidate / "networks.json").items():
        draw_network(pictures / f"{network}.png", layers)
        lines += [f"![{network}]({name}/{network}.png)", ""]
    return lines
