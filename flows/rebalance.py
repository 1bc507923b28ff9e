"""The pipeline: from images to a registered generator and a verdict on it."""

import sys
from pathlib import Path

from prefect import flow

from flows.stages import Stages, task_runner
from tasks.cleanup import cleanup
from tasks.core.environment import pin
from tasks.core.params import load
from tasks.evaluate import evaluate
from tasks.ingest import ingest
from tasks.register import register
from tasks.select_generator import select_generator
from tasks.sources.listing import refresh
from tasks.split import split
from tasks.support.commands import alone, guarded
from tasks.support.progress import log, show
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
        params = load()
        pin(params.compute)
        if refresh(params.ingest):
            log.info("sources: changed")
        stages.run(ingest, params.ingest)
        stages.run(validate, params.validate)
        stages.run(cleanup, params.cleanup, params.validate.quality)
        stages.run(split, params.split)
        stages.run_each(
            train_gan,
            {name: (params.train_gan, params.images, params.compute, name) for name in params.train_gan.candidates},
        )
        stages.run(select_generator, params.select_generator, params.train_gan, params.images)
        stages.run(synthesize, params.synthesize, params.images)
        stages.run_each(train, {name: (params.train, params.images, name) for name in params.train.arms})
        stages.run(evaluate, params.evaluate, params.train, params.images)
        registered = register(params)
    print(Path("data/report/summary.txt").read_text(), registered, WHERE_TO_LOOK, sep="")


if __name__ == "__main__":
    sys.exit(guarded(rebalance))
