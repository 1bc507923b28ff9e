import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tasks.core.files import write_json
from tasks.support.mirror import tracked
from tasks.support.tracking import EXPERIMENT


def _draw(path: Path, images: np.ndarray, row_names: Sequence[str], title: str) -> None:
    path.write_text(f"{images.shape} {', '.join(row_names)}: {title}")


def _run(name: str) -> Run:
    client = MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id], f"run_name LIKE '{name}'")
    return run


def _artifacts(run: Run, under: str | None = None) -> list[str]:
    files = MlflowClient().list_artifacts(run.info.run_id, under)
    return [path for file in files for path in (_artifacts(run, file.path) if file.is_dir else [file.path])]


@pytest.fixture
def params(project: Path, empty_store: Path) -> Path:
    shutil.copy(empty_store, project)
    (project / "params.yaml").write_text("a: 1\n")
    (project / "data/sources.json").write_text("{}\n")
    return project


def test_what_a_stage_tells_and_its_small_files_come_into_a_run_of_the_item(params: Path) -> None:
    out = params / "data/generators/small"
    with tracked("train_gan", "small", {"width": 8}, out, _draw) as listener:
        listener.metrics({"seed_0_kid": 0.5, "seed_0_äö (x)": 1.0}, 1)
        listener.metrics({"seed_0_kid": 0.25}, 2)
        listener.samples("seed_0/all/00010", np.zeros((2, 3, 8, 8, 1), np.uint8), ["cat", "dog"])
        (out / "seed_0").mkdir(parents=True)
        for name in ("history.csv", "alarms.json", "weights.npz", "seed_0/generator.json"):
            (out / name).write_text("x")
        (out / "large.csv").write_text("x" * 1_000_001)
    run = _run("small")
    assert run.data.params == {"width": "8"}
    assert run.data.metrics == {"seed_0_kid": 0.25, "seed_0_äö _x_": 1.0}
    points = MlflowClient().get_metric_history(run.info.run_id, "seed_0_kid")
    assert [(point.step, point.value) for point in points] == [(1, 0.5), (2, 0.25)]
    assert sorted(_artifacts(run)) == ["alarms.json", "grids/seed_0/all/00010.png", "history.csv"]
    drawn = MlflowClient().download_artifacts(run.info.run_id, "grids/seed_0/all/00010.png")
    assert Path(drawn).read_text() == "(2, 3, 8, 8, 1) cat, dog: seed_0/all/00010"
    assert run.info.status == "FINISHED"


def _diverge(out: Path) -> None:
    with tracked("train", "arm", {}, out, _draw) as listener:
        listener.metrics({"loss": 1.0}, 1)
        raise ValueError("no number")


def test_a_stage_that_fails_leaves_what_it_told(params: Path) -> None:
    with pytest.raises(ValueError, match="no number"):
        _diverge(params / "data/x")
    run = _run("arm")
    assert (run.data.metrics, run.info.status) == ({"loss": 1.0}, "FAILED")


def test_evaluation_and_report_are_shown_by_the_parent(params: Path) -> None:
    evaluation, report = params / "data/evaluation", params / "data/report"
    with tracked("evaluate", None, {}, evaluation, _draw):
        evaluation.mkdir()
        write_json(evaluation / "metrics.json", {"gain": {"mean": 0.1, "seeds": 6}, "answer": "no", "pair": ["a", "b"]})
        write_json(evaluation / "verdict.json", {"answer": "do_not_synthesise"})
        (evaluation / "full.npz").write_text("x")
    with tracked("report", None, {}, report, _draw):
        (report / "pictures").mkdir(parents=True)
        for name in ("report.md", "pictures/curves.png"):
            (report / name).write_text("x")
        (report / "summary.txt").write_text("do not synthesise: it does not help\n")
    run = _run("rebalance-%")
    assert run.data.metrics == {"gain_mean": 0.1, "gain_seeds": 6.0}
    assert run.data.tags["verdict"] == "do_not_synthesise"
    assert run.data.tags["mlflow.note.content"] == "do not synthesise: it does not help\n"
    assert sorted(_artifacts(run)) == [
        "evaluate/metrics.json",
        "evaluate/verdict.json",
        "params.yaml",
        "report/pictures/curves.png",
        "report/report.md",
        "report/summary.txt",
    ]
    assert run.info.status == "FINISHED"
