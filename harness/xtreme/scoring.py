"""Score a submission folder in XTREME's layout against a folder of labels in the same layout.

    FOLDER/<task>/test-<language>.tsv       one label, tag, row number or pair of ids a line
    FOLDER/<task>/test-<language>.json      predictions: {question id: answer}; labels: SQuAD's own
                                            layout. Mewsli-X: {mention id: [entity id, ...]}
    FOLDER/xcopa/test-<language>.jsonl      {"label": 0}, a row a line

Where the official evaluate.py gives a number, this gives the same one. Where it stops at an absent
file, the rest is scored here and what is missing is listed; where it would compare lines that do
not belong together, this stops. Source: google-research/xtreme, evaluate.py; Hu et al. 2020, arXiv
2003.11080.
"""

from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

from harness.common.errors import SpecError
from harness.metrics import METRICS, TASK_GROUPS, XTREME_R_GROUPS, language_mean, overall
from harness.spec.explain import close, show
from harness.store import disk_errors
from harness.xtreme import slips
from harness.xtreme.layouts import layout_of
from harness.xtreme.score_files import Known, read_lines
from harness.xtreme.slips import FilePair


class Benchmark(NamedTuple):
    """A task of XTREME: its family, the metric that scores it, the languages it is averaged over
    (`spoken`, as one text)."""

    family: str
    metric: str
    spoken: str

    @property
    def languages(self) -> list[str]:
        return self.spoken.split()

    def file(self, language: str) -> str:
        """The name of a language's file."""
        return f"test-{language}.{layout_of(self.family).ending}"


# TASK2LANGS of evaluate.py
XTREME: dict[str, Benchmark] = {
    "pawsx": Benchmark("classification", "accuracy", "de en es fr ja ko zh"),
    "xnli": Benchmark("classification", "accuracy", "ar bg de el en es fr hi ru sw th tr ur vi zh"),
    "udpos": Benchmark(
        "tagging",
        "span_f1",
        "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur"
        " vi yo zh",
    ),
    "panx": Benchmark(
        "tagging",
        "span_f1",
        "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru"
        " sw ta te th tl tr ur vi yo zh",
    ),
    "xquad": Benchmark("span_qa", "squad", "ar de el en es hi ru th tr vi zh"),
    "mlqa": Benchmark("span_qa", "mlqa", "ar de en es hi vi zh"),
    "tydiqa": Benchmark("span_qa", "squad", "ar bn en fi id ko ru sw te"),
    "bucc2018": Benchmark("bitext_mining", "mining_f1", "de fr ru zh"),
    "tatoeba": Benchmark(
        "retrieval",
        "retrieval_accuracy",
        "af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr nl pt ru sw ta te"
        " th tl tr ur vi zh",
    ),
}


def _more(task: str, languages: str) -> Benchmark:
    """A task of XTREME with more languages."""
    before = XTREME[task]
    return before._replace(spoken=" ".join(sorted({*before.languages, *languages.split()})))


# its successor (Ruder et al. 2021, arXiv 2104.07412), XTREME_R_TASK2LANGS of evaluate.py
XTREME_R: dict[str, Benchmark] = {
    "xnli": XTREME["xnli"],
    "xcopa": Benchmark("multiple_choice", "accuracy", "et ht id it qu sw ta th tr vi zh"),
    "udpos": _more("udpos", "lt pl ro uk wo"),
    "panx": _more("panx", "az gu lt pa pl qu ro uk"),
    "xquad": _more("xquad", "ro"),
    "mlqa": XTREME["mlqa"],
    "tydiqa": XTREME["tydiqa"],
    "tatoeba": _more("tatoeba", "az lt pl ro uk"),
    "mewslix": Benchmark("entity_linking", "map_at_20", "ar de en es fa ja pl ro ta tr uk"),
}
NO_FILES = "lareqa"  # evaluate.py knows it, with no language: it has no files, nor all ten a score
BENCHMARKS = {"xtreme": XTREME, "xtreme-r": XTREME_R}
BenchmarkName = Literal["xtreme", "xtreme-r"]
PACKED = {".gz", ".bz2", ".xz", ".zip", ".zst"}


class Report(TypedDict):
    """A submission scored; all numbers 0-100, unrounded.

    scores      task → language → metric → number
    averages    task → each metric and `metric`, the task's score, over the languages that are
                there; `languages` of `of`
    groups      of the groups of which every task has every language; overall, when all nine tasks
                of XTREME do, else None
    missing     task → languages without predictions
    not_scored  files and folders that are no part of the benchmark → why
    unanswered  task → language → questions without an answer, which count 0
    warnings    a line for each thing that looks like a slip, with its file; no number is changed by
                it
    """

    scores: dict[str, dict[str, dict[str, float]]]
    averages: dict[str, dict[str, float]]
    missing: dict[str, list[str]]
    not_scored: dict[str, str]
    unanswered: dict[str, dict[str, int]]
    warnings: list[str]
    overall: float | None
    groups: dict[str, float]


def score(predictions: Path, labels: Path, name: BenchmarkName = "xtreme") -> Report:
    """Every file of `predictions` that the benchmark of that name knows, scored.

    raises  SpecError: a file that cannot be scored, at its line; no labels for it; nothing to score
            at all
    """
    tasks = BENCHMARKS[name]
    report: Report = {
        "scores": {},
        "averages": {},
        "missing": {},
        "not_scored": _strangers(predictions, tasks),
        "unanswered": {},
        "warnings": [],
        "overall": None,
        "groups": {},
    }
    for task, benchmark in tasks.items():
        found: dict[str, dict[str, float]] = {}
        # read only where a prediction is no label of its own language, and then once
        known = cache(partial(_labels_of, labels / task, benchmark))
        pairs = _files(predictions / task, labels / task, benchmark)
        for language, files in pairs.items():
            before = [pairs[other] for other in found]
            found[language], silent, said = _score_file(benchmark, language, files, known, before)
            report["warnings"] += said
            if silent:
                report["unanswered"].setdefault(task, {})[language] = silent

        if missing := [language for language in benchmark.languages if language not in found]:
            report["missing"][task] = missing
        if found:
            report["scores"][task] = found
            report["averages"][task] = _average(benchmark, found)
    if not report["scores"]:
        raise SpecError(
            f"{predictions}: nothing to score; it must hold folders such as xnli/ with files such"
            f" as test-de.tsv (tasks: {', '.join(tasks)}){_seen(report['not_scored'])}"
        )

    # a mean over some of the languages is no score of the task, so it joins no group
    averages = report["averages"].items()
    whole = {task: said["metric"] for task, said in averages if task not in report["missing"]}
    is_first = tasks is XTREME
    report["groups"] = overall(whole, TASK_GROUPS if is_first else XTREME_R_GROUPS)
    of_all = report["groups"].pop("all_task", None)
    report["overall"] = of_all if is_first else None
    return report


def _files(predictions: Path, labels: Path, benchmark: Benchmark) -> dict[str, FilePair]:
    """Language → its two files, of the languages with predictions."""
    found = {}
    for language in benchmark.languages:
        name = benchmark.file(language)
        with disk_errors("read", predictions / name):
            if not (predictions / name).is_file():
                continue
            if not (labels / name).is_file():
                raise SpecError(
                    f"{predictions / name}: there is no labels file {labels / name} to score it"
                    " with; add it or take the predictions away"
                )
        found[language] = FilePair(predictions / name, labels / name)
    return found


def _strangers(predictions: Path, tasks: Mapping[str, Benchmark]) -> dict[str, str]:
    """What a submission folder holds beside the benchmark's files: relative path → why it is not
    scored. Dot files are nobody's."""
    why = {}
    with disk_errors("read", predictions):
        for folder in sorted(predictions.iterdir()):
            if folder.name.startswith("."):
                continue
            benchmark = tasks.get(folder.name)
            if benchmark is None:
                why[folder.name] = _elsewhere(folder.name) or _unlike(folder.name, tasks)
            elif not folder.is_dir():
                why[folder.name] = "not a folder"
            else:
                for path in sorted(folder.iterdir()):
                    if reason := _stranger(path, benchmark):
                        why[f"{folder.name}/{path.name}"] = reason
    return why


def _stranger(path: Path, benchmark: Benchmark) -> str:
    """Why a file is not scored; empty if it is one of the task's, or hidden."""
    known = [benchmark.file(language) for language in benchmark.languages]
    if path.name.startswith(".") or (path.name in known and path.is_file()):
        return ""
    if path.name in known:
        return "not a file"
    if path.suffix in PACKED:
        return "packed; unpack it"
    meant = close(path.name, known) or min(known)
    return f"no language file of {path.parent.name}, such as {meant}"


def _elsewhere(name: str) -> str:
    """Which benchmark has a task; empty if none has it."""
    if name == NO_FILES:
        return "a task of xtreme-r, whose evaluate.py reads no files of it"
    return next((f"a task of {of}" for of, tasks in BENCHMARKS.items() if name in tasks), "")


def _unlike(name: str, known: Iterable[str]) -> str:
    meant = close(name, known)
    return "no task of XTREME" + (f"; did you mean {meant}?" if meant else "")


def _seen(strangers: dict[str, str]) -> str:
    """What is there instead, for a message."""
    first = "; ".join(f"{show(name)}: {why}" for name, why in list(strangers.items())[:3])
    return f"; it holds {first}" if first else "; it is empty"


def _average(benchmark: Benchmark, found: dict[str, dict[str, float]]) -> dict[str, float]:
    layout = layout_of(benchmark.family)
    average = {}
    for name in layout.official:
        by_language = {language: numbers[name] for language, numbers in found.items()}
        average[name] = language_mean(by_language)

    main = layout.task_score(average)
    return average | {"metric": main, "languages": len(found), "of": len(benchmark.languages)}


def _score_file(
    benchmark: Benchmark, language: str, files: FilePair, known: Known, before: list[FilePair]
) -> tuple[dict[str, float], int, list[str]]:
    """The official metrics of one language, how many questions have no answer, and what looks like
    a slip. `before`: the files of the task's languages before it."""
    layout = layout_of(benchmark.family)
    read = layout.read(files, known)
    if not read.golds:
        raise SpecError(f"{files.labels}: nothing to score, the file is empty")
    if layout.numbers:
        numbers = layout.numbers(read.golds, read.guesses)
    else:
        try:
            numbers = METRICS[benchmark.metric](read.golds, read.guesses, language).metrics
        except ValueError as error:  # sentences without a tag
            raise SpecError(f"{files.labels}: {error}") from None
    shown = {name: numbers[name] for name in layout.official}
    found = [*slips.of_bytes(files), *read.slips]
    if min(shown.values()) < 100:  # what is right in all languages is the same in them
        found += slips.like_another(files, before, read.guesses)
    # a score of 0 that nothing explains is a slip that we do not know yet
    if not found and not any(shown.values()):
        found.append(f"{files.predictions}: nothing is right, so the score is 0")
    return shown, sum(guess is None for guess in read.guesses), found


def _labels_of(folder: Path, benchmark: Benchmark) -> set[str]:
    """The labels, or tags, of all languages of a task."""
    paths = [folder / benchmark.file(language) for language in benchmark.languages]
    return set().union(*(read_lines(path) for path in paths if path.is_file()))
