"""Report: every picture, table and sentence for people, from the files that the other stages wrote."""

from pathlib import Path

from tasks.core.files import replacing
from tasks.core.params import Params
from tasks.support.progress import log
from tasks.support.stages import stage


@stage(
    params=("images", "validate", "candidates", "train", "augmentations", "arms", "evaluate"),
    rooms=("data", "evidence", "report"),
    out="report",
)
def report(
    params: Params,
    out: Path,
    *,
    raw: Path,
    manifest: Path,
    clean: Path,
    split: Path,
    generators: Path,
    generator: Path,
    synthetic: Path,
    classifiers: Path,
    evaluation: Path,
) -> None:
    """Write report.md and summary.txt with all pages and pictures, curves.csv and confusion.csv for `dvc plots`.

    Of the real images those of validation and of the quarantine are opened, none of test.
    """
    from tasks.report.pages import write_pages  # deferred: who needs a sentence alone does not wait for matplotlib
    from tasks.report.run import Folders, read_run

    folders = Folders(raw, manifest, clean, split, generators, generator, synthetic, classifiers, evaluation)
    run = read_run(params, folders)
    with replacing(out) as folder:
        write_pages(folder, run)
    log.info("  verdict: %s", run.comparison.verdict.answer)
