"""`reproduce`: each published check gets what it needs (a run, a release, a scored folder, or
nothing) and its verdict.

What a check needs and this machine has not is no failure: it is "not run", with the reason, and
never green.
"""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.common.errors import HarnessError, MissingError, SpecError, StoreError
from harness.published import arithmetic, claims, exact
from harness.published.claims import Committed
from harness.published.numbers import Check, Published, Submission
from harness.published.verdict import Verdict
from harness.release.collect import suite_facts
from harness.release.document import Board, NewerError, as_content
from harness.release.schema import Content
from harness.release.verify import verify
from harness.run import steps
from harness.run.publishing import content_of
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.spec.explain import nearest
from harness.statistics.study import Study
from harness.store import Store
from harness.xtreme import scoring


@dataclass
class Means:
    """What checks may use. `releases`: of these and no others, in place of runs and of the board's
    latest."""

    catalog: Catalog
    store: Store
    where: Where
    board: Board
    say: Callable[[str], None]
    releases: list[Path] = field(default_factory=list)
    mock: Path | None = None
    workers: int | None = None
    # (suite, whether from a release) → what was found, or why there is nothing: many checks ask for
    # one
    _contents: dict[tuple[str, bool], "SuiteFound | HarnessError"] = field(default_factory=dict)


@dataclass
class SuiteFound:
    """A suite's content, what messages call it, and its encoders as claims measure them."""

    content: dict[str, Any]
    name: str
    studies: dict[str, Study] = field(default_factory=dict)

    @cached_property
    def read(self) -> Content:
        """The same as values."""
        return Content.model_validate(self.content)


def chosen(
    documents: Sequence[Published], names: Sequence[str], levels: Sequence[int]
) -> list[tuple[Check, Published]]:
    """The checks asked for, by level, then in the files' order. SpecError: a name that no check
    has, or none of these levels."""
    every = [(check, document) for document in documents for check in document.checks]
    known = [check.name for check, _ in every]
    for name in names:
        if name not in known:
            raise SpecError(f"no check is called {name!r}{nearest(name, known)}")
        level = every[known.index(name)][0].level
        if levels and level not in levels:
            raise SpecError(f"check {name} is of level {level}, and --level leaves that out")
    picked = [
        pair
        for pair in every
        if (not names or pair[0].name in names) and (not levels or pair[0].level in levels)
    ]
    return sorted(picked, key=lambda pair: pair[0].level)


def judge(check: Check, document: Published, means: Means) -> Verdict:
    """One check's verdict."""
    if check.derive:
        return arithmetic.derived(check, check.derive, document)
    if check.order:
        return arithmetic.ordered(check, check.order, document)
    if check.submission:
        return _submission(check, check.submission, document, means)

    wanted = check.rerun or check.claim
    assert wanted, "a check has one of these; `numbers` sees to it"
    try:
        # a claim is about a release that was made to answer it, and is never run for it
        stored = bool(check.claim or means.releases)
        found = _content(wanted.suite, stored, means)
    except MissingError as why:
        return Verdict(check, "not run", str(why))
    if check.rerun:
        return exact.compare_release(check, check.rerun, document, found.read, found.name)
    committed = _committed(wanted.suite, means.catalog)
    return claims.claimed(check, document, found.read, found.name, found.studies, committed)


def _committed(suite: str, catalog: Catalog) -> Committed | None:
    """What a release of the suite as its YAML has it shows; None where the catalog has no such
    suite."""
    if suite not in catalog.suites:
        return None
    whole = catalog.suite(suite)
    targets = {whole.shown_name(catalog.task(name)) for name in whole.targets}
    facts = suite_facts(whole)
    return Committed(facts, {arm.name for arm in whole.arms}, targets)


def _submission(check: Check, wanted: Submission, document: Published, means: Means) -> Verdict:
    if means.mock is None:
        why = "give --mock DIR, the folder mock_test_data of github.com/google-research/xtreme"
        return Verdict(check, "not run", why)
    scored = scoring.score(means.mock / "predictions", means.mock / "labels")
    return exact.compare_submission(check, wanted, document, scored, means.mock.name)


def _content(suite: str, stored: bool, means: Means) -> SuiteFound:
    """A suite's content, of a release or computed now; made once."""
    at = suite, stored
    if at not in means._contents:
        try:
            make = _release if stored else _run
            means._contents[at] = SuiteFound(*make(suite, means))
        except HarnessError as error:
            means._contents[at] = error
    if isinstance(found := means._contents[at], HarnessError):
        raise found
    return found


def _release(suite: str, means: Means) -> tuple[dict[str, Any], str]:
    """The newest release of a suite: of those given, else of the board. MissingError if there is
    none.

    Its numbers are computed again from its own evidence first: HarnessError where they are not what
    it says.
    """
    paths = means.releases or means.board.list()
    for path in reversed(paths):
        try:
            content = means.board.load(path)
            of = as_content(path, content).suite.name
        except StoreError as error:
            # Only what was not asked for, and is of another suite or a later version, can be done
            # without.
            asked = means.releases or path.stem.split("-", 1)[1] == suite
            if means.releases or (asked and not isinstance(error, NewerError)):
                raise

            means.say(f"passed over: {error}")
            continue
        if of == suite:
            if problems := verify(path.read_bytes(), means.board.sidecar(path)):
                raise HarnessError("\n".join([f"{path.stem} does not verify", *map(str, problems)]))
            return content, path.stem
    if means.releases:
        raise MissingError(f"no release of suite {suite} among those of --from")
    raise MissingError(means.board.lacks(suite))


def _run(suite: str, means: Means) -> tuple[dict[str, Any], str]:
    """The suite, computed here and now (what this store holds already is not computed again).
    MissingError if it cannot be."""
    if importlib.util.find_spec("torch") is None:
        raise MissingError("needs torch; --from RELEASE checks a release of it without")
    means.say(f"running suite {suite}")
    # the reasons stand in one row of a table
    try:
        wanted = means.catalog.suite(suite)
        plan = steps.plan_to_run(wanted, means.catalog, means.where, means.store, means.say)
        outcome = steps.run_plan(plan, means.store, steps.How(means.workers))
    except MissingError as why:
        raise MissingError(str(why).replace("\n", " ")) from None
    return content_of(plan, means.store, outcome), "this run"


def judge_all(wanted: Sequence[tuple[Check, Published]], means: Means) -> list[Verdict]:
    """All verdicts, in order. A job that fails is a check that fails: the others still run."""
    verdicts = []
    for check, document in wanted:
        try:
            verdicts.append(judge(check, document, means))
        except HarnessError as error:
            first, *rest = str(error).splitlines()
            verdicts.append(Verdict(check, "fails", first, tuple(rest)))
    return verdicts
