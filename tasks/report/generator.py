"""The part of the report on the generator: which was chosen and why, what snapshots scored, what the filter kept."""

from pathlib import Path

from tasks.core.files import read_json
from tasks.report.candidates import alarm_lines, draw_samples, write_candidates
from tasks.report.filter import filter_section
from tasks.report.plots import draw_scores
from tasks.report.run import Run
from tasks.report.selection import selection_lines


def generator_section(folder: Path, run: Run) -> list[str]:
    """Lines of Markdown; pictures and the candidates' pages are written into `folder`."""
    generator = run.folders.generator
    draw_scores(folder / "scores.png", run.scores)
    classes = read_json(generator / "generator.json")["classes"]
    draw_samples(folder / "generated.png", generator / "samples.npz", classes, "generated, by class")
    return [
        "## Generator",
        "",
        *selection_lines(run.selection, run.scores),
        *alarm_lines(run.selection["alarms"], run.params.candidates),
        "![what the chosen generator makes](generated.png)",
        "",
        *write_candidates(folder, run.folders.generators, run.params.candidates),
        *filter_section(folder, run.folders.synthetic, run.filtered),
    ]
