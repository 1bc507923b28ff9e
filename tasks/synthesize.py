"""Synthesize: filtered images of the rare classes, and the balanced manifest of real and synthetic rows."""

from pathlib import Path

from tasks.core.files import read_json, replacing, write_json
from tasks.core.params import Params
from tasks.data.balance import plan
from tasks.data.manifest import read_manifest, rows_of
from tasks.support.commands import stage_command
from tasks.support.expectations import Check, check, require
from tasks.support.progress import log
from tasks.support.stages import stage

_PROMISE = Check(
    "between",
    "missing",
    'class "{label}" lacks {missing} of the {promised} training images promised: report this as a defect of Equipoise',
    minimum=0,
    maximum=0,
)


@stage(params=("compute", "images", "synthesize"), rooms=("data", "networks", "classifier", "quality"), out="synthetic")
def synthesize(params: Params, out: Path, *, raw: Path, split: Path, generator: Path) -> None:
    """Write what `fill_classes` and `write_synthesis` write, with checks.json.

    Raises:
        BadInput: the images kept are not those promised.
    """
    from tasks.quality.balanced import write_synthesis  # deferred: TensorFlow takes seconds to start
    from tasks.quality.synthesis import fill_classes, maker

    manifest, selection = read_manifest(split), read_json(generator / "selection.json")
    promises = plan(rows_of(manifest, "train"), selection["classes"], params.synthesize)
    origin = {"generator": selection["generator_sha256"], "run": selection["run"], "seed": params.synthesize.seed}
    with replacing(out, keep_refused=True) as folder:
        filled = fill_classes(params, manifest, promises, maker(generator, params.synthesize.seed), folder)
        balance = write_synthesis(folder, out, manifest, promises, filled, origin)
        results = check({"balanced": (balance, [_PROMISE])})
        write_json(folder / "checks.json", results)
        require(results)
    log.info("  %d images in %d classes", balance["synthetic"].sum(), (balance["synthetic"] > 0).sum())
    for row in balance[balance["abstained"] != ""].itertuples():
        log.info("  no images of class %s: %s", row.label, row.abstained)


if __name__ == "__main__":
    stage_command(synthesize)
