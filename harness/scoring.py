"""Score a submission folder in XTREME's layout against a folder of labels in the same layout.

    FOLDER/<task>/test-<language>.tsv       one label, tag, row number or pair of ids a line
    FOLDER/<task>/test-<language>.json      predictions: {question id: answer}; labels: SQuAD's own layout

Where the official evaluate.py gives a number, this gives the same one. Where it stops at an absent file, the rest is
scored here and what is missing is listed; where it would compare lines that do not belong together, this stops.
Source: google-research/xtreme, evaluate.py; Hu et al. 2020, arXiv 2003.11080.
"""

import json
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import SpecError
from harness.metrics import METRICS, language_mean, overall
from harness.metrics.mining import pair_f1
from harness.store import disk_errors


class Benchmark(NamedTuple):
    """A task of XTREME: its family, the metric that scores it, the languages it is averaged over (`spoken`, as one text)."""

    family: str
    metric: str
    spoken: str

    @property
    def languages(self) -> list[str]:
        return self.spoken.split()

    def file(self, language: str) -> str:
        """The name of a language's file."""
        return f"test-{language}.{'json' if self.family == 'span_qa' else 'tsv'}"


# TASK2LANGS of evaluate.py
XTREME: dict[str, Benchmark] = {
    "pawsx": Benchmark("classification", "accuracy", "de en es fr ja ko zh"),
    "xnli": Benchmark("classification", "accuracy", "ar bg de el en es fr hi ru sw th tr ur vi zh"),
    "udpos": Benchmark(
        "tagging",
        "span_f1",
        "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh",
    ),
    "panx": Benchmark(
        "tagging",
        "span_f1",
        "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te th tl tr ur vi yo zh",
    ),
    "xquad": Benchmark("span_qa", "squad", "ar de el en es hi ru th tr vi zh"),
    "mlqa": Benchmark("span_qa", "mlqa", "ar de en es hi vi zh"),
    "tydiqa": Benchmark("span_qa", "squad", "ar bn en fi id ko ru sw te"),
    "bucc2018": Benchmark("bitext_mining", "mining_f1", "de fr ru zh"),
    "tatoeba": Benchmark(
        "retrieval",
        "retrieval_accuracy",
        "af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr nl pt ru sw ta te th tl tr ur vi zh",
    ),
}
XTREME_R = {"mewslix", "lareqa", "xcopa"}  # tasks that only the successor has (Ruder et al. 2021, arXiv 2104.07412)
OFFICIAL = {  # what evaluate.py reports; our metrics know more
    "classification": ("accuracy",),
    "tagging": ("f1", "precision", "recall"),
    "span_qa": ("exact_match", "f1"),
    "bitext_mining": ("f1", "precision", "recall"),
    "retrieval": ("accuracy",),
}


def score(predictions: Path, labels: Path) -> dict[str, Any]:
    """Every file of `predictions` that XTREME knows, scored; all numbers 0-100, unrounded.

    scores      task → language → metric → number
    averages    task → each metric and `metric`, the task's score, over the languages that are there; `languages` of `of`
    groups      of the groups of which every task has every language; overall, when all nine tasks do, else None
    missing     task → languages without predictions
    not_scored  files and folders that are no part of XTREME → why
    unanswered  task → language → questions without an answer, which count 0
    raises      SpecError: a file that cannot be scored, at its line; no labels for it; nothing to score at all
    """
    report: dict[str, Any] = {"scores": {}, "averages": {}, "missing": {}, "not_scored": _strangers(predictions)}
    unanswered: dict[str, dict[str, int]] = {}
    for task, benchmark in XTREME.items():
        found: dict[str, dict[str, float]] = {}
        for language in benchmark.languages:
            file = predictions / task / benchmark.file(language)
            if file.is_file():
                found[language], silent = _score_file(benchmark, language, file, labels / task / file.name)
                if silent:
                    unanswered.setdefault(task, {})[language] = silent
        if len(found) < len(benchmark.languages):
            report["missing"][task] = [language for language in benchmark.languages if language not in found]
        if found:
            report["scores"][task] = found
            report["averages"][task] = _average(benchmark, found)
    if not report["scores"]:
        raise SpecError(
            f"{predictions}: nothing to score; it must hold folders such as xnli/ with files such as test-de.tsv"
            f" (tasks: {', '.join(XTREME)})"
        )
    complete = {task: average["metric"] for task, average in report["averages"].items() if task not in report["missing"]}
    groups = overall(complete)
    report["overall"] = groups.pop("all_task", None)
    return report | {"groups": groups, "unanswered": unanswered}


def _strangers(predictions: Path) -> dict[str, str]:
    """What a submission folder holds beside XTREME's files: relative path → why it is not scored. Dot files are nobody's."""
    why = {}
    with disk_errors("read", predictions):
        for folder in sorted(path for path in predictions.iterdir() if not path.name.startswith(".")):
            benchmark = XTREME.get(folder.name)
            if benchmark is None:
                why[folder.name] = "a task of XTREME-R" if folder.name in XTREME_R else "no task of XTREME"
            elif not folder.is_dir():
                why[folder.name] = "not a folder"
            else:
                known = {benchmark.file(language) for language in benchmark.languages}
                strange = [path for path in sorted(folder.iterdir()) if path.name not in known or not path.is_file()]
                for path in strange:
                    if not path.name.startswith("."):
                        why[f"{folder.name}/{path.name}"] = f"no language file of {folder.name}, such as {min(known)}"
    return why


def _average(benchmark: Benchmark, found: dict[str, dict[str, float]]) -> dict[str, float]:
    names = OFFICIAL[benchmark.family]
    average = {name: language_mean({language: numbers[name] for language, numbers in found.items()}) for name in names}
    main = (average["exact_match"] + average["f1"]) / 2 if benchmark.family == "span_qa" else average[names[0]]
    return average | {"metric": main, "languages": len(found), "of": len(benchmark.languages)}


def _score_file(benchmark: Benchmark, language: str, file: Path, labels: Path) -> tuple[dict[str, float], int]:
    """The official metrics of one language, and how many questions have no answer."""
    if not labels.is_file():
        raise SpecError(f"{file}: there is no labels file {labels} to score it with; add it or take the predictions away")
    golds, guesses = _READERS[benchmark.family](labels, file)
    if not golds:
        raise SpecError(f"{labels}: nothing to score, the file is empty")
    if benchmark.family == "bitext_mining":
        numbers = pair_f1(golds, guesses)
    else:
        try:
            numbers = METRICS[benchmark.metric](golds, guesses, language).metrics
        except ValueError as error:  # a question without a gold answer, sentences without a tag
            raise SpecError(f"{labels}: {error}") from None
    silent = sum(guess is None for guess in guesses)
    return {name: numbers[name] for name in OFFICIAL[benchmark.family]}, silent


def _text(path: Path) -> str:
    with disk_errors("read", path):
        data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SpecError(f"{path}:{line}: not UTF-8 text (byte {data[error.start]:#04x}); save it as UTF-8") from None


def _lines(path: Path) -> list[str]:
    """Stripped lines. Only a newline ends a line: `splitlines` would also cut at U+2028 and the like."""
    lines = _text(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.strip() for line in lines]


def _label_files(labels: Path, file: Path) -> tuple[list[str], list[str]]:
    golds, guesses = _lines(labels), _lines(file)
    if len(golds) != len(guesses):
        raise _unequal(labels, file, len(golds), len(guesses), min(len(golds), len(guesses)) + 1)
    return golds, guesses


def _unequal(labels: Path, file: Path, golds: int, guesses: int, line: int) -> SpecError:
    return SpecError(
        f"{file}:{line}: {guesses} lines, but {labels} has {golds}, and they part at line {line};"
        " write one prediction a line, in the order of the labels, with no blank line too many"
    )


def _tag_files(labels: Path, file: Path) -> tuple[list[list[str]], list[list[str]]]:
    """Sentences. seqeval strings all tags together, so a sentence of another length would shift what follows it."""
    golds, guesses = (lines[:-1] if lines and not lines[-1] else lines for lines in (_lines(labels), _lines(file)))
    for line, (gold, guess) in enumerate(zip_longest(golds, guesses), 1):
        if gold is not None and guess is not None and bool(gold) == bool(guess):
            continue
        if len(golds) != len(guesses):
            raise _unequal(labels, file, len(golds), len(guesses), line)
        if gold:
            raise SpecError(f"{file}:{line}: an empty tag, where {labels} has {gold!r}; a blank line ends a sentence")
        raise SpecError(f"{file}:{line}: tag {guess!r}, where {labels} ends a sentence; leave that line blank")
    return _sentences(golds), _sentences(guesses)


def _sentences(lines: list[str]) -> list[list[str]]:
    sentences: list[list[str]] = [[]]
    for line in lines:
        if line:
            sentences[-1].append(line)
        else:
            sentences.append([])
    return sentences


def _pair_files(labels: Path, file: Path) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    def pairs(path: Path) -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = set()
        for number, line in enumerate(_lines(path), 1):
            pair = tuple(line.split("\t"))
            if len(pair) != 2 or not all(pair):
                raise SpecError(f"{path}:{number}: {line!r} is no pair; write SOURCE-ID TAB TARGET-ID")
            found.add(pair)
        return found

    return pairs(labels), pairs(file)


def _json(path: Path) -> Any:
    text = _text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError(f"{path}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, a thousand brackets
        raise SpecError(f"{path}:1: not a file of answers: {error}") from None


def _answer_files(labels: Path, file: Path) -> tuple[list[dict], list[str | None]]:
    """Golds as `metrics.squad` takes them, in file order, and the answer to each or None. Other answers are not read."""
    answers, questions = _json(file), _json(labels)
    if not isinstance(answers, dict):
        raise SpecError(f"{file}:1: must be one JSON object, question id → answer")
    for id_, answer in answers.items():
        if not isinstance(answer, str):
            raise SpecError(f"{file}: the answer to {id_!r} must be a string, not {json.dumps(answer)[:40]}")
    ids, golds = [], []
    try:
        for article in questions.get("data", questions) if isinstance(questions, dict) else questions:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    ids.append(question["id"])
                    texts = [str(answer["text"]) for answer in question["answers"]]
                    golds.append({"answers": texts, "context": str(paragraph["context"]), "group": str(paragraph["context"])})
        return golds, [answers.get(id_) for id_ in ids]
    except (KeyError, TypeError, IndexError) as error:
        raise SpecError(f"{labels}:1: not SQuAD's layout (data, paragraphs, qas, id, answers, text): {error!r}") from None


_READERS: dict[str, Callable[[Path, Path], tuple[Any, Any]]] = {
    "classification": _label_files,
    "retrieval": _label_files,
    "tagging": _tag_files,
    "bitext_mining": _pair_files,
    "span_qa": _answer_files,
}
