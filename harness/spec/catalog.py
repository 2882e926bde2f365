"""The catalog: every task, encoder and suite by name, from the built-in folders and the user's own.

A file's first key (`task:`, `encoder:`, `suite:`) says what it is; no registration, no code.
References between specs are checked here, so that a wrong name is an error before anything runs.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from harness.errors import SpecError
from harness.spec.base import Strict
from harness.spec.encoder import Encoder
from harness.spec.explain import nearest
from harness.spec.family import FAMILIES
from harness.spec.reader import Source, load, problems, validate
from harness.spec.suite import BASELINE, Suite
from harness.spec.task import Rows, Task

KINDS: dict[str, type[Strict]] = {"task": Task, "encoder": Encoder, "suite": Suite}


def builtin_root() -> Path:
    """The folder that holds tasks/, encoders/ and suites/: inside an installed package, or the repository."""
    package = Path(__file__).resolve().parents[1]
    return package / "builtin" if (package / "builtin").is_dir() else package.parent


def read_spec(path: Path) -> tuple[str, Strict, Source]:
    """Read one YAML file of any kind: (kind, model, positions). Raises SpecError with one line per problem."""
    data, source = load(path)
    kind = next((kind for kind in KINDS if kind in data), None)
    if kind is None:
        first = next(iter(data), "")
        raise SpecError(f"{source.key_at(first)}: the file names no task, encoder or suite{nearest(first, KINDS)}")
    spec = validate(data, source, KINDS[kind])
    if isinstance(spec, Task):
        try:
            FAMILIES[spec.family].options.model_validate(spec.options)
        except ValidationError as error:
            lines = problems(error, source, FAMILIES[spec.family].options, prefix=("options",))
            raise SpecError("\n".join(lines)) from None
    return kind, spec, source


def _yaml_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])


class Catalog:
    """All specs by kind and name; `user` holds the names that came from the user's own folders."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.encoders: dict[str, Encoder] = {}
        self.suites: dict[str, Suite] = {}
        self.sources: dict[tuple[str, str], Source] = {}
        self.user: set[tuple[str, str]] = set()

    @classmethod
    def load(cls, user: list[Path]) -> "Catalog":
        """The built-in specs and the user's files and folders; raises SpecError listing every problem found."""
        catalog = cls()
        root = builtin_root()
        lines: list[str] = []
        for folder in [root / f"{kind}s" for kind in KINDS]:
            lines += catalog._add(_yaml_files(folder), user=False)
        for path in user:
            if not path.exists():
                lines.append(f"{path}:1:1: no such file or folder")
            lines += catalog._add(_yaml_files(path) if path.is_dir() else [path], user=True)
        lines = lines or list(catalog._broken_references())
        if lines:
            raise SpecError("\n".join(lines))
        return catalog

    def _add(self, files: list[Path], user: bool) -> list[str]:
        lines = []
        known = {source.path.resolve() for source in self.sources.values()}
        for path in files:
            if path.resolve() in known or not path.exists():
                continue  # the user's folder may be the built-in one
            try:
                kind, spec, source = read_spec(path)
            except SpecError as error:
                lines.append(str(error))
                continue
            name = getattr(spec, kind)
            if (kind, name) in self.sources:
                other = self.sources[kind, name].at(kind)
                lines.append(f"{source.at(kind)}: {kind} {name!r} is defined twice; the other one is at {other}")
                continue
            getattr(self, f"{kind}s")[name] = spec
            self.sources[kind, name] = source
            if user:
                self.user.add((kind, name))
        return lines

    def task(self, name: str) -> Task:
        """The task of that name; SpecError with the nearest one otherwise."""
        return self._get("task", name)

    def encoder(self, name: str) -> Encoder:
        """The encoder of that name; SpecError with the nearest one otherwise."""
        return self._get("encoder", name)

    def suite(self, name: str) -> Suite:
        """The suite of that name; SpecError with the nearest one otherwise."""
        return self._get("suite", name)

    def _get(self, kind: str, name: str):
        known = getattr(self, f"{kind}s")
        if name not in known:
            raise SpecError(f"no {kind} is called {name!r}{nearest(name, known)}")
        return known[name]

    def _broken_references(self) -> Iterator[str]:
        for name, task in self.tasks.items():
            yield from self._broken_task(name, task)
        for name, suite in self.suites.items():
            yield from self._broken_suite(name, suite)

    def _broken_task(self, name: str, task: Task) -> Iterator[str]:
        source = self.sources["task", name]
        for phase in ("train", "dev", "test"):
            rows: Rows | None = getattr(task, phase)
            if rows is None or rows.task is None:
                continue
            at = source.at(phase, "task")
            other = self.tasks.get(rows.task)
            if other is None:
                yield f"{at}: no task is called {rows.task!r}{nearest(rows.task, self.tasks)}"
            elif other.family != task.family or other.label_names != task.label_names:
                yield f"{at}: {rows.task} has another family or other labels than {name}; one head cannot serve both"
            elif getattr(other, phase) is None:
                yield f"{at}: task {rows.task} has no {phase} rows"
            elif getattr(other, phase).task is not None:
                yield f"{at}: {rows.task} takes its own {phase} rows from {getattr(other, phase).task}; name that one"

    def _broken_suite(self, name: str, suite: Suite) -> Iterator[str]:
        source = self.sources["suite", name]

        def unknown(kind: str, wanted: str, *loc: str | int) -> Iterator[str]:
            known = getattr(self, f"{kind}s")
            if wanted not in known:
                yield f"{source.at(*loc)}: no {kind} is called {wanted!r}{nearest(wanted, known)}"

        for i, encoder in enumerate(suite.encoders):
            yield from unknown("encoder", encoder, "encoders", i)
        for i, arm in enumerate(suite.arms):
            if arm.intermediate == BASELINE:
                continue
            yield from unknown("task", arm.intermediate, "arms", i)
            task = self.tasks.get(arm.intermediate)
            if task and "intermediate" not in task.role:
                yield f"{source.at('arms', i)}: task {task.task} is no intermediate (its role is {', '.join(task.role)})"
        for i, target in enumerate(suite.targets):
            yield from unknown("task", target, "targets", i)
            task = self.tasks.get(target)
            if task and "target" not in task.role:
                yield f"{source.at('targets', i)}: task {target} is no target (its role is {', '.join(task.role)})"
        for field in ("cuts", "task_caps"):
            for target in getattr(suite, field):
                yield from unknown("task", target, field, target)
        for target in suite.recipes.tasks:
            yield from unknown("task", target, "recipes", "tasks", target)
        for target, cut in suite.cuts.items():
            known = self.tasks[target].languages if target in self.tasks else []
            for i, language in enumerate(cut.languages or []):
                if known and language not in known:
                    yield f"{source.at('cuts', target, 'languages', i)}: {target} has no {language!r}{nearest(language, known)}"
