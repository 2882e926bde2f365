"""Level 1, exact: cells that anyone can compute again equal the printed ones, to every printed
digit."""

from collections.abc import Mapping
from decimal import Decimal
from statistics import fmean

from harness.published.numbers import Check, Published, Rerun, Submission
from harness.published.verdict import Outcome, Verdict
from harness.release.schema import Concluded
from harness.xtreme.scoring import Report

SHOWN = 8  # differing cells a verdict lists

Cells = Mapping[str, Mapping[str, float | None]]  # row → column → number, on its table's own scale


def compare_release(
    check: Check, wanted: Rerun, document: Published, content: Concluded, name: str
) -> Verdict:
    """The verdict of a `rerun` check: rows are languages, columns are metrics of the baseline's
    cells, each the mean over its seeds (of one seed the number itself).

    name  what the content is called in messages
    """
    baselines = {arm for arm, facts in content.arms.items() if facts.kind == "baseline"}
    cells = []
    for cell in content.cells:
        task = content.targets[cell.target].task
        if (cell.encoder, task) == (wanted.encoder, wanted.target) and cell.arm in baselines:
            cells.append(cell)
    if not cells:
        says = f"{name} has no cell of {wanted.encoder} on {wanted.target}"
        return Verdict(check, _without_cells(wanted, content), says)

    scale = document.tables[wanted.table].scale
    values: dict[str, dict[str, list[float]]] = {}
    for cell in cells:
        for language, scores in cell.languages.items():
            for metric, value in scores.metrics.items():
                by_metric = values.setdefault(language, {})
                by_metric.setdefault(metric, []).append(value * scale / 100)

    # a mean over some of the seeds is no number of this release
    found: dict[str, dict[str, float]] = {}
    for language, metrics in values.items():
        found[language] = {name: fmean(of) for name, of in metrics.items() if len(of) == len(cells)}
    return _verdict(check, document, {wanted.table: found}, wanted.tolerance, name)


def _without_cells(wanted: Rerun, content: Concluded) -> Outcome:
    """A name that the suite does not have is a slip in the check; what could not be computed here
    is none."""
    tasks = {facts.task for facts in content.targets.values()} | set(content.suite.left_out)
    known = wanted.encoder in content.encoders and wanted.target in tasks
    return "not run" if known else "fails"


def compare_submission(
    check: Check, wanted: Submission, document: Published, scored: Report, name: str
) -> Verdict:
    """The verdict of a `submission` check.

    name  of the folder
    """
    averages: dict[str, dict[str, float | None]] = {"overall": {"score": scored["overall"]}}
    averages |= {task: {"score": said["metric"]} for task, said in scored["averages"].items()}
    averages |= {group: {"score": value} for group, value in scored["groups"].items()}

    found: dict[str, Cells] = {wanted.averages: averages}
    for table in wanted.tables:
        found[table] = scored["scores"].get(table, {})
    return _verdict(check, document, found, wanted.tolerance, name)


def _verdict(
    check: Check, document: Published, found: Mapping[str, Cells], tolerance: float, name: str
) -> Verdict:
    """`found`: by the names of the document's tables."""
    differing, total = [], 0
    for table, have in found.items():
        printed = document.tables[table]
        for row, columns in printed.cells.items():
            total += len(columns)
            for column, value in columns.items():
                number = have.get(row, {}).get(column)
                if _equal(value, number, printed.decimals, tolerance):
                    continue
                shown = f"not in {name}"
                if number is not None:
                    shown = f"computed {number:.{printed.decimals}f}"
                at = f"{table}/{row}/{column}"
                differing.append(f"{at}: printed {value:.{printed.decimals}f}, {shown}")
    if differing:
        more = [f"and {len(differing) - SHOWN} more"] if len(differing) > SHOWN else []
        says = f"{len(differing)} of {total} cells differ"
        return Verdict(check, "fails", says, (*differing[:SHOWN], *more))
    within = f"within {tolerance:g}" if tolerance else "to every printed digit"
    return Verdict(check, "holds", f"{total} cells equal {within}")


def _equal(printed: float, found: float | None, decimals: int, tolerance: float) -> bool:
    if found is None:
        return False
    # rounded as the paper rounded it: what it printed may hide up to half a unit
    apart = abs(_decimal(round(float(found), decimals)) - _decimal(printed))
    return apart <= _decimal(tolerance)


def _decimal(number: float) -> Decimal:
    """As printed: 84.3 and 84.1 are 0.2 apart, not 0.20000000000000284."""
    return Decimal(repr(float(number)))
