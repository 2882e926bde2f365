"""From languages to a task's score, from tasks to XTREME's groups and overall score. All numbers
0-100.

Source: google-research/xtreme, evaluate.py; Hu et al. 2020, arXiv 2003.11080.
"""

import math
from collections.abc import Mapping

from harness.metrics.scored import Scored, mean

TASK_GROUPS: dict[str, tuple[str, ...]] = {
    "classification": ("pawsx", "xnli"),
    "tagging": ("udpos", "panx"),
    "qa": ("xquad", "mlqa", "tydiqa"),
    "retrieval": ("bucc2018", "tatoeba"),
}
# those of XTREME-R that evaluate.py gives: LAReQA, of which it reads no files, is in none
XTREME_R_GROUPS: dict[str, tuple[str, ...]] = {
    "classification": ("xnli", "xcopa"),
    "tagging": ("udpos", "panx"),
    "qa": ("xquad", "mlqa", "tydiqa"),
    "retrieval": ("tatoeba", "mewslix"),
}


def language_mean(per_language: dict[str, float]) -> float:
    """Unweighted mean over languages, English included: a language counts once, however many rows
    it has.

    raises  ValueError: no language, or a score that is not a finite number
    """
    if not per_language:
        raise ValueError("no language to average over")
    for language, score in per_language.items():
        if not math.isfinite(score):
            raise ValueError(f"language {language}: the score is {score}")
    return mean(per_language.values())


def task_score(per_language: dict[str, Scored]) -> dict[str, float]:
    """A task's average over languages: each metric that all of them have, and `main`, the task's
    score.

    For question answering `main` is the mean of (EM + F1) / 2, which is (mean EM + mean F1) / 2.
    raises  ValueError: no language
    """
    if not per_language:
        raise ValueError("no language to average over")
    shared = set.intersection(*(set(scored.metrics) for scored in per_language.values()))
    names = [name for name in next(iter(per_language.values())).metrics if name in shared]
    averages: dict[str, float] = {}
    for name in names:
        by_language = {lang: scored.metrics[name] for lang, scored in per_language.items()}
        averages[name] = language_mean(by_language)
    averages["main"] = language_mean({lang: s.main for lang, s in per_language.items()})
    return averages


def overall(
    task_scores: dict[str, float], groups: Mapping[str, tuple[str, ...]] = TASK_GROUPS
) -> dict[str, float]:
    """XTREME's group scores, and `all_task`: the mean of the nine tasks, not of the four groups.

    A group appears only when all its tasks are there, `all_task` only with all nine; other tasks
    are left out.
    """
    scores: dict[str, float] = {}
    every: list[float] = []
    for group, tasks in groups.items():
        known = [task_scores[task] for task in tasks if task in task_scores]
        if len(known) == len(tasks):
            scores[group] = mean(known)
            every += known
    if len(scores) == len(groups):
        scores["all_task"] = mean(every)
    return scores
