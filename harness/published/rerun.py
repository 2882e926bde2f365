"""Level 1, exact rerun: cells that anyone can compute again equal the printed ones, to every
printed digit."""

from decimal import Decimal
from statistics import fmean

from harness.published.numbers import Check, Published, Table
from harness.published.verdict import Verdict

SHOWN = 8  # differing cells a verdict lists


def rerun(check: Check, document: Published, content: dict, name: str) -> Verdict:
    """A `rerun` check against a release's content: rows are languages, columns are metrics of the
    baseline's cells, each the mean over its seeds (of one seed the number itself).

    name  what the content is called in messages
    """
    wanted = check.rerun
    table = document.tables[wanted.table]
    baseline = {arm for arm, facts in content["arms"].items() if facts["kind"] == "baseline"}
    cells = [
        cell
        for cell in content["cells"]
        if (cell["encoder"], content["targets"][cell["target"]]["task"])
        == (wanted.encoder, wanted.target)
        and cell["arm"] in baseline
    ]
    if not cells:
        tasks = {facts["task"] for facts in content["targets"].values()} | set(
            content["suite"]["left_out"]
        )
        # A name that the suite does not have is a slip in the check; what could not be computed
        # here is none.
        outcome = (
            "not run"
            if wanted.encoder in content["encoders"] and wanted.target in tasks
            else "fails"
        )
        return Verdict(check, outcome, f"{name} has no cell of {wanted.encoder} on {wanted.target}")
    values: dict[str, dict[str, list[float]]] = {}
    for cell in cells:
        for language, said in cell["languages"].items():
            for metric, value in said.get("metrics", {}).items():
                values.setdefault(language, {}).setdefault(metric, []).append(
                    value * table.scale / 100
                )
    found = {
        language: {metric: fmean(of) for metric, of in metrics.items() if len(of) == len(cells)}
        for language, metrics in values.items()
    }
    return _verdict(check, {wanted.table: table}, {wanted.table: found}, wanted.tolerance, name)


def submission(check: Check, document: Published, scored: dict, name: str) -> Verdict:
    """A `submission` check against what `harness.xtreme.scoring.score` says of that folder."""
    averages = {task: {"score": said["metric"]} for task, said in scored["averages"].items()}
    averages |= {group: {"score": value} for group, value in scored["groups"].items()}
    found = {check.submission.averages: averages | {"overall": {"score": scored["overall"]}}}
    found |= {table: scored["scores"].get(table, {}) for table in check.submission.tables}
    return _verdict(
        check,
        {table: document.tables[table] for table in found},
        found,
        check.submission.tolerance,
        name,
    )


def _decimal(number: float) -> Decimal:
    """As printed: 84.3 and 84.1 are 0.2 apart, not 0.20000000000000284."""
    return Decimal(repr(float(number)))


def _verdict(
    check: Check,
    tables: dict[str, Table],
    found: dict[str, dict[str, dict]],
    tolerance: float,
    name: str,
) -> Verdict:
    """`found`: table → row → column → number, on the table's own scale."""
    differing, total = [], 0
    for table, printed in tables.items():
        for row, columns in printed.cells.items():
            for column, value in columns.items():
                total += 1
                have = found[table].get(row, {}).get(column)
                if have is None:
                    differing.append(
                        f"{table}/{row}/{column}: printed {value:.{printed.decimals}f}, not in"
                        f" {name}"
                    )
                elif abs(
                    _decimal(round(float(have), printed.decimals)) - _decimal(value)
                ) > _decimal(tolerance):
                    have = f"{have:.{printed.decimals}f}"
                    differing.append(
                        f"{table}/{row}/{column}: printed {value:.{printed.decimals}f}, computed"
                        f" {have}"
                    )
    if differing:
        more = [f"and {len(differing) - SHOWN} more"] if len(differing) > SHOWN else []
        return Verdict(
            check, "fails", f"{len(differing)} of {total} cells differ", (*differing[:SHOWN], *more)
        )
    within = f"within {tolerance:g}" if tolerance else "to every printed digit"
    return Verdict(check, "holds", f"{total} cells equal {within}")
