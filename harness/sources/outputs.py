"""Which output of a head that was trained elsewhere stands for which label of a task.

Nothing but names says so: a head of three outputs in another order gives scores, and wrong ones.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.common.errors import SpecError
from harness.families import FAMILIES

_NO_NAME = re.compile(r"label_?\d+", re.I)  # what transformers calls an output that has no name


def outputs_of(config: Mapping[str, Any]) -> list[str]:
    """The names that a config.json gives to the outputs of its head; none where it names none, or
    not each, or where `label2id` gives one of them another number."""
    said, numbers = config.get("id2label"), config.get("label2id")
    if not isinstance(said, Mapping):
        return []
    named = {str(number): name for number, name in said.items()}
    names = [named.get(str(number)) for number in range(len(named))]
    whole = [name for name in names if isinstance(name, str)]
    against = numbers if isinstance(numbers, Mapping) else {}
    agree = all(against.get(name, number) == number for number, name in enumerate(whole))
    return whole if agree and len(whole) == len(named) else []


def as_named(given: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Names of outputs as a task writes its labels: in a key, one spelling for each."""
    known = {label.casefold(): label for label in ("O", *labels)}
    return [known.get(name.strip().casefold(), name) for name in given]


def as_answered(
    task: Mapping[str, Any], named: Sequence[str], given: Sequence[str], encoder: str
) -> tuple[dict[str, Any], list[int]]:
    """(the task as such a head answers it, the output of each of its classes).

    named    the outputs' names in config.json
    given    the names that a suite gives them, in their place
    raises   SpecError: a family without such heads, names that are not the task's labels
    """
    family = FAMILIES[task["family"]]
    if family.transformers_head is None:
        raise SpecError(f"trained: transformers has no model of the family {task['family']}")
    if not family.label_outputs:
        if given:
            raise SpecError(f"trained: {encoder}: {task['family']} has no labels; leave them out")
        return dict(task), []

    names = list(given or named)
    if given and named and len(given) != len(named):
        raise SpecError(
            f"trained: {encoder}: {len(given)} labels are given, and its head has {len(named)}"
            " outputs; name one for each"
        )
    wanted = list(task["labels"])
    if not given and all(_NO_NAME.fullmatch(name) for name in names):
        raise SpecError(
            f"trained: {encoder}: its config.json (id2label, with which label2id must"
            " agree) has no names for its outputs; say which label each one stands for,"
            f" in their order, as TASK=FOLDER:{','.join(wanted)}"
        )
    folded = [name.strip().casefold() for name in names]
    options = dict(task["options"])
    # a tagger may have a class O where no tag of the task is O
    if "outside" in family.head_options:
        options["outside"] = "O" not in wanted and "o" in folded
        wanted = ["O", *wanted] if options["outside"] else wanted
    if sorted(folded) != sorted(label.casefold() for label in wanted):
        raise SpecError(
            f"trained: {encoder}: its outputs are {', '.join(names)}, the task's labels"
            f" {', '.join(wanted)}; say which label each one stands for, in their order, as"
            f" TASK=FOLDER:{','.join(wanted)}"
        )
    # names that are given decide something, or they would make two keys of one result
    if given and sorted(name.strip().casefold() for name in named) == sorted(folded):
        raise SpecError(
            f"trained: {encoder}: its config.json names its outputs {', '.join(named)}, in that"
            " order; leave the labels out"
        )
    order = [folded.index(label.casefold()) for label in wanted]
    return {**task, "options": options}, order
