"""A suite from a few words: the options of `eval` and `plan`, the arguments of `harness.evaluate`.

What is made is a suite like one from a file. It has a name, it can be written out as YAML, and
nothing that plans or runs it knows where it came from.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from harness.common.errors import SpecError
from harness.common.text import some
from harness.families import FAMILIES
from harness.spec.catalog import Catalog
from harness.spec.changes import NO_HYPOTHESES
from harness.spec.encoder import Encoder
from harness.spec.explain import close, nearest, show
from harness.spec.languages import ENGLISH, in_label, language_meant
from harness.spec.recipe import PHASES, PRECISIONS, Cut, RecipeChange
from harness.spec.suite import BASELINE, Arm, Caps, Finished, Intermediate, Suite

SEEDS = (1, 2, 3)
PROTOCOL = "default"
MOST_NAMED = 3  # names of one kind in a suite's name; the others are counted
LONGEST = 72  # characters of a suite's name before the digest
_BY_TASK = ("cuts", "task_caps", "changes", "settings")  # tables of a suite that tasks may stand in


class TrainedElsewhere(NamedTuple):
    """A model that was fine-tuned already: a name of the catalog, a hub id or a folder; on which
    task; and which label each of its outputs stands for, where its config.json does not say."""

    encoder: str
    task: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class OneLine:
    """What somebody asks for, by the names they wrote. Nothing of it says: the suite as it is.

    encoders       names of the catalog
    intermediate   a task, or a mixture as `mnli+squad`; the baseline always joins
    languages      of the targets; English stays in where a target has it
    """

    encoders: tuple[str, ...] = ()
    intermediate: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    trained: tuple[TrainedElsewhere, ...] = ()
    seeds: tuple[int, ...] = ()
    languages: tuple[str, ...] = ()
    protocol: str | None = None
    precision: str | None = None
    max_train_rows: int | None = None
    name: str | None = None

    @classmethod
    def of(
        cls,
        encoder: object = None,
        intermediate: object = None,
        targets: object = None,
        trained: object = None,
        seeds: object = None,
        languages: object = None,
        protocol: object = None,
        precision: object = None,
        max_train_rows: object = None,
        name: object = None,
    ) -> "OneLine":
        """A line from what somebody typed or called with; None: nothing is said of it.

        raises  SpecError: a list of nothing, what is no seed, no number of rows, no name
        """
        return cls(
            listed("encoder", encoder),
            listed("intermediate", intermediate),
            listed("targets", targets),
            trained_of(trained),
            seeds_of(seeds),
            listed("languages", languages),
            text_of("protocol", protocol),
            text_of("precision", precision),
            count_of("max_train_rows", max_train_rows),
            text_of("name", name),
        )

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


# What is typed, or called with: of every kind once, for the command line and for Python


def entries(given: object) -> list[object]:
    """What stands in a list; what is none is the one entry of its list, None an empty one."""
    if given is None:
        return []
    if isinstance(given, (str, os.PathLike)) or not isinstance(given, Iterable):
        return [given]
    return list(given)


def listed(what: str, given: object) -> tuple[str, ...]:
    """Names from lists with commas in them: each once, without blanks around it; none if none are
    given. A path is a folder's, whatever its name. SpecError if there is nothing in them; `what` is
    meant to be named."""
    parts: list[str] = []
    for one in entries(given):
        is_path = isinstance(one, os.PathLike)
        parts += [str(Path(str(one)).absolute())] if is_path else str(one).split(",")
    names = tuple(dict.fromkeys(filter(None, map(str.strip, parts))))
    if given is not None and not names:
        said = show(",".join(parts)) if parts else "an empty list"
        raise SpecError(f"{what}: {said} names nothing; name one, or leave it out")
    return names


def seeds_of(given: object) -> tuple[int, ...]:
    """Seeds from such lists. SpecError for what is none."""
    words = listed("seeds", given)
    for word in words:
        if not re.fullmatch(r"[0-9]{1,9}", word):
            raise SpecError(
                f"seeds: {show(word)} is no seed; write whole numbers from 0, such as 1,2,3"
            )
    return tuple(dict.fromkeys(map(int, words)))


def count_of(what: str, given: object) -> int | None:
    """How many, as a whole number of whatever library; None if nothing is said. SpecError for what
    is none, and below 1."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, Integral) or int(given) < 1:
        raise SpecError(f"{what}: write a whole number, 1 or more, not {show(given)}")
    return int(given)


def text_of(what: str, given: object) -> str | None:
    """A name; None if nothing is said. SpecError for what is none."""
    if given is None or (isinstance(given, str) and given.strip()):
        return given
    raise SpecError(f"{what}: {show(given)} is no name")


def trained_of(given: object) -> tuple[TrainedElsewhere, ...]:
    """Fine-tuned models from `TASK=FOLDER` and `TASK=FOLDER:LABEL,LABEL`, one a text. SpecError for
    another form."""
    found = []
    for text in map(str, entries(given)):
        task, _, where = text.partition("=")
        labels: tuple[str, ...] = ()
        if not Path(where).is_dir() and ":" in where:
            where, _, said = where.rpartition(":")
            labels = tuple(label.strip() for label in said.split(","))
        if not (task.strip() and where.strip() and all(labels)):
            raise SpecError(
                f"trained: {show(text)}: write the task and the model's folder, as mnli=./my-model,"
                " and where its config.json names no labels mnli=./my-model:LABEL,LABEL,..."
            )
        found.append(TrainedElsewhere(where.strip(), task.strip(), labels))
    return tuple(found)


def begun(line: OneLine, base: Suite | None, catalog: Catalog, more_targets: bool = False) -> Suite:
    """The suite with the lists of a line in place of its own: of `base`, or without one made from
    nothing. `narrowed` and `named` finish it, once all tasks are in it. `more_targets`: others join
    it, so that the line may lack them.

    raises  SpecError: a name that nobody knows, with the nearest one; what cannot be
    """
    if wrong := _unknown("trained", [one.task for one in line.trained], None, catalog):
        raise SpecError("\n".join(wrong))
    suite = base or _from_nothing(line, more_targets)
    return suite.model_copy(update=_replaced(line, suite, catalog))


def narrowed(suite: Suite, line: OneLine, base: Suite | None, catalog: Catalog) -> Suite:
    """What a line says of all that is in the suite: precision, languages, training rows; and the
    label of what is reduced so.

    raises  SpecError: a language or precision that nobody knows
    """
    if line.precision:
        suite = _with_precision(suite, line.precision)
    if line.languages:
        suite = _with_languages(suite, line.languages, catalog)
    if line.max_train_rows:
        suite = _with_train_rows(suite, line.max_train_rows, catalog)
    label, smoke = _label(line, suite, base, catalog), suite.smoke or _is_made_up(suite, catalog)
    return suite.model_copy(update={"label": label, "smoke": smoke})


def named(
    suite: Suite, line: OneLine, base: Suite | None, catalog: Catalog, more: Sequence[Any] = ()
) -> Suite:
    """The suite under a name and with a sentence that say what was chosen.

    The same choice has the same name, on every machine, and another choice another one: readable
    words, then a digest of everything in it. `more`: what else it depends on: the
    encoders that no file of the catalog describes.

    raises  SpecError: the name is taken, or no suite's; the suite would not do as a file
    """
    if line.name in catalog.suites:
        raise SpecError(f"name: there is a suite {show(line.name)} already; choose another name")
    suite = suite.model_copy(update=_without_gone(suite, catalog))
    content = suite.model_dump(mode="json", exclude={"suite", "about"}, exclude_defaults=True)
    text = json.dumps([content, *more], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]

    words = [base.suite] if base else []
    words += [_few(group) for group in (line.encoders, line.intermediate, line.targets) if group]
    readable = re.sub(r"[^A-Za-z0-9._+-]+", "-", ".".join(words))[:LONGEST].rstrip("._+-")
    about = _about(suite, base)
    return _checked(
        suite.model_copy(update={"suite": line.name or f"{readable}.{digest}", "about": about})
    )


def as_written(suite: Suite, inline: Mapping[str, Encoder]) -> dict[str, Any]:
    """The suite as a YAML file says it: what differs from the defaults, conditions by their short
    names. `inline`: the encoders that stand in the file, by name; of others the name is enough."""
    said = suite.model_dump(mode="json", exclude_defaults=True)
    said["encoders"] = [
        inline[name].model_dump(mode="json", exclude_defaults=True) if name in inline else name
        for name in suite.encoder_names
    ]
    said["arms"] = [_short(arm) for arm in suite.arms]
    return said


# A suite from nothing


def _from_nothing(line: OneLine, more_targets: bool) -> Suite:
    wanted = {"encoder": line.encoders, "targets": line.targets or line.trained or more_targets}
    lacking = " and ".join(option for option, given in wanted.items() if not given)
    if lacking:
        raise SpecError(
            f"{lacking} missing: name an encoder and targets to run, or a suite to change"
        )
    return Suite.model_construct(
        suite="unnamed",
        version=1,
        about="",
        encoders=[],
        arms=[Arm(intermediate=None, name=BASELINE)],
        targets=[],
        seeds=list(SEEDS),
        protocol=PROTOCOL,
    )


def _is_made_up(suite: Suite, catalog: Catalog) -> bool:
    """Whether tasks of it are those of suites that prove the machine: then so does this one."""
    made_up = {name for one in catalog.suites.values() if one.smoke for name in _tasks_of(one)}
    return not made_up.isdisjoint(_tasks_of(suite))


def _tasks_of(suite: Suite) -> set[str]:
    return {*suite.targets, *(name for arm in suite.arms for name in arm.tasks)}


# What a line changes in a suite


def _replaced(line: OneLine, suite: Suite, catalog: Catalog) -> dict[str, Any]:
    """The lists that a line gives in place of the suite's, and what hangs on them."""
    wrong: list[str] = []
    update: dict[str, Any] = dict(NO_HYPOTHESES)
    if line.encoders:
        update["encoders"] = list(line.encoders)
        update["trained"] = {of: one for of, one in suite.trained.items() if of in line.encoders}
    if line.trained:
        update["trained"] |= {
            one.encoder: Finished(task=one.task, labels=list(one.labels)) for one in line.trained
        }
    targets: Sequence[str] = line.targets
    if line.trained and not (targets or suite.targets):
        able = [name for name, task in catalog.tasks.items() if "target" in task.role]
        targets = _able(able, line, suite, catalog)
    if targets:
        wrong += _unknown("targets", targets, "target", catalog)
        update |= _of_targets(suite, targets)
    if line.seeds:
        update["seeds"] = list(line.seeds)
    if line.intermediate:
        tasks = [task for name in line.intermediate for task in _parts(name, suite)]
        wrong += _unknown("intermediate", tasks, "intermediate", catalog)
        wrong += _twice(line.intermediate)
        update["arms"] = [] if wrong else _arms(line.intermediate, suite)
    if wanted := line.protocol:
        known = catalog.protocols
        if wanted not in known:
            wrong.append(f"protocol: none is called {show(wanted)}{nearest(wanted, known)}")
        update |= {"protocol": wanted, "recipes": None}
    if wrong:
        raise SpecError("\n".join(wrong))
    return update


def _of_targets(suite: Suite, names: Sequence[str]) -> dict[str, Any]:
    """What a suite changes in for these targets, its headline among it."""
    headline = [name for name in suite.average_over if name in names]
    return {**suite.of_targets(names), "average_over": headline}


def _able(names: Iterable[str], line: OneLine, suite: Suite, catalog: Catalog) -> list[str]:
    """The targets that train on a task of the models that a line says are trained already."""
    tasks = {one.task for one in line.trained}
    return [name for name in names if suite.trains_on(catalog.tasks[name]) & tasks]


def _unknown(option: str, names: Iterable[str], role: str | None, catalog: Catalog) -> list[str]:
    """What is wrong with names of tasks in that role, in any if it is None."""
    able = [name for name, task in catalog.tasks.items() if role is None or role in task.role]
    lines = []
    for name in names:
        task = catalog.tasks.get(name)
        if task is None:
            lines.append(f"{option}: no task is called {show(name)}{nearest(name, able)}")
        elif role is not None and role not in task.role:
            near = close(name, able)
            meant = f"; did you mean {show(near)}?" if near else ""
            roles = ", ".join(task.role)
            lines.append(f"{option}: task {name} is no {role} (its role is {roles}){meant}")
    return list(dict.fromkeys(lines))


def _twice(names: Iterable[str]) -> list[str]:
    mixed = [name for name in names if len(set(name.split("+"))) < len(name.split("+"))]
    return [f"intermediate: {show(name)} names a task twice" for name in mixed]


def _parts(name: str, suite: Suite) -> list[str]:
    """The tasks to look up for an intermediate: none for one that the suite has under this name."""
    known = {arm.name for arm in suite.arms}
    return [] if name in {*known, BASELINE} else name.split("+")


def _arms(names: Iterable[str], suite: Suite) -> list[Arm]:
    """The baseline, then each intermediate: the suite's own condition of that name, else a task or
    a mixture of tasks."""
    known = {arm.name: arm for arm in suite.arms}
    arms = [next(arm for arm in suite.arms if arm.is_baseline)]
    for name in names:
        if name == BASELINE or name == arms[0].name:
            continue
        given = Intermediate(tasks=name.split("+")) if name not in known else None
        arms.append(known.get(name) or Arm(intermediate=given, name=name))
    return arms


def without_effect(suite: Suite, catalog: Catalog) -> dict[str, list[str]]:
    """Tasks that a suite says something of without having them, by the table that does: no part of
    it trains on them or tests them."""
    named = {*suite.targets, *suite.left_out, *(own.task for own in suite.trained.values())}
    named |= {own.translate_train for own in suite.regimes.values() if own.translate_train}
    whole = catalog.filled_in(suite)
    for name in suite.targets:
        named |= {*whole.rows_of(catalog.tasks[name])}
    for arm in suite.arms:
        taken = [whole.for_arm(arm).rows_of(catalog.tasks[task]) for task in arm.tasks]
        named |= {arm.name, *chain.from_iterable(taken)}
    # the user's own may join any suite
    other = catalog.tasks.keys() - named - {name for _, name in catalog.user}

    tables: dict[str, Iterable[str]] = {name: getattr(suite, name) for name in _BY_TASK}
    if suite.recipes:
        tables["recipes"] = suite.recipes.tasks
    found = {}
    for table, names in tables.items():
        if idle := [name for name in names if name in other]:
            found[table] = idle
    return found


def _without_gone(suite: Suite, catalog: Catalog) -> dict[str, Any]:
    """What a suite says of tasks and conditions that it has, and no more: a file may not name what
    is not there, and another choice of the same is not another suite."""
    known = {*catalog.tasks, *PHASES, *FAMILIES, *(arm.name for arm in suite.arms)}
    idle = without_effect(suite, catalog)

    def kept(table: str, of: Mapping[str, Any]) -> dict[str, Any]:
        gone = idle.get(table, [])
        return {name: own for name, own in of.items() if name in known and name not in gone}

    update: dict[str, Any] = {table: kept(table, getattr(suite, table)) for table in _BY_TASK}
    if suite.recipes:
        tasks = kept("recipes", suite.recipes.tasks)
        update["recipes"] = suite.recipes.model_copy(update={"tasks": tasks})
    return update


def _with_precision(suite: Suite, precision: str) -> Suite:
    """The suite with this precision in every recipe."""
    if precision not in PRECISIONS:
        near = nearest(precision, PRECISIONS)
        raise SpecError(f"precision: {show(precision)} is none{near}")
    changed = {"precision": precision}
    if recipes := suite.recipes:
        update = {phase: getattr(recipes, phase).model_copy(update=changed) for phase in PHASES}
        update |= {part: _unsaid(getattr(recipes, part)) for part in ("families", "tasks")}
        return suite.model_copy(update={"recipes": recipes.model_copy(update=update)})
    changes = _unsaid(suite.changes)
    for phase in PHASES:
        changes[phase] = changes.get(phase, RecipeChange()).model_copy(update=changed)
    return suite.model_copy(update={"changes": changes})


def _unsaid(changes: dict[str, RecipeChange]) -> dict[str, RecipeChange]:
    """The same changes, none of which says a precision."""
    return {name: of.model_copy(update={"precision": None}) for name, of in changes.items()}


def _with_languages(suite: Suite, wanted: Sequence[str], catalog: Catalog) -> Suite:
    """The suite with these languages of its targets, and English."""
    protocol = catalog.protocols[suite.protocol].cuts if suite.protocol else {}
    cuts = {name: suite.cuts.get(name) or protocol.get(name) for name in suite.targets}
    spoken: dict[str, list[str]] = {}
    for name, cut in cuts.items():
        spoken[name] = (cut.languages if cut else None) or catalog.tasks[name].languages

    known = sorted({language for languages in spoken.values() for language in languages})
    wrong = [
        f"languages: no target has {show(one)}{language_meant(one, known)}"
        for one in wanted
        if one not in known
    ]
    of_targets: dict[str, Cut] = {}
    for name, languages in spoken.items():
        kept = [language for language in languages if language in {*wanted, ENGLISH}]
        if not wrong and not set(kept) & set(wanted):
            wrong.append(
                f"languages: target {name} has none of {', '.join(wanted)}; it has"
                f" {some(languages, 40)}; add one of these, or leave the target out"
            )
        if kept and kept != languages:
            of_targets[name] = _cut(cuts[name], kept)
    if wrong:
        raise SpecError("\n".join(wrong))
    return suite.model_copy(update={"cuts": suite.cuts | of_targets})


def lacking(line: OneLine, suite: Suite, catalog: Catalog) -> list[str]:
    """A line for each target of the suite that lacks some of the languages that are asked for."""
    lines = []
    for name in suite.targets:
        cut = suite.cuts.get(name)
        languages = (cut.languages if cut else None) or catalog.tasks[name].languages
        if lost := [one for one in line.languages if one not in languages]:
            lines.append(f"{name} has no {some(lost, 12)}")
    return lines


def fitting(suite: Suite, line: OneLine, catalog: Catalog) -> Suite:
    """The suite with what is of use for models that are trained already, where it has no other
    encoder: targets that train on their tasks, and the baseline. What the line names stays."""
    if not {one.encoder for one in line.trained} >= set(suite.encoder_names):
        return suite
    able = {*line.targets, *_able(suite.targets, line, suite, catalog)}
    targets = [name for name in suite.targets if name in able] or suite.targets
    arms = [arm for arm in suite.arms if arm.is_baseline or arm.name in line.intermediate]
    return suite.model_copy(update={"arms": arms, **_of_targets(suite, targets)})


def unscored(suite: Suite, before: Suite, catalog: Catalog) -> list[str]:
    """A line for each model that comes trained and is not scored on all targets, and for the
    conditions that nothing is trained for. `before`: the suite of which `fitting` took a part.

    raises  SpecError: a model that fits no target; a target that no model fits, and a condition, if
            no encoder is left to train
    """
    lines = []
    trained_on = {name: suite.trains_on(catalog.tasks[name]) for name in suite.targets}
    gone = [name for name in before.targets if name not in trained_on]
    for encoder, own in suite.trained.items():
        lost = [name for name, tasks in trained_on.items() if own.task not in tasks]
        said = f"{encoder} comes trained on {own.task}"
        if len(lost) == len(trained_on):
            raise SpecError(
                f"trained: {said}, and none of the targets {', '.join(lost)} trains on it; name one"
                " that does"
            )
        if lost := [*lost, *gone]:
            lines.append(f"{said}, and is not scored on {', '.join(lost)}")
    if idle := [arm.name for arm in before.arms if arm not in suite.arms]:
        lines.append(f"nothing is trained, so without conditions {', '.join(idle)}")

    if suite.trained.keys() >= set(suite.encoder_names):
        tasks = {own.task for own in suite.trained.values()}
        lost = [name for name, of in trained_on.items() if tasks.isdisjoint(of)]
        lost += [f"condition {arm.name}" for arm in suite.arms if not arm.is_baseline]
        if lost:
            raise SpecError(
                f"trained: no encoder is left for {', '.join(lost)}: all come trained on"
                f" {', '.join(sorted(tasks))}; leave that out, or name an encoder to train"
            )
    return lines


def _cut(before: Cut | None, languages: list[str]) -> Cut:
    """An override with these languages; what else it overrides stays."""
    why = f"languages: {', '.join(languages)}"
    if before is None:
        return Cut(languages=languages, why=why)
    return before.model_copy(
        update={"languages": languages, "label": None, "why": f"{before.why}; {why}"}
    )


def _with_train_rows(suite: Suite, rows: int, catalog: Catalog) -> Suite:
    """The suite with at most so many training rows of every task."""

    def capped(caps: Caps) -> Caps:
        return caps.model_copy(update={"train": rows})

    task_caps = {task: capped(caps) for task, caps in suite.task_caps.items()}
    # what is not trained on has no fewer rows, and keeps its column on the board
    for name in suite.targets:
        if not FAMILIES[catalog.tasks[name].family].trained:
            task_caps[name] = suite.task_caps.get(name, suite.caps)
    return suite.model_copy(update={"caps": capped(suite.caps), "task_caps": task_caps})


# How it is called


def _label(line: OneLine, suite: Suite, base: Suite | None, catalog: Catalog) -> str | None:
    """What stands behind the @ of a reduced task: where the rows come from, the languages, the cap.

    So two suites that reduce a task in the same way share its column, and no others do.
    """
    words: list[str] = []
    if base:
        words.append(base.label or base.suite)
    elif suite.protocol and catalog.protocols[suite.protocol].cuts:
        words.append(suite.protocol)
    if line.languages:
        words.append(in_label(line.languages))
    if line.max_train_rows:
        words.append(f"train{line.max_train_rows}")
    return ".".join(words)[:80] or None


def _few(names: Sequence[str]) -> str:
    """Some names, joined; of many the first, and how many more."""
    if len(names) > MOST_NAMED:
        return f"{names[0]}+{len(names) - 1}-more"
    return "+".join(names)


def _about(suite: Suite, base: Suite | None) -> str:
    """One sentence for the reader of the board."""
    first = [arm.name for arm in suite.arms if not arm.is_baseline]
    after = f", after {', '.join(first)}" if first else ""
    chosen = f"{', '.join(suite.encoder_names)} on {', '.join(suite.targets)}{after}"
    if base:
        return f"As suite {base.suite}, with some of it chosen anew: {chosen}."
    return f"Chosen on one line: {chosen}."


def _short(arm: Arm) -> Any:
    """A condition as people write it."""
    if arm.intermediate is None:
        return arm.name if arm.name == BASELINE else {"name": arm.name, "intermediate": BASELINE}
    if arm.intermediate == Intermediate(tasks=[arm.name]):
        return arm.name
    said = arm.intermediate.model_dump(mode="json", exclude_defaults=True)
    return {"name": arm.name, "intermediate": said}


def _checked(suite: Suite) -> Suite:
    """The suite, once it would be accepted from a file."""
    try:
        return Suite.model_validate(suite.model_dump())
    except ValidationError as error:
        lines = []
        for one in error.errors():
            place = ".".join(map(str, one["loc"]))
            place = "name" if place == "suite" else place
            lines.append(f"{place}: {one['msg'].removeprefix('Value error, ')}")
        raise SpecError("\n".join(lines)) from None
