"""Level 2: does a printed average follow from the printed cells, by the benchmark's own definition?

XTREME's evaluate.py: a QA task counts (EM + F1) / 2, a group is the mean of its tasks, the whole
the mean of the nine tasks. Printed numbers are rounded, so every cell is an interval of half a unit
of its last digit to either side; the average's interval follows exactly (Decimal, no floats). It
agrees if it meets the interval of the printed average.
"""

from decimal import Decimal

from harness.published.numbers import Check, Derivation, Formula, Order, Published
from harness.published.verdict import Verdict

Range = tuple[Decimal, Decimal]


def bounds(formula: Formula, document: Published) -> Range:
    """Lowest and highest value of a formula that its rounded cells allow."""
    if formula.cell:
        half = document.half_unit(formula.cell)
        return document.cell(formula.cell) - half, document.cell(formula.cell) + half
    parts = [bounds(part, document) for part in formula.parts]
    if formula.minus:
        (low, high), (less, more) = parts
        return low - more, high - less
    if formula.times:
        number, (low, high) = Decimal(str(formula.times)), parts[0]
        return number * low, number * high
    count, zero = len(parts) if formula.mean else 1, Decimal(0)
    return sum((low for low, _ in parts), zero) / count, sum((h for _, h in parts), zero) / count


def derived(check: Check, wanted: Derivation, document: Published) -> Verdict:
    """The verdict of a `derive` check; it always runs."""
    low, high = bounds(wanted.formula, document)
    least, most = bounds(wanted.printed, document)
    found = "agrees" if low <= most and least <= high else "differs"
    says = (
        f"{(least + most) / 2:.1f} printed, {(low + high) / 2:.2f} [{low:.2f}, {high:.2f}] from the"
        " cells"
    )
    if (found, wanted.found) == ("differs", "differs"):
        says += f"; {check.why}"
    elif wanted.found == "differs":
        says += ": it recomputes, and the file says that it does not"
    return Verdict(check, "holds" if found == wanted.found else "fails", says)


def ordered(check: Check, wanted: Order, document: Published) -> Verdict:
    """The verdict of an `order` check; it always runs."""
    low, high = bounds(wanted.most, document)
    rest = [bounds(formula, document) for formula in wanted.rest]
    top = max(rest, key=lambda found: found[1])
    says = f"[{low:.2f}, {high:.2f}] against at most [{top[0]:.2f}, {top[1]:.2f}]"
    return Verdict(check, "holds" if low > top[1] else "fails", says)
