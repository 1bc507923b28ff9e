"""The pipeline: from images to a registered generator and a verdict on it."""

import sys

from prefect import flow

from flows.stages import Stages, task_runner
from tasks.cleanup import cleanup
from tasks.evaluate import evaluate
from tasks.ingest import ingest
from tasks.report import report
from tasks.select_generator import select_generator
from tasks.split import split
from tasks.support.commands import alone, guarded
from tasks.support.progress import show
from tasks.synthesize import synthesize
from tasks.train import train
from tasks.train_gan import train_gan
from tasks.validate import validate

WHERE_TO_LOOK = """
report: data/report/report.md   data checks: data_docs/index.html
images: data/synthetic/   runs and registered generators: `make ui`"""


@flow(task_runner=task_runner())
def rebalance() -> None:
    """Run every stage that is due, then register the generator under the verdict on it."""
    show()
    with alone():
        stages = Stages()
        listing = stages.refresh()
        raw = stages.run(ingest, listing=listing)
        manifest = stages.run(validate, raw=raw)
        clean = stages.run(cleanup, manifest=manifest)
        parts = stages.run(split, clean=clean)
        generators = stages.run_each(train_gan, raw=raw, split=parts)
        generator = stages.run(select_generator, raw=raw, split=parts, generators=generators)
        synthetic = stages.run(synthesize, raw=raw, split=parts, generator=generator)
        classifiers = stages.run_each(train, raw=raw, split=parts, synthetic=synthetic)
        made = {"raw": raw, "split": parts, "generator": generator, "synthetic": synthetic, "classifiers": classifiers}
        evaluation = stages.run(evaluate, **made)
        inputs = made | {"manifest": manifest, "clean": clean, "generators": generators, "evaluation": evaluation}
        pages = stages.run(report, **inputs)
        registered = stages.register()
    print((pages / "summary.txt").read_text(), registered, WHERE_TO_LOOK, sep="")


if __name__ == "__main__":
    sys.exit(guarded(rebalance))
