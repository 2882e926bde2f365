"""What a command line changes in a suite: the user's own tasks join, test rows are limited, tasks
are left out."""

from typing import Any

from harness.common.errors import SpecError
from harness.spec.catalog import Catalog
from harness.spec.explain import nearest
from harness.spec.sampler import Sampler
from harness.spec.suite import Arm, Caps, Intermediate, Suite

# what was expected was expected of the whole experiment, and of no other
NO_HYPOTHESES: dict[str, Any] = {"hypotheses": []}


def with_user_tasks(suite: Suite, catalog: Catalog) -> Suite:
    """The suite plus every task of the user's own folders, each in the roles its YAML declares; not
    those that were left out."""
    own = [
        catalog.tasks[name]
        for kind, name in sorted(catalog.user)
        if kind == "task" and name not in suite.left_out
    ]
    targets = [t.task for t in own if "target" in t.role and t.task not in suite.targets]
    present = {arm.name for arm in suite.arms}
    wanted = [t.task for t in own if "intermediate" in t.role and t.task not in present]
    arms = [Arm(intermediate=Intermediate(tasks=[task]), name=task) for task in wanted]
    if not targets and not arms:
        return suite
    more = {"targets": [*suite.targets, *targets], "arms": [*suite.arms, *arms]}
    return suite.model_copy(update=more | NO_HYPOTHESES)


def with_limit(suite: Suite, rows: int) -> Suite:
    """The suite with at most `rows` test rows everywhere: a partial run, which no release takes."""

    def limited(caps: Caps) -> Caps:
        return caps.model_copy(update={"test": min(rows, caps.test or rows)})

    task_caps = {task: limited(caps) for task, caps in suite.task_caps.items()}
    capped = {"caps": limited(suite.caps), "task_caps": task_caps}
    return suite.model_copy(update=capped | NO_HYPOTHESES)


def without(suite: Suite, names: list[str]) -> Suite:
    """The suite without these tasks, as targets, as arms, and in mixtures: what a licence or a
    missing archive keeps away.

    raises  SpecError: a name that the suite does not have, or nothing left
    """
    known = set(suite.targets)
    for arm in suite.arms:
        known |= {*arm.tasks, *([] if arm.is_baseline else [arm.name])}
    for name in names:
        if name not in known:
            near = nearest(name, known)
            what = f"suite {suite.suite} has no such task or condition{near}"
            raise SpecError(f"without {name}: {what}")

    arms = []
    for arm in suite.arms:
        left = [task for task in arm.tasks if task not in names]
        if arm.name in names or (arm.intermediate and not left):
            continue
        if arm.intermediate and left != arm.tasks:
            smaller = _with_tasks(arm.intermediate, left)
            arm = arm.model_copy(update={"intermediate": smaller})
        arms.append(arm)
    targets = [target for target in suite.targets if target not in names]
    if not targets or len(arms) < 1:
        raise SpecError(f"without {' '.join(names)}: nothing is left of suite {suite.suite}")
    left_out = sorted({*suite.left_out, *names})
    return suite.model_copy(
        update={
            "arms": arms,
            "left_out": left_out,
            **suite.of_targets(targets),
            **NO_HYPOTHESES,
        }
    )


def _with_tasks(mixture: Intermediate, tasks: list[str]) -> Intermediate:
    """A mixture of these of its tasks, with their weights; one alone needs no sampler."""
    if len(tasks) == 1:
        return mixture.model_copy(update={"tasks": tasks, "sampler": Sampler()})
    weights = {task: of for task, of in mixture.sampler.weights.items() if task in tasks}
    sampler = mixture.sampler.model_copy(update={"weights": weights})
    return mixture.model_copy(update={"tasks": tasks, "sampler": sampler})
