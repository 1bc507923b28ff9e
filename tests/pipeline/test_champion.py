"""A planted true effect: where synthesis must help, the real pipeline says so and promotes the generator, and a later
one has to beat it.

Each class is a faint pattern under strong noise that all classes share. Of the rare class there are a few training
images: a classifier that sees them over and over learns their noise by heart, with mixup or without. A generator that
learnt the noise from the common classes puts fresh noise over the rare pattern.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

from tasks.cleanup import cleanup
from tasks.core.files import read_json
from tasks.core.params import load
from tasks.evaluate import evaluate
from tasks.ingest import ingest
from tasks.networks.checkpoints import identity_of
from tasks.register import register
from tasks.registry.champion import MODEL, Registry
from tasks.registry.decisions import Champions
from tasks.registry.packaging import Candidacy
from tasks.registry.registration import PAGE
from tasks.rollback import rollback
from tasks.select_generator import select_generator
from tasks.sources.listing import refresh
from tasks.split import split
from tasks.synthesize import synthesize
from tasks.train import train
from tasks.train_gan import train_gan
from tasks.validate import validate
from tests.classifier.examples import PLAIN
from tests.evaluated import lay_project, promote
from tests.gan.candidates import save_untrained
from tests.parameters import read_values, write_values

_PLAIN = PLAIN | {"oversample": True}
_MADE = _PLAIN | {"rows": "synthetic", "synthetic_share": 0.6}
ARMS = {
    "imbalanced": _PLAIN | {"oversample": False},
    "oversampled": _PLAIN,
    "mixup_oversampled": _PLAIN | {"mixup_alpha": 0.2},
    "gan_oversampled": _MADE,
    "gan_oversampled_twin": _MADE | {"twin": True},
}
STAGES = (ingest, validate, cleanup, split, train_gan, select_generator, synthesize, train, evaluate)


def _draw_patterns(root: Path) -> None:
    rng = np.random.default_rng(0)
    for label, pattern in zip(("first", "second", "rare"), rng.choice([-1, 1], (3, 8, 8)), strict=True):
        (root / label).mkdir(parents=True)
        for number, noise in enumerate(rng.normal(size=(500, 8, 8))):
            pixels = np.clip(128 + 25 * pattern + 50 * noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / label / f"{number:03d}.png")


def _write_params(project: Path, source: Path) -> None:
    values = read_values()
    values["ingest"]["sources"] = [{"kind": "files", "path": str(source)}]
    values["split"].update(seed=0, shares={"train": 0.2, "validation": 0.1}, keep={"rare": 0.08}, min_per_class=2)
    candidate = values["candidates"]["conditional"]
    candidate.update(latent=16, width=32, batch=32, epochs=16, steps_per_epoch=50, snapshot_every=8, ema=0.98)
    candidate.update(d_learning_rate=0.001, g_learning_rate=0.001, translation_share=0.0, cutout_share=0.0)
    values["candidates"] = {"conditional": candidate}
    values["select_generator"]["classifier"]["steps"] = 150
    values["synthesize"].update(min_images=5, max_per_real=20)
    values["train"].update(seeds=5, steps=150, batch=32, learning_rate=0.002, record_every=150)
    values["train"]["network"]["width"] = 8
    values["arms"] = ARMS
    # Trained without its images, a classifier hardly ever says "rare", and so finds the others more often.
    values["evaluate"].update(oracle=None, max_loss_of_others=0.05, min_seeds=5)
    write_values(project, values)


def _run_all() -> str:
    params = load()
    refresh(params.ingest)
    for stage in STAGES:
        for item in getattr(params, stage.each) if stage.each else [None]:
            stage.run(params, item)
    return register(params)


@pytest.fixture
def planted(project: Path, empty_store: Path, tmp_path: Path) -> Path:
    lay_project(project, empty_store)
    _draw_patterns(tmp_path / "source")
    _write_params(project, tmp_path / "source")
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    for command in (["init", "--quiet"], [*identity, "commit", "--quiet", "--allow-empty", "--message=start"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    return project


def test_a_true_effect_takes_the_champion_path(planted: Path) -> None:
    line = _run_all()
    verdict = read_json(planted / "data/evaluation/verdict.json")
    assert verdict["answer"] == "synthesise", verdict["conditions"]
    assert verdict["gain"]["low"] > 0.02  # far from the edge: another processor gives slightly other bits
    assert line.startswith(f"{MODEL} version 1 (new): candidate, promoted to champion\n")
    client = MlflowClient()
    champion = client.get_model_version_by_alias(MODEL, "champion")
    assert champion.version == client.get_model_version_by_alias(MODEL, "candidate").version
    assert champion.tags["verdict"] == "synthesise"
    assert "above 0: the synthetic images helped" in champion.tags["reasons"]
    assert PAGE.read_text().startswith(f"# {MODEL}: version 1 is champion\n")
    _a_champion_of_noise_is_beaten(planted)
    _a_champion_as_good_stays(planted)


def _a_champion_of_noise_is_beaten(project: Path) -> None:
    """Its weights are those with which trainings begin."""
    rival = _rival(project)
    save_untrained(rival, ["first", "rare", "second"])
    assert _make_champion(rival) == "2"
    line = register(load())
    assert line.startswith(f"{MODEL} version 1 (already registered): candidate, promoted to champion\n")
    decision = Registry().decisions()[-1]
    assert "and over the champion, version 2, the balanced accuracy differs by +0." in decision.reason
    assert decision.facts["over_champion"][1] > 0
    assert set(decision.facts["champion_images"]) == {"first", "rare", "second"}
    assert decision.facts["test_opened"] == 2  # by evaluate, and for the comparison with version 2
    assert Registry().champions() == Champions("1", ("2",))
    assert not (project / ".state/comparison").exists()


def _a_champion_as_good_stays(project: Path) -> None:
    """It has the same weights under another hash, hence the same images and the same classifiers, though it runs in a
    process of its own."""
    rival = _rival(project)
    with (rival / "generator.json").open("a") as settings:
        settings.write("\n")
    assert _make_champion(rival) == "3"
    expected = (
        "over the champion, version 3, the balanced accuracy differs by +0.0000 [+0.0000, +0.0000], so that it is"
    )
    for _ in range(2):
        assert expected in register(load())
    decisions = Registry().decisions()
    assert [decision.event for decision in decisions] == ["promoted"] * 4 + ["not promoted"]
    assert decisions[-1].facts["test_opened"] == 3
    assert decisions[-1].facts["champion_images"]["rare"] > 0
    assert rollback() == f"{MODEL}: version 3 was rolled back; version 1 is champion again"


def _rival(project: Path) -> Path:
    return Path(shutil.copytree(project / "data/generator", project / "rival", dirs_exist_ok=True))


def _make_champion(generator: Path) -> str:
    origin = {"generator_sha256": identity_of(generator)}
    candidacy = Candidacy(generator, ["rare"], (8, 8, 1), origin, {}, load().compute.intra_op_threads)
    version, _ = Registry().register(candidacy)
    promote(version)
    return version
