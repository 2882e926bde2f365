"""The catalog: every task, encoder and suite by name, from the built-in folders and the user's own.

A file's first key (`task:`, `encoder:`, `suite:`, `protocol:`) says what it is; no registration, no
code. References between specs are checked here, so that a wrong name is an error before anything
runs.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.common.errors import SpecError
from harness.common.strict import Strict
from harness.common.text import line, short
from harness.families import FAMILIES
from harness.spec.encoder import Encoder
from harness.spec.explain import nearest, show
from harness.spec.reader import Places, load, problems, validate
from harness.spec.recipe import PHASES, Cut, Protocol, Setting
from harness.spec.regime import Regime
from harness.spec.suite import Intermediate, Suite
from harness.spec.task import Rows, Task

# A suite names its protocol, so `suite` is looked for first.
KINDS: dict[str, type[Strict]] = {
    "task": Task,
    "encoder": Encoder,
    "suite": Suite,
    "protocol": Protocol,
}


def builtin_root() -> Path:
    """The folder that holds tasks/, encoders/, suites/ and protocols/: inside an installed package,
    or the repository."""
    package = Path(__file__).resolve().parents[1]
    return package / "builtin" if (package / "builtin").is_dir() else package.parent


def read_spec(path: Path) -> tuple[str, Strict, Places]:
    """Read one YAML file of any kind: (kind, model, positions). Raises SpecError with one line per
    problem."""
    data, source = load(path)
    data.pop("$schema", None)  # says to an editor what it completes from
    kind = next((kind for kind in KINDS if kind in data), None)
    if kind is None:
        first = next(iter(data), "")
        raise SpecError(
            f"{source.key_at(first)}: the file names no task, encoder, suite or"
            f" protocol{nearest(first, KINDS)}"
        )
    spec = validate(data, source, KINDS[kind])
    if isinstance(spec, Task):
        try:
            FAMILIES[spec.family].options.model_validate(spec.options)
        except ValidationError as error:
            lines = problems(error, source, FAMILIES[spec.family].options, prefix=("options",))
            raise SpecError("\n".join(lines)) from None
    return kind, spec, source


def yaml_files(place: Path) -> list[Path]:
    """The YAML files of a folder, hidden ones left out (editors lock a file by a link
    `.#name.yaml`); a file is itself.

    raises  SpecError: there is nothing, or a folder that we may not look into
    """
    try:
        if not stat.S_ISDIR(place.stat().st_mode):
            return [place]
        inside = list(place.iterdir())
    except (OSError, ValueError) as error:
        why = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        if isinstance(error, FileNotFoundError):
            why = "no such file or folder"
        raise SpecError(f"{short(line(place))}:1:1: {why}") from None
    return sorted(
        path
        for path in inside
        if path.suffix.lower() in (".yaml", ".yml") and not path.name.startswith(".")
    )


def _one_head(task: Task, other: Task, together: bool) -> bool:
    """Whether one head serves both: it has an output a label, or scores each choice alone.

    together  their rows are in one batch, so that they must be of one shape
    """
    alone = FAMILIES[task.family].each_choice and not together
    return alone or other.label_names == task.label_names


Spec = TypeVar("Spec", bound=Strict)


def _named(known: dict[str, Spec], kind: str, name: str) -> Spec:
    if name not in known:
        raise SpecError(f"no {kind} is called {show(name)}{nearest(name, known)}")
    return known[name]


class Catalog:
    """All specs by kind and name; `user` holds the names that came from the user's own folders,
    `inline` those of encoders that stand in a suite."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.encoders: dict[str, Encoder] = {}
        self.suites: dict[str, Suite] = {}
        self.protocols: dict[str, Protocol] = {}
        self.sources: dict[tuple[str, str], Places] = {}
        self.user: set[tuple[str, str]] = set()
        self.inline: set[str] = set()
        self.broken: list[str] = []

    @classmethod
    def load(cls, user: list[Path], all_sound: bool = True) -> "Catalog":
        """The built-in specs and the user's files and folders; raises SpecError listing every
        problem found.

        all_sound  false: specs beside a file that cannot be read are there all the same; `broken`
                   says what is wrong with it
        """
        catalog = cls()
        root = builtin_root()
        places = [(root / f"{kind}s", False) for kind in KINDS] + [(path, True) for path in user]
        gone = False
        for place, own in places:
            try:
                catalog.broken += catalog._add(yaml_files(place), own)
            except SpecError as error:
                catalog.broken.append(str(error))
                gone = True
        # What a broken file would have brought is no fault of the others: references wait until all
        # are sound.
        lines = catalog.broken or list(catalog._broken_references())
        if lines and (all_sound or gone or not catalog.broken):
            raise SpecError("\n".join(lines))
        return catalog

    def _add(self, files: list[Path], user: bool) -> list[str]:
        lines = []
        known = {os.path.realpath(source.path) for source in self.sources.values()}
        for path in files:
            if os.path.realpath(path) in known:
                continue  # the user's folder may be the built-in one
            try:
                kind, spec, source = read_spec(path)
            except SpecError as error:
                lines.append(str(error))
                continue
            if isinstance(spec, Encoder):
                spec = spec.placed(path.parent)
            if isinstance(spec, Suite):
                lines += self._add_inline(spec, source, user)
                spec = spec.model_copy(update={"encoders": spec.encoder_names})
            lines += self._add_one(kind, spec, source, user)
        return lines

    def _add_inline(self, suite: Suite, source: Places, user: bool) -> list[str]:
        """The encoders that stand in a suite: then they are known by name, as all others are."""
        lines = []
        for i, encoder in enumerate(suite.encoders):
            if isinstance(encoder, str):
                continue
            encoder = encoder.placed(source.path.parent)
            self.inline.add(encoder.encoder)
            if self.encoders.get(encoder.encoder) != encoder:
                here = Places(source.path, source.root.parts["encoders"].parts[i])
                lines += self._add_one("encoder", encoder, here, user)
        return lines

    def _add_one(self, kind: str, spec: Strict, source: Places, user: bool) -> list[str]:
        """Under its name; a line that says so if the name is taken."""
        name = getattr(spec, kind)
        if (kind, name) in self.sources:
            other = self.sources[kind, name].at(kind)
            return [
                f"{source.at(kind)}: {kind} {show(name)} is defined twice; the other one is at"
                f" {other}"
            ]
        getattr(self, f"{kind}s")[name] = spec
        self.sources[kind, name] = source
        if user:
            self.user.add((kind, name))
        return []

    def suite_called(self, given: str) -> str:
        """A suite's name: the one that is given, or that of the suite in the file that is given,
        which joins the catalog if it is not in it yet.

        raises  SpecError: no suite is in that file, or something is wrong with it
        """
        if not given.endswith((".yaml", ".yml")):
            return given
        path = Path(given)
        if lines := self._add(yaml_files(path), user=True) or list(self._broken_references()):
            raise SpecError("\n".join(lines))
        for (kind, name), source in self.sources.items():
            if kind == "suite" and os.path.realpath(source.path) == os.path.realpath(path):
                return name
        raise SpecError(f"{short(line(path))}:1:1: this file names no suite")

    def task(self, name: str) -> Task:
        """The task of that name; SpecError with the nearest one otherwise."""
        return _named(self.tasks, "task", name)

    def encoder(self, name: str) -> Encoder:
        """The encoder of that name; SpecError with the nearest one otherwise."""
        return _named(self.encoders, "encoder", name)

    def suite(self, name: str) -> Suite:
        """The suite of that name, its protocol filled in; SpecError with the nearest one
        otherwise."""
        return self.filled_in(self.suite_as_written(name))

    def suite_as_written(self, name: str) -> Suite:
        """The same as its file has it."""
        return _named(self.suites, "suite", name)

    def filled_in(self, suite: Suite) -> Suite:
        """A suite with its protocol's values where it has none of its own."""
        families = {task.task: task.family for task in self.tasks.values()}
        return suite.under(self.protocols[suite.protocol], families) if suite.protocol else suite

    def _broken_references(self) -> Iterator[str]:
        for name, task in self.tasks.items():
            yield from self._broken_task(name, task)
        for name, protocol in self.protocols.items():
            yield from self._broken_overrides("protocol", name, protocol.settings, protocol.cuts)
            yield from self._broken_names(
                "protocol", name, protocol.recipes.tasks, "recipes", "tasks"
            )
            yield from self._broken_names(
                "protocol", name, protocol.recipes.families, "recipes", "families", families=True
            )
        for name, suite in self.suites.items():
            yield from self._broken_suite(name, suite)

    def _unknown(self, kind: str, wanted: str, at: str) -> Iterator[str]:
        known = getattr(self, f"{kind}s")
        if wanted not in known:
            yield f"{at}: no {kind} is called {show(wanted)}{nearest(wanted, known)}"

    def _broken_task(self, name: str, task: Task) -> Iterator[str]:
        yield from self._broken_rows(task, task, self.sources["task", name])

    def _broken_rows(self, task: Task, own: Task | Cut, source: Places, *loc: str) -> Iterator[str]:
        """Rows (of a task, or of a cut of it) that come from other tasks: those must be there, and
        one head serve both."""
        for phase in ("train", "dev", "test"):
            rows: Rows | None = getattr(own, phase)
            if rows is None:
                continue
            for wanted in [rows.task] if rows.task else rows.tasks:
                at = source.at(*loc, phase, "task" if rows.task else "tasks")
                other = self.tasks.get(wanted)
                if other is None:
                    yield from self._unknown("task", wanted, at)
                elif other.family != task.family or not _one_head(task, other, bool(rows.tasks)):
                    yield (
                        f"{at}: {wanted} has another family or other labels than {task.task}; one"
                        " head cannot serve both"
                    )
                elif getattr(other, phase) is None:
                    yield f"{at}: task {wanted} has no {phase} rows"
                elif getattr(other, phase).task or getattr(other, phase).tasks:
                    yield f"{at}: {wanted} takes its own {phase} rows from other tasks; name those"

    def _broken_suite(self, name: str, suite: Suite) -> Iterator[str]:
        source = self.sources["suite", name]
        for i, encoder in enumerate(suite.encoder_names):
            yield from self._unknown("encoder", encoder, source.at("encoders", i))
        for i, arm in enumerate(suite.arms):
            at = source.at("arms", i)
            if arm.intermediate:
                yield from self._broken_intermediate(arm.intermediate, at)
            # a task of the user's own may well have the name of a built-in suite's condition
            if (
                arm.name not in arm.tasks
                and arm.name in self.tasks
                and ("suite", name) in self.user
            ):
                yield f"{at}: the name {arm.name} is that of a task which it does not train on"
        for i, target in enumerate(suite.targets):
            yield from self._broken_role("target", target, source.at("targets", i))
        for encoder, finished in suite.trained.items():
            yield from self._unknown("task", finished.task, source.at("trained", encoder))
        for target, regime in suite.regimes.items():
            yield from self._broken_regime(suite, target, regime, source.at("regimes", target))
        if suite.protocol:
            yield from self._unknown("protocol", suite.protocol, source.at("protocol"))
        yield from self._broken_overrides("suite", name, suite.settings, suite.cuts)
        yield from self._broken_names("suite", name, suite.task_caps, "task_caps")
        if suite.recipes:
            arms = [arm.name for arm in suite.arms]
            yield from self._broken_names(
                "suite", name, suite.recipes.tasks, "recipes", "tasks", also=arms
            )
            yield from self._broken_names(
                "suite", name, suite.recipes.families, "recipes", "families", families=True
            )
        also = [*PHASES, *FAMILIES, *(arm.name for arm in suite.arms)]
        yield from self._broken_names("suite", name, suite.changes, "changes", also=also)

    def _broken_regime(self, suite: Suite, target: str, regime: Regime, at: str) -> Iterator[str]:
        """A regime of a task that is not trained, with rows that one head cannot learn beside the
        English ones, or with languages that there are no rows of."""
        task = self.tasks.get(target)
        if task is None:
            return
        if not FAMILIES[task.family].trained:
            yield f"{at}: {task.family} trains on nothing, in no regime"
        rows = task
        if regime.translate_train:
            yield from self._unknown("task", regime.translate_train, at)
            rows = self.tasks.get(regime.translate_train, task)
        english = self._trains(suite, task)
        if rows.family != english.family or set(rows.label_names) != set(english.label_names):
            yield (
                f"{at}: {rows.task} has another family or other labels than {english.task}, whose"
                " English rows are trained on beside its own; one head cannot serve both"
            )
        for language in regime.languages:
            if language not in rows.languages:
                near = nearest(language, rows.languages)
                yield f"{at}: {rows.task} has no rows in {show(language)}{near}"

    def _trains(self, suite: Suite, target: Task) -> Task:
        """Whose rows a target trains on, as a suite and its protocol have it."""
        protocol = self.protocols.get(suite.protocol or "")
        cut = suite.cuts.get(target.task) or (protocol and protocol.cuts.get(target.task))
        train = (cut and cut.train) or target.train
        return self.tasks.get((train and train.task) or target.task, target)

    def _broken_intermediate(self, intermediate: Intermediate, at: str) -> Iterator[str]:
        for wanted in intermediate.tasks:
            yield from self._broken_role("intermediate", wanted, at)
            task = self.tasks.get(wanted)
            if task is None:
                continue
            for language in intermediate.languages:
                if language not in task.languages:
                    near = nearest(language, task.languages)
                    yield f"{at}: {wanted} has no rows in {show(language)}{near}"
            yield from self._broken_part(task, intermediate, at)

    def _broken_part(self, task: Task, intermediate: Intermediate, at: str) -> Iterator[str]:
        """A subset or a control that the task's family cannot give."""
        able = ", ".join(name for name, family in FAMILIES.items() if family.bits)
        ranked = intermediate.subset and intermediate.subset.by
        if (ranked or intermediate.control == "shuffled_labels") and not FAMILIES[task.family].bits:
            what = (
                f"rows of {task.family} cannot be ranked"
                if ranked
                else f"labels of {task.family} cannot be shuffled"
            )
            yield (
                f"{at}: {what}, only those of {able}; `keep: random` and `control: masked_lm` work"
            )
        if intermediate.control == "masked_lm" and task.family == "mlm":
            yield f"{at}: {task.task} is masked-LM already"

    def _broken_role(self, role: str, wanted: str, at: str) -> Iterator[str]:
        yield from self._unknown("task", wanted, at)
        task = self.tasks.get(wanted)
        if task and role not in task.role:
            yield f"{at}: task {wanted} is no {role} (its role is {', '.join(task.role)})"

    def _broken_names(
        self,
        kind: str,
        name: str,
        table: Iterable[str],
        *loc: str,
        also: Iterable[str] = (),
        families: bool = False,
    ) -> Iterator[str]:
        """Keys of `table` that name no task (or family) and nothing in `also`."""
        known = list(FAMILIES) if families else [*self.tasks, *also]
        what = "family" if families else "task"
        for wanted in table:
            if wanted not in known:
                yield (
                    f"{self.sources[kind, name].at(*loc, wanted)}: no {what} is called"
                    f" {show(wanted)}{nearest(wanted, known)}"
                )

    def _broken_overrides(
        self, kind: str, name: str, settings: dict[str, Setting], cuts: dict[str, Cut]
    ) -> Iterator[str]:
        source = self.sources[kind, name]
        yield from self._broken_names(kind, name, settings, "settings", also=FAMILIES)
        yield from self._broken_names(kind, name, cuts, "cuts")
        for wanted, setting in settings.items():
            family = self.tasks[wanted].family if wanted in self.tasks else wanted
            if family not in FAMILIES:
                continue
            options = FAMILIES[family].options
            try:
                options.model_validate(setting.options)
            except ValidationError as error:
                yield from problems(error, source, options, ("settings", wanted, "options"))
        for wanted, cut in cuts.items():
            if wanted in self.tasks:
                yield from self._broken_rows(self.tasks[wanted], cut, source, "cuts", wanted)
            known = self.tasks[wanted].languages if wanted in self.tasks else []
            for i, language in enumerate(cut.languages or []):
                if known and language not in known:
                    at = source.at("cuts", wanted, "languages", i)
                    yield f"{at}: {wanted} has no {show(language)}{nearest(language, known)}"
