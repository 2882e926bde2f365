"""Tables of docs/study.md that the board does not have: test_docs.py holds the page to them.

`python -m tests.study_tables` prints them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.common.text import signed
from harness.page.tables import between
from harness.release.document import Board

BOARD = Board(Path(__file__).parents[1] / "leaderboard")
NAMES = {
    "squad": "SQuAD",
    "xnli": "NLI",
    "cosmos_qa": "CosmosQA",
    "commonsense_qa": "CommonsenseQA",
    "panx": "named entities",
    "udpos": "part-of-speech tags",
    "tydiqa": "TyDiQA",
    "shuffled": "NLI, labels shuffled",
    "nli_shuffled": "NLI, labels shuffled",
}


def rates(release: str, encoder: str, tasks: list[str], rates: list[str]) -> Iterator[str]:
    """What arm TASK_RATE reached on its own dev, and what it did to the suite's one target."""
    content = BOARD.load(BOARD.find(release))
    dev = {(one["key"], one["encoder"]): one["main"] for one in content["dev_scores"]}
    gains = {gain["arm"]: gain for gain in content["gains"] if gain["encoder"] == encoder}
    yield row("trained on", *(text for rate in rates for text in (f"{rate}: dev", "Tatoeba")))
    yield row(*["---"] * (1 + 2 * len(rates)))
    for task in tasks:
        cells = []
        for rate in rates:
            gain = gains.get(f"{task}_{rate}")
            trained = (
                [
                    one["key"]
                    for one in content["arms"][gain["arm"]]["trained"]
                    if one["encoder"] == encoder
                ]
                if gain
                else []
            )
            cells += [f"{dev[key, encoder]:.1f}" for key in trained] or ["–"]
            cells.append(signed(gain["gain"]) + between(gain["interval"]) if gain else "–")
        yield row(NAMES[task], *cells)


def english_and_others(release: str, targets: dict[str, str], arms: list[str]) -> Iterator[str]:
    """Each gain, and what it is in English and in the mean over the other languages."""
    content = BOARD.load(BOARD.find(release))
    yield row("intermediate", *(text for name in targets.values() for text in (name, "en, others")))
    yield row(*["---"] * (1 + 2 * len(targets)))
    for arm in arms:
        cells = []
        for target in targets:
            (gain,) = (
                one
                for one in content["gains"]
                if (one["arm"], one["target"].split("@")[0]) == (arm, target)
            )
            others = [
                one["gain"] for language, one in gain["per_language"].items() if language != "en"
            ]
            english = f"{signed(gain['english'])}, {signed(float(np.mean(others)))}"
            cells += [signed(gain["gain"]) + between(gain["interval"]), english]
        yield row(NAMES[arm], *cells)


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def tables() -> Iterator[list[str]]:
    qa = {"xquad": "XQuAD", "mlqa": "MLQA", "tydiqa": "TyDiQA"}
    yield list(
        english_and_others("0022-study-e5-qa", qa, ["squad", "panx", "xnli", "nli_shuffled"])
    )
    for encoder in ("all-MiniLM-L6-v2", "multilingual-e5-small-q4"):
        yield list(
            rates(
                "0023-study-rates",
                encoder,
                ["xnli", "shuffled", "panx", "squad"],
                ["2e-4", "5e-5", "2e-5"],
            )
        )
        tasks = ["squad", "xnli", "cosmos_qa", "commonsense_qa", "panx", "udpos", "tydiqa"]
        yield list(rates("0024-study-tune", encoder, tasks, ["5e-5", "1e-4", "2e-4"]))
    yield list(
        english_and_others("0026-study-tuned-e5", qa, ["squad", "panx", "xnli", "nli_shuffled"])
    )


if __name__ == "__main__":
    print("\n\n".join("\n".join(table) for table in tables()))
