"""A registered generator as a client has it: by its package alone, in a process of its own."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks.networks.checkpoints import identity_of
from tasks.quality.synthesis import maker
from tasks.registry.champion import Registry
from tasks.registry.packaged import running
from tasks.registry.packaging import PACKAGE, Candidacy, Package, Unusable, read_package
from tasks.support import environment
from tests.evaluated import ROWS, lay_project, save_generator


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A project with a generator in `generator`, and its package, fetched from the registry, in `package`."""
    root = tmp_path_factory.mktemp("registered")
    lay_project(root, empty_store)
    (root / "generator").mkdir()
    save_generator(root / "generator", ROWS, ["cat", "dog"], seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(environment, "ROOT", root)
        patch.setitem(os.environ, "MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
        origin = {"generator_sha256": identity_of(root / "generator")}
        registry = Registry()
        version, _ = registry.register(Candidacy(root / "generator", ["cat", "dog"], (8, 8, 1), origin, {}, threads=1))
        with registry.package(version) as package:
            shutil.copytree(package.folder, root / "package")
    return root


@pytest.fixture
def package(root: Path, tmp_path: Path) -> Package:
    """A copy of the package that a test may spoil."""
    return read_package("1", Path(shutil.copytree(root / "package", tmp_path / "package")))


def test_a_package_says_what_it_makes_and_with_what(package: Package) -> None:
    assert (package.version, package.image_shape, package.threads) == ("1", (8, 8, 1), 1)
    assert {line.partition("==")[0] for line in package.requirements.split()} >= {"numpy", "pandas", "tensorflow"}
    assert (package.files / "seen.csv").exists()
    code = [path.relative_to(package.folder).parts[:2] for path in package.folder.rglob("*.py")]
    assert set(code) == {("code", PACKAGE)}


def test_it_makes_the_images_that_the_generator_makes_here(package: Package, root: Path) -> None:
    here = maker(root / "generator", seed=3)
    with running(package, seed=3) as make:
        for asked in (("dog", 0, 3), ("cat", 250, 10), ("dog", 5, 1)):
            np.testing.assert_array_equal(make(*asked), here(*asked))
        with pytest.raises(Unusable, match="unknown class emu: this generator makes cat, dog"):
            make("emu", 0, 3)


def test_what_runs_is_the_code_in_the_package(package: Package) -> None:
    serving = package.folder / "code" / PACKAGE / "serving.py"
    changed = serving.read_text().replace("return self._generator.generate(latents, labels)", "return 0 * latents")
    serving.write_text(changed)
    with running(package, seed=0) as make, pytest.raises(Unusable) as caught:
        make("dog", 0, 3)
    assert str(caught.value) == "version 1 makes float32 (3, 4) where uint8 (3, 8, 8, 1) was registered"


def test_a_package_that_no_longer_loads_is_named_with_the_libraries_that_it_needs(package: Package) -> None:
    serving = package.folder / "code" / PACKAGE / "serving.py"
    serving.write_text("import a_library_of_before\n")
    expected = (
        r"version 1 does not run with the libraries that are installed here \(it says ModuleNotFoundError: No module "
        r"named 'a_library_of_before'\); it was made with .*tensorflow=="
    )
    with pytest.raises(Unusable, match=expected), running(package, seed=0):
        pass


def test_a_package_of_an_earlier_format_is_unusable(package: Package) -> None:
    (package.folder / "requirements.txt").unlink()
    with pytest.raises(Unusable, match="the package of version 1 is of an earlier Equipoise"):
        read_package("1", package.folder)
