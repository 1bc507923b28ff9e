"""A planted true effect: where synthesis must help, the real pipeline says so and promotes the generator, and a later
one has to beat it.

Each class is a faint pattern under strong noise that all classes share. Of the rare class there are a few training
images: a classifier that sees them over and over learns their noise by heart, with mixup or without. A generator that
learnt the noise from the common classes puts fresh noise over the rare pattern.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mlflow import MlflowClient
from PIL import Image

from tasks.cleanup import cleanup
from tasks.core.files import read_json, sha256_of
from tasks.core.params import load
from tasks.evaluate import evaluate
from tasks.ingest import ingest
from tasks.register import register
from tasks.registry.champion import MODEL, Candidacy, Registry
from tasks.registry.decisions import Office
from tasks.rollback import rollback
from tasks.select_generator import select_generator
from tasks.sources.listing import refresh
from tasks.split import split
from tasks.synthesize import synthesize
from tasks.train import train
from tasks.train_gan import train_gan
from tasks.validate import validate
from tests.evaluated import promote
from tests.gan.candidates import save_untrained
from tests.pipeline.project import ROOT

_PLAIN: dict[str, Any] = {"rows": "split", "withheld": False, "loss": "cross_entropy", "augmentation": None}
_PLAIN |= {"oversample": True, "mixup": None, "synthetic": None, "tail_share": 0.0}
_MADE = {"share": 0.6, "weight": 1.0, "filtered": True}
ARMS = {
    "imbalanced": _PLAIN | {"oversample": False},
    "oversampled": _PLAIN,
    "mixup_oversampled": _PLAIN | {"mixup": {"alpha": 0.2, "remix": False}},
    "gan_oversampled": _PLAIN | {"rows": "synthetic", "synthetic": _MADE | {"twin": False}},
    "gan_oversampled_twin": _PLAIN | {"rows": "synthetic", "synthetic": _MADE | {"twin": True}},
}


def _draw_patterns(root: Path) -> None:
    rng = np.random.default_rng(0)
    for label, pattern in zip(("first", "second", "rare"), rng.choice([-1, 1], (3, 8, 8)), strict=True):
        (root / label).mkdir(parents=True)
        for number, noise in enumerate(rng.normal(size=(500, 8, 8))):
            pixels = np.clip(128 + 25 * pattern + 50 * noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / label / f"{number:03d}.png")


def _write_params(project: Path, source: Path) -> None:
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["ingest"]["sources"] = [{"kind": "files", "path": str(source)}]
    params["split"].update(
        seed=0, shares={"train": 0.2, "validation": 0.1, "test": 0.7}, keep={"rare": 0.08}, min_per_class=2
    )
    candidate = params["train_gan"]["candidates"]["conditional"]
    candidate.update(latent=16, width=32, batch=32, epochs=16, steps_per_epoch=50, snapshot_every=8, ema=0.98)
    candidate.update(d_learning_rate=0.001, g_learning_rate=0.001, translation_share=0.0, cutout_share=0.0)
    params["train_gan"]["candidates"] = {"conditional": candidate}
    params["select_generator"]["classifier"]["steps"] = 150
    params["synthesize"].update(min_images=5, max_per_real=20)
    params["train"].update(seeds=5, steps=150, batch=32, learning_rate=0.002, record_every=150, arms=ARMS)
    params["train"]["network"]["width"] = 8
    # Trained without its images, a classifier hardly ever says "rare", and so finds the others more often.
    params["evaluate"].update(oracle=None, max_loss_of_others=0.05, min_seeds=5)
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def _run_all() -> str:
    params = load()
    refresh(params.ingest)
    ingest(params.ingest)
    validate(params.validate)
    cleanup(params.cleanup, params.validate.quality)
    split(params.split)
    train_gan(params.train_gan, params.images, params.compute, "conditional")
    select_generator(params.select_generator, params.train_gan, params.images)
    synthesize(params.synthesize, params.images)
    for arm in params.train.arms:
        train(params.train, params.images, arm)
    evaluate(params.evaluate, params.train, params.images)
    return register(params)


@pytest.fixture
def planted(project: Path, tmp_path: Path) -> Path:
    _draw_patterns(tmp_path / "source")
    _write_params(project, tmp_path / "source")
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    for command in (["init", "--quiet"], [*identity, "commit", "--quiet", "--allow-empty", "--message=start"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    return project


def test_a_true_effect_takes_the_champion_path(planted: Path) -> None:
    line = _run_all()
    verdict, gain = (
        read_json(planted / "data/report/verdict.json"),
        read_json(planted / "data/report/metrics.json")["gain"],
    )
    assert verdict["verdict"] == "synthesise", verdict["reasons"]
    assert gain["low"] > 0.02  # far from the edge: another processor gives slightly other bits
    assert line.startswith(f"{MODEL} version 1 (new): candidate, promoted to champion\n")
    client = MlflowClient()
    champion = client.get_model_version_by_alias(MODEL, "champion")
    assert champion.version == client.get_model_version_by_alias(MODEL, "candidate").version
    assert champion.tags["verdict"] == "synthesise"
    assert "above 0: the synthetic images helped" in champion.tags["reasons"]
    assert (planted / "data/report/report.md").read_text().startswith("# Verdict: synthesise\n")
    _a_champion_of_noise_is_beaten(planted)
    _a_champion_as_good_stays(planted)


def _a_champion_of_noise_is_beaten(project: Path) -> None:
    """Its weights are those with which trainings begin."""
    rival = _rival(project)
    save_untrained(rival, ["first", "rare", "second"])
    assert _put_in_office(rival) == "2"
    line = register(load())
    assert line.startswith(f"{MODEL} version 1 (already registered): candidate, promoted to champion\n")
    decision = Registry().decisions()[-1]
    assert "and over the champion, version 2, the balanced accuracy differs by +0." in decision.reason
    assert decision.facts["over_champion"][1] > 0
    assert set(decision.facts["champion_images"]) == {"first", "rare", "second"}
    assert decision.facts["test_opened"] == 2  # by evaluate, and for the comparison with version 2
    assert Registry().office() == Office("1", ("2",))
    assert not (project / ".state/challenge").exists()


def _a_champion_as_good_stays(project: Path) -> None:
    """It has the same weights under another hash, hence the same images and the same classifiers."""
    rival = _rival(project)
    (rival / "grid.png").unlink()
    assert _put_in_office(rival) == "3"
    expected = (
        "over the champion, version 3, the balanced accuracy differs by +0.0000 [+0.0000, +0.0000], so that it is"
    )
    for _ in range(2):
        assert expected in register(load())
    decisions = Registry().decisions()
    assert [each.event for each in decisions] == ["promoted"] * 4 + ["not promoted"]
    assert decisions[-1].facts["test_opened"] == 3
    assert decisions[-1].facts["champion_images"]["rare"] > 0
    assert rollback() == f"{MODEL}: version 3 was rolled back; version 1 is champion again"


def _rival(project: Path) -> Path:
    return Path(shutil.copytree(project / "data/generator", project / "rival", dirs_exist_ok=True))


def _put_in_office(generator: Path) -> str:
    tags = {"generator_sha256": sha256_of(generator)}
    version, _ = Registry().register(Candidacy(generator, ROOT / "tasks/gan", ["rare"], (8, 8, 1), tags))
    promote(version)
    return version
