"""Checks of tables by Great Expectations, and its Data Docs: the only importer of great_expectations.

What a stage checks is described by plain `Check`s. The results come back as plain rows without dates, which a stage
may write into an output; Data Docs, which carry dates, are written beside into `data_docs/`, never a DVC output.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from tasks.core.files import REFUSED
from tasks.support import environment
from tasks.support.errors import BadInput
from tasks.support.progress import log

DOCS = Path("data_docs")
KEPT = 5  # results of each table; Data Docs render all of them anew each time
_STORE = Path(".state/expectations")


@dataclass(frozen=True)
class Check:
    """One expectation on one column of a table.

    `sentence` is for people: shown in Data Docs, in the report where the check fails, and as the error where it is
    `fatal` (severity critical, else warning). It may name columns of the failing row in braces, or `{observed}` for a
    check of the whole column (`sum`).
    """

    rule: Literal["present", "unique", "known", "between", "sum"]
    column: str
    sentence: str
    fatal: bool = True
    minimum: float | None = None
    maximum: float | None = None
    values: list[str] = field(default_factory=list)


def check(tables: Mapping[str, tuple[pd.DataFrame, list[Check]]]) -> list[dict[str, Any]]:
    """The result of each check of each named table, as plain rows; Data Docs are renewed.

    A row has table, rule, column, minimum, maximum, fatal, passed, observed (the sum for the rule `sum`, for the others
    the number of values that break it) and sentences: of the failing rows, three at most.
    """
    import great_expectations as gx  # deferred: it takes seconds, and most runs check nothing

    context = gx.get_context(mode="file", project_root_dir=environment.ROOT / _STORE)
    context.variables.progress_bars = {"globally": False}
    rows = [
        _row(name, checked, table, result)
        for name, (table, checks) in tables.items()
        for checked, result in zip(checks, _validate(gx, context, name, table, checks), strict=True)
    ]
    _build_docs(context)
    return rows


def require(results: list[dict[str, Any]]) -> None:
    """Tell of the checks that failed.

    Raises:
        BadInput: a fatal one did; the error is its sentences.
    """
    for row in results:
        if not row["passed"] and not row["fatal"]:
            log.warning("  %s", row["sentences"][0])
    if breaches := [sentence for row in results if row["fatal"] for sentence in row["sentences"]]:
        raise BadInput(f"{'; '.join(breaches)} (what was found: {REFUSED}, {DOCS / 'index.html'})")


def _row(name: str, checked: Check, table: pd.DataFrame, result: Any) -> dict[str, Any]:
    outcome, passed = result["result"], bool(result["success"])
    return {
        "table": name,
        "rule": checked.rule,
        "column": checked.column,
        "minimum": checked.minimum,
        "maximum": checked.maximum,
        "fatal": checked.fatal,
        "passed": passed,
        "observed": float(outcome.get("observed_value", outcome.get("unexpected_count")) or 0),
        "sentences": [] if passed else _sentences(checked, table.reset_index(drop=True), outcome),
    }


def _sentences(checked: Check, table: pd.DataFrame, outcome: dict[str, Any]) -> list[str]:
    failing = outcome.get("partial_unexpected_index_list") or []
    if not failing:
        return [checked.sentence.format(observed=f"{outcome.get('observed_value', 0):g}")]
    return [checked.sentence.format_map(row) for row in table.loc[failing[:3]].to_dict("records")]


def _validate(gx: Any, context: Any, name: str, table: pd.DataFrame, checks: list[Check]) -> list[Any]:
    source = context.data_sources.add_or_update_pandas("equipoise")
    batch = source.add_dataframe_asset(name=f"{name}_table").add_batch_definition_whole_dataframe("whole")
    suite = context.suites.add_or_update(
        gx.ExpectationSuite(name=name, expectations=[_expectation(gx, checked) for checked in checks])
    )
    definition = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=name, data=batch, suite=suite)
    )
    parameters = {"dataframe": table.reset_index(drop=True)}
    outcome = definition.run(batch_parameters=parameters, result_format="SUMMARY")
    _forget_old_results(name)
    by_rule = {_rule_and_column(result["expectation_config"]): result for result in outcome.results}
    return [by_rule[(_RULES[checked.rule], checked.column)] for checked in checks]


_RULES = {
    "present": "expect_column_values_to_not_be_null",
    "unique": "expect_column_values_to_be_unique",
    "known": "expect_column_values_to_be_in_set",
    "between": "expect_column_values_to_be_between",
    "sum": "expect_column_sum_to_be_between",
}


def _rule_and_column(config: Any) -> tuple[str, str]:
    return config["type"], config["kwargs"]["column"]


def _expectation(gx: Any, checked: Check) -> Any:
    expectation = getattr(gx.expectations, "".join(word.title() for word in _RULES[checked.rule].split("_")))
    bounds: dict[str, Any] = {}
    if checked.rule in ("between", "sum"):
        bounds = {"min_value": checked.minimum, "max_value": checked.maximum}
    if checked.rule == "known":
        bounds = {"value_set": checked.values}
    severity = "critical" if checked.fatal else "warning"
    notes = re.sub(r"{(\w+)[^}]*}", r"[\1]", checked.sentence)  # what stands in braces is known for a failing row only
    return expectation(column=checked.column, severity=severity, notes=notes, **bounds)


def _forget_old_results(name: str) -> None:
    stored = (environment.ROOT / _STORE / "gx/uncommitted/validations" / name).glob("*/*")  # named by their time
    for result in sorted(stored, key=lambda folder: folder.name)[:-KEPT]:
        shutil.rmtree(result)
        shutil.rmtree(
            environment.ROOT / DOCS / "validations" / name / result.parent.name / result.name, ignore_errors=True
        )


def _build_docs(context: Any) -> None:
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(environment.ROOT / DOCS),
        },
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    if "local_site" in context.get_site_names():
        context.delete_data_docs_site("local_site")
    if "equipoise" not in context.get_site_names():
        context.add_data_docs_site("equipoise", site)
    context.build_data_docs()
