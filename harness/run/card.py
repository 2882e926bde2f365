"""A release's model card for the hub: metadata that the hub reads, then the board at a glance.

`model-index` has an entry for each encoder and condition, and in it one number a target: its score,
the mean over languages and seeds. The hub's later form, `.eval_results/`, takes only data sets that
are registered there as benchmarks.
"""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

import yaml

from harness.families import FAMILIES
from harness.page.glance import glance
from harness.page.render import markdown_glance, title_line
from harness.release.schema import Content


def card(release: Content, name: str, sidecar: Mapping[str, Any], repo: str) -> str:
    """README.md of a repository that holds the release `name` (as `0041-easy-hard`)."""
    facts = metadata(release, name, sidecar)
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=1000)
    return "\n".join(
        [
            "---",
            text + "---",
            title_line(f"release {name}"),
            "",
            *_about(release, name, repo),
            markdown_glance(glance(release, name)),
        ]
    )


def _about(release: Content, name: str, repo: str) -> list[str]:
    made_up = "**Its data are made up: these numbers say nothing of any encoder.** "
    return [
        f"{made_up if release.suite.smoke else ''}Scores of an encoder on target tasks in many"
        " languages, and what training it on an intermediate task first adds to them, computed by"
        f" xstilts-harness: suite `{release.suite.name}`, all settings in `releases/{name}.json`."
        " To compute every number of it again from what each test row contributed:",
        "",
        "```sh",
        f"hf download {repo} --local-dir board",
        f"xstilts-harness leaderboard verify {name} --board board",
        "```",
        "",
    ]


def metadata(release: Content, name: str, sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """What the hub reads of a card."""
    found: dict[str, list[str]] = {}
    for kind, entries in sidecar.get("data", {}).items():
        # what came from elsewhere has a name of ours, which is none of the hub
        found[kind] = [of for of in entries if of.count("/") == 1]
    tags = ["xstilts-harness", "cross-lingual", *(["made-up-data"] if release.suite.smoke else [])]
    said = {
        "language": sorted(release.languages),
        "base_model": found.get("encoders", []),
        "datasets": found.get("datasets", []),
        "tags": tags,
        "model-index": list(_model_index(release)),
    }
    return {key: value for key, value in said.items() if value}


def _model_index(release: Content) -> Iterator[dict[str, Any]]:
    scores: dict[tuple[str, str], dict[str, list[float]]] = {}
    for cell in release.cells:
        if cell.score is not None:
            of = scores.setdefault((cell.encoder, cell.arm), {})
            of.setdefault(cell.target, []).append(cell.score)
    for (encoder, condition), targets in scores.items():
        after = "" if condition == "none" else f" after {condition}"
        yield {
            "name": f"{encoder}{after}",
            "results": [
                _result(release, target, fmean(values)) for target, values in targets.items()
            ],
        }


def _result(release: Content, target: str, score: float) -> dict[str, Any]:
    facts = release.targets[target]
    source = release.inputs.tasks[facts.task].source
    return {
        "task": {"type": FAMILIES[facts.family].hub_task},
        "dataset": {"type": source.hub or facts.task, "name": facts.title or target},
        "metrics": [
            {
                "type": facts.metric,
                "value": round(score, 2),
                "name": f"{target}, {facts.metric}, mean over {len(facts.languages)} languages",
            }
        ],
    }
