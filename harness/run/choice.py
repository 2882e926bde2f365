"""What is to be run: a suite of the catalog as it is, one that is changed, or one made of a few
words."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from harness.common.errors import SpecError
from harness.common.text import some
from harness.release.places import place
from harness.sources.hub import Where
from harness.sources.infer import inferred
from harness.spec import oneline
from harness.spec.catalog import Catalog
from harness.spec.changes import with_limit, with_user_tasks, without
from harness.spec.encoder import Encoder
from harness.spec.oneline import OneLine
from harness.spec.suite import Suite

NOTHING = OneLine()


@dataclass(frozen=True)
class Choice:
    """A suite by name, and how it is changed.

    suite       its name, or the file that it stands in; None: `line` makes one
    everything  the user's own tasks join it
    limit       at most so many test rows: no release comes of that
    left_out    tasks and arms that it does without
    line        what is chosen by names in place of the suite's
    """

    suite: str | None
    everything: bool = False
    limit: int | None = None
    left_out: tuple[str, ...] = ()
    line: OneLine = NOTHING


class Asked(NamedTuple):
    """The suite that is run.

    written  the same as a YAML file says it; None if one does
    lines    what was inferred for it, and which languages its targets lack
    partial  it has fewer test rows than it should: no release comes of it
    """

    suite: Suite
    written: dict[str, Any] | None = None
    lines: tuple[str, ...] = ()
    partial: bool = False


def ask(choice: Choice, catalog: Catalog, where: Where, say: Callable[[str], None]) -> Asked:
    """The suite of a choice. Encoders that no file describes join the catalog; `say` hears what is
    downloaded to read what they are.

    raises  SpecError: a name that nobody knows, or nothing to change.  MissingError: an encoder is
            not here, and cannot be had
    """
    base = _base(choice.suite, catalog)
    line, found, lines = _with_encoders(_with_trained(choice.line), catalog, where, say)
    suite = base
    if line or suite is None:
        suite = oneline.begun(line, base, catalog, choice.everything)
    # first all that is in it, then what is said of all that is in it
    if choice.everything:
        suite = with_user_tasks(suite, catalog)
    if choice.left_out:
        suite = without(suite, list(choice.left_out))
    if not suite.targets:
        raise SpecError("targets missing: no folder of yours (-t) has a task in that role")
    whole = suite
    if line:
        suite = oneline.fitting(suite, line, catalog)
        suite = oneline.narrowed(suite, line, base, catalog)
    lines += _without_effect(base, catalog) if base else []
    lines += oneline.lacking(line, suite, catalog)
    lines += oneline.unscored(catalog.filled_in(suite), whole, catalog)

    written = None
    if line:
        inline = found | {
            name: catalog.encoders[name] for name in suite.encoder_names if name in catalog.inline
        }
        told = [_placeless(encoder) for encoder in inline.values()]
        suite = oneline.named(suite, line, base, catalog, told)
        written = oneline.as_written(suite, inline)
    if choice.limit:
        suite = with_limit(suite, choice.limit)
    if base and base.hypotheses and not suite.hypotheses:
        lines.append(
            f"the hypotheses of {base.suite} are about all of it, as it is; this run tests none"
        )
    return Asked(catalog.filled_in(suite), written, tuple(lines), bool(choice.limit))


def _base(name: str | None, catalog: Catalog) -> Suite | None:
    """The suite to start from, as its file has it."""
    if name is None:
        return None
    return catalog.suite_as_written(catalog.suite_called(name))


def _without_effect(suite: Suite, catalog: Catalog) -> list[str]:
    """A line for each table of a suite's file that names tasks which the suite does not have: most
    likely another task was meant."""
    return [
        f"{table} of {suite.suite}: it has no {some(names)}; nothing comes of that"
        for table, names in oneline.without_effect(suite, catalog).items()
    ]


def _with_encoders(
    line: OneLine, catalog: Catalog, where: Where, say: Callable[[str], None]
) -> tuple[OneLine, dict[str, Encoder], list[str]]:
    """The line with its encoders by name; those of them that were inferred, and what is said of
    that."""
    names: list[str] = []
    found: dict[str, Encoder] = {}
    lines: list[str] = []
    for given in line.encoders:
        if given in catalog.encoders:
            names.append(given)
            continue
        encoder, said = inferred(given, where, catalog, say)
        if same := [one for one in found.values() if one.source == encoder.source]:
            names.append(same[0].encoder)  # the same folder, written in another way
            continue
        name = encoder.encoder
        if name not in catalog.encoders:
            catalog.encoders[name] = found[name] = encoder
        elif catalog.encoders[name] != encoder:
            raise SpecError(
                f"encoder {given}: two encoders would be called {name}; describe them in YAML"
                " files (encoder: NAME, source: {path: FOLDER}), each under a name of its own"
            )
        names.append(name)
        lines += said
    called = dict(zip(line.encoders, names, strict=True))
    trained = tuple(one._replace(encoder=called[one.encoder]) for one in line.trained)
    if twice := [one.encoder for one in trained if names.count(one.encoder) > 1]:
        raise SpecError(f"trained: {twice[0]} is named twice; it has one head, of one task")
    return replace(line, encoders=tuple(dict.fromkeys(names)), trained=trained), found, lines


def _with_trained(line: OneLine) -> OneLine:
    """The line whose models that are trained already are among its encoders."""
    return replace(line, encoders=(*line.encoders, *(one.encoder for one in line.trained)))


def _placeless(encoder: Encoder) -> dict[str, Any]:
    """An encoder's spec, for a name that is the same on every machine."""
    said = encoder.model_dump(mode="json", exclude_defaults=True)
    if path := said["source"].get("path"):
        said["source"]["path"] = place(path)
    return said
