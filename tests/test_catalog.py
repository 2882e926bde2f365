"""Specs as users write them: every built-in one is sound, every mistake is told with its place."""

import re
from pathlib import Path

import pytest
from conftest import marked

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.run.here import catalog_of
from harness.spec.catalog import KINDS, Catalog, builtin_root, read_spec
from harness.spec.describe import described, listing
from harness.spec.suite import BASELINE
from harness.spec.task import Task, split_parts

BUILTIN = [path for kind in KINDS for path in sorted((builtin_root() / f"{kind}s").glob("*.yaml"))]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load([])


# What comes with the harness


def test_every_builtin_spec_loads(catalog):
    assert len(BUILTIN) == sum(len(getattr(catalog, f"{kind}s")) for kind in KINDS) >= 50
    assert catalog.user == set()


@pytest.mark.parametrize("path", BUILTIN, ids=lambda path: path.stem)
def test_a_file_is_called_what_it_defines(path):
    kind, spec, _ = read_spec(path)
    assert (path.parent.name, path.stem) == (f"{kind}s", getattr(spec, kind))


def test_the_nine_tasks_of_xtreme_are_there(catalog):
    languages = {
        "xnli": 15,
        "pawsx": 7,
        "udpos": 33,
        "panx": 40,
        "xquad": 11,
        "mlqa": 7,
        "tydiqa": 9,
    }
    languages |= {"bucc2018": 4, "tatoeba": 36}
    assert {name: len(catalog.task(name).languages) for name in languages} == languages
    assert all("target" in catalog.task(name).role for name in languages)
    spoken = {language for name in languages for language in catalog.task(name).languages}
    assert len(spoken) == 40
    assert set(catalog.task("mlm_wikipedia").train.languages) == spoken


def test_the_nine_intermediates_of_xstilts_are_there(catalog):
    names = [
        "anli_plus",
        "mnli",
        "qqp",
        "squad_v2",
        "squad",
        "hellaswag",
        "ccg",
        "cosmos_qa",
        "commonsense_qa",
    ]
    assert all("intermediate" in catalog.task(name).role for name in names)
    assert catalog.task("anli_plus").train.tasks == ["snli", "mnli", "anli"]
    heads = {
        tuple(catalog.task(name).label_names)
        for name in ("anli_plus", "snli", "mnli", "anli", "mnli_translated", "xnli")
    }
    assert heads == {("contradiction", "entailment", "neutral")}


def test_a_task_has_at_most_fifteen_common_fields():
    assert len(set(Task.model_fields) - {"difficulty"}) <= 15


def test_intermediates_say_their_difficulty_and_where_each_figure_was_read(catalog):
    for task in catalog.tasks.values():
        if "intermediate" not in task.role or not FAMILIES[task.family].difficulty:
            continue
        assert task.difficulty.declared in ("easy", "hard")
        assert len(task.difficulty.why) > 10
        for figure in (task.difficulty.chance, task.difficulty.human):
            assert figure is None or len(figure.source) > 10, task.task
    assert {task.difficulty.declared for task in catalog.tasks.values() if task.difficulty} == {
        "easy",
        "hard",
    }


def test_every_published_task_says_who_made_it(catalog):
    for name, task in catalog.tasks.items():
        if not name.startswith("mini_"):
            assert task.about.citation, task.task
            assert task.about.url, task.task


def test_encoders_say_what_they_have_seen_and_what_they_are(catalog):
    """Weights that come in a package are pinned by their hash, the hub's by what their
    configuration must say."""
    for encoder in catalog.encoders.values():
        assert encoder.sha256 or (encoder.architecture and not encoder.source.package), (
            encoder.encoder
        )
        assert encoder.seen


# the two variations of X-STILTs that leave English
MULTILINGUAL = {"mlm_wikipedia", "mnli_translated"}


def test_suites_train_english_only_and_name_a_baseline(catalog):
    """But for two arms of xstilts-2020, which are not zero-shot and are there to be compared."""
    for suite in map(catalog.suite, catalog.suites):
        assert [arm.name for arm in suite.arms if arm.is_baseline] == [BASELINE]
        intermediates = {
            name for arm in suite.arms if arm.intermediate for name in arm.intermediate.tasks
        }
        assert suite.suite == "xstilts-2020" or not intermediates & MULTILINGUAL
        for name in intermediates - MULTILINGUAL | set(suite.targets):
            for phase in ("train", "dev"):
                rows = getattr(suite.cuts.get(name), phase, None) or getattr(
                    catalog.task(name), phase
                )
                assert rows is None or (rows.language in (None, "en") and not rows.languages), (
                    suite.suite,
                    name,
                )


def test_cut_train_and_dev_rows_share_none(catalog):
    """Of splits that a suite cuts in two: what selects the weights has not trained them."""
    for suite in map(catalog.suite, catalog.suites):
        for name, cut in suite.cuts.items():
            task = catalog.task(name)
            if not (cut.train and cut.dev and cut.train.split and cut.dev.split):
                continue
            taken = {phase: rows_of(getattr(cut, phase).split) for phase in ("train", "dev")}
            assert not taken["train"] & taken["dev"], (suite.suite, name)
            test = cut.test or task.test
            if test and test.split and "en" in task.languages:
                assert not rows_of(test.split) & (taken["train"] | taken["dev"]), (
                    suite.suite,
                    name,
                )


def rows_of(expression: str) -> set[tuple[str, int]]:
    return {
        (part.name, row) for part in split_parts(expression) for row in range(*part.bounds(1000))
    }


def test_list_and_show_know_everything(catalog):
    assert len(listing("all", catalog)) == len(BUILTIN)
    for row in listing("all", catalog):
        shown = described(row["name"], catalog)
        assert Path(shown["file"]).is_file()
        assert shown[row["kind"]] == row["name"]
    assert described("xquad", catalog)["options"]["doc_stride"] == 128
    with pytest.raises(SpecError, match=r"did you mean 'xquad'"):
        described("xqaud", catalog)
    with pytest.raises(SpecError, match="cannot list 'task-s'"):
        listing("task-s", catalog)


# Mistakes. In each text the mark ‸ shows where the message must point.


TASK = """\
task: mine
version: 1
role: [target]
family: classification
languages: [en, de]
source: {files: "rows.{language}.{split}.jsonl"}
train: {split: train, language: en}
dev: {split: dev, language: en}
test: {split: test}
columns: {text: text, label: label}
labels: [no, yes]
metric: accuracy
about: {title: a task of my own}
"""
SUITE = """\
suite: ours
version: 1
about: a suite
encoders: [all-MiniLM-L6-v2]
arms: [none, squad]
targets: [xnli]
seeds: [1]
recipes: {intermediate: {learning_rate: 1e-5}, target: {learning_rate: 1e-5}}
"""
ENCODER = """\
encoder: small
version: 1
source: {hub: me/small}
pretrained_on: english
seen: []
"""

TASK_MISTAKES = {
    "unknown key": (
        "version: 1",
        "version: 1\n‸langauges: [en]",
        "unknown key 'langauges'; did you mean 'languages'?",
    ),
    "wrong type": ("version: 1", "version: ‸one", "expected a whole number, got 'one'"),
    "text for a number": ("version: 1", "version: ‸'1'", "remove the quotes"),
    "zero version": ("version: 1", "version: ‸0", "a number above 0"),
    "unknown family": (
        "family: classification",
        "family: ‸clasification",
        "did you mean 'classification'?",
    ),
    "unknown role": ("role: [target]", "role: [‸targets]", "did you mean 'target'?"),
    "no role": ("role: [target]", "role: ‸[]", "1 or more entries"),
    "bad language": ("[en, de]", "[en, ‸xx]", "'xx' is no language code"),
    "no language": ("languages: [en, de]", "languages: ‸[]", "1 or more entries"),
    "language twice": ("[en, de]", "‸[en, en]", "one is listed twice"),
    "no as a language": ("[en, de]", "[en, ‸false]", "expected text, got false"),
    "no title": ("{title: a task of my own}", "‸{}", "missing key 'title'"),
    "missing key": ("metric: accuracy\n", "", "missing key 'metric'"),
    "missing column": (
        "columns: {text: text, label: label}",
        "columns: ‸{text: text}",
        "classification needs label too",
    ),
    "unknown column": (
        "columns: {text: text, label: label}",
        "columns: ‸{text: text, label: label, tokens: tokens}",
        "classification does not use tokens",
    ),
    "no labels": (
        "labels: [no, yes]\n",
        "",
        "classification needs labels",
        ("family: c", "family: ‸c"),
    ),
    "wrong metric": (
        "metric: accuracy",
        "metric: ‸span_f1",
        "'span_f1' does not score classification; one of accuracy",
    ),
    "bad split": ("{split: test}", "‸{split: 'test[80%]'}", "'test[80%]' is no split"),
    "split and task": ("{split: test}", "‸{split: test, task: xnli}", "give one of `task:`"),
    "no rows at all": ("{split: test}", "‸{language: en}", "give one of `task:`"),
    "target without test": (
        "test: {split: test}\n",
        "",
        "a target needs test rows",
        ("role: [", "role: ‸["),
    ),
    "no dev": (
        "dev: {split: dev, language: en}\n",
        "",
        "it needs train and dev rows",
        ("family: c", "family: ‸c"),
    ),
    "two sources": (
        '{files: "rows',
        '‸{hub: a/b, config: c, files: "rows',
        "exactly one of hub and files; this one has both",
    ),
    "hub without config": (
        '{files: "rows.{language}.{split}.jsonl"}',
        "‸{hub: a/b}",
        "a hub source needs a config",
    ),
    "unknown suffix": ('"rows.{language}.{split}.jsonl"', '‸"rows.xml"', "files end in .parquet"),
    "unknown option": (
        "metric: accuracy",
        "metric: accuracy\noptions: {‸stride: 3}",
        "unknown key 'stride'",
    ),
    "intermediate without difficulty": (
        "role: [target]",
        "role: ‸[target, intermediate]",
        "says its difficulty",
    ),
    "anchor": ("[en, de]", "‸&all [en, de]", "anchor '&all' is not allowed"),
    "alias": ("version: 1", "version: 1\nabout: ‸*all", "alias '*all' is not allowed"),
    "tag": ("version: 1", "version: ‸!!python/object/apply:os.system [ls]", "is not allowed"),
    "key twice": (
        "version: 1",
        "version: 1\n‸version: 2",
        "is here a second time, the first is at line 2, column 1",
    ),
    "tab": ("role: [target]", "role:‸\t[target]", "a tab is not allowed"),
    "unknown task": (
        "{split: train, language: en}",
        "{task: ‸mnlii}",
        "no task is called 'mnlii'; did you mean 'mnli'?",
    ),
    "wrong family": (
        "{split: train, language: en}",
        "{task: ‸squad}",
        "another family or other labels than mine",
    ),
    "wrong labels": (
        "{split: train, language: en}",
        "{task: ‸mnli}",
        "another family or other labels than mine",
    ),
    "phase that is not there": (
        "labels: [no, yes]",
        'labels: ["0", "1"]',
        "task qqp has no test rows",
        ("{split: test}", "{task: ‸qqp}"),
    ),
    "chain": (
        "labels: [no, yes]",
        "labels: [contradiction, entailment, neutral]",
        "xnli takes its own train rows from other tasks; name those",
        ("{split: train, language: en}", "{task: ‸xnli}"),
    ),
}
TASK_MISTAKES |= {
    "one of several tasks unknown": (
        "labels: [no, yes]",
        "labels: [contradiction, entailment, neutral]",
        "no task is called 'snlii'; did you mean 'snli'?",
        ("{split: train, language: en}", "{tasks: ‸[mnli, snlii]}"),
    ),
    "several tasks, one of other labels": (
        "{split: train, language: en}",
        "{tasks: ‸[qqp]}",
        "qqp has another family or other labels than mine",
    ),
    "two ways to say the language": (
        "{split: train, language: en}",
        "‸{split: train, language: en, languages: [en, de]}",
        "give `language:` or `languages:`, not both",
    ),
    "first of no files": ('{files: "rows', '{first_files: ‸0, files: "rows', "a number above 0"),
}
SUITE_MISTAKES = {
    "unknown encoder": (
        "[all-MiniLM-L6-v2]",
        "[‸all-MiniLM-L6]",
        "no encoder is called 'all-MiniLM-L6'",
    ),
    "unknown arm": ("[none, squad]", "[none, ‸squat]", "no task is called 'squat'"),
    "unknown arm, long": (
        "[none, squad]",
        "[none, ‸{intermediate: squat, name: x}]",
        "no task is called 'squat'",
    ),
    "no baseline": ("[none, squad]", "‸[squad]", "the baseline is missing; add `none`"),
    "condition called as another task": (
        "[none, squad]",
        "[none, ‸{name: mnli, intermediate: squad}]",
        "the name mnli is that of a task which it does not train on",
    ),
    "baseline twice": (
        "[none, squad]",
        "‸[none, {name: base, intermediate: none}]",
        "the baseline is there twice; keep one",
    ),
    "average of one twice": (
        "seeds: [1]",
        "seeds: [1]\naverage_over: ‸[xnli, xnli]",
        "average_over: one is listed twice",
    ),
    "cut to one language twice": (
        "seeds: [1]",
        "seeds: [1]\ncuts: {xnli: {why: w, languages: ‸[de, de]}}",
        "one is listed twice",
    ),
    "cut to no language": (
        "seeds: [1]",
        "seeds: [1]\ncuts: {xnli: {why: w, languages: ‸[]}}",
        "1 or more entries",
    ),
    "a length that special tokens fill": (
        "seeds: [1]",
        "seeds: [1]\nsettings: {xnli: {max_length: ‸1}}",
        "expected 32 or more, got 1",
    ),
    "a headroom in percent": (
        "seeds: [1]",
        "seeds: [1]\nsplit_rule: {by: threshold, value: ‸50}",
        "expected 1.0 or less, got 50",
    ),
    "arm twice": ("[none, squad]", "‸[none, squad, squad]", "two have one name"),
    "arm that is no intermediate": (
        "[none, squad]",
        "[none, ‸xquad]",
        "task xquad is no intermediate (its role is target)",
    ),
    "unknown target": ("[xnli]", "[‸xnl]", "no task is called 'xnl'; did you mean 'xnli'?"),
    "target that is none": ("[xnli]", "[xnli, ‸mnli]", "task mnli is no target"),
    "seed twice": ("seeds: [1]", "seeds: ‸[1, 1]", "one is listed twice"),
    "negative seed": ("seeds: [1]", "seeds: [‸-1]", "0 or more"),
    "rate as text": (
        "{learning_rate: 1e-5}, target",
        "{learning_rate: ‸fast}, target",
        "expected a number, got 'fast'",
    ),
    "rate of zero": (
        "{learning_rate: 1e-5}, target",
        "{learning_rate: ‸0}, target",
        "a number above 0",
    ),
    "unknown recipe field": (
        "{learning_rate: 1e-5}, target",
        "{learning_rate: 1e-5, ‸epoch: 1}, target",
        "did you mean 'epochs'?",
    ),
    "warm-up above one": (
        "{learning_rate: 1e-5}, target",
        "{learning_rate: 1e-5, warmup: ‸2}, target",
        "1.0 or less",
    ),
    "recipe of an unknown task": (
        "target: {learning_rate: 1e-5}}",
        "target: {learning_rate: 1e-5}, tasks: {squat: ‸{epochs: 1}}}",
        "no task is called 'squat'",
    ),
    "cut of an unknown task": (
        "seeds: [1]",
        "seeds: [1]\ncuts: {xnl: ‸{why: w, test: {split: test}}}",
        "no task is called 'xnl'",
    ),
    "cut of an unknown language": (
        "seeds: [1]",
        "seeds: [1]\ncuts: {xnli: {why: w, languages: [en, ‸ja]}}",
        "xnli has no 'ja'",
    ),
    "cut without a reason": (
        "seeds: [1]",
        "seeds: [1]\ncuts: {xnli: ‸{languages: [en]}}",
        "missing key 'why'",
    ),
    "caps of an unknown task": (
        "seeds: [1]",
        "seeds: [1]\ntask_caps: {xnl: ‸{test: 5}}",
        "no task is called 'xnl'",
    ),
    "cap of zero": ("seeds: [1]", "seeds: [1]\ncaps: {test: ‸0}", "a number above 0"),
    "unknown waiver": ("seeds: [1]", "seeds: [1]\nwaives: [‸leaks]", "did you mean 'leak'?"),
}
RECIPES = "recipes: {intermediate: {learning_rate: 1e-5}, target: {learning_rate: 1e-5}}\n"
SUITE_MISTAKES |= {
    "unknown protocol": (
        RECIPES,
        "protocol: ‸xtrem\n",
        "no protocol is called 'xtrem'; did you mean 'xtreme'?",
    ),
    "neither protocol nor recipes": (
        RECIPES,
        "",
        "give either `protocol:`",
        ("suite: ours", "‸suite: ours"),
    ),
    "setting of an unknown task": (
        "seeds: [1]",
        "seeds: [1]\nsettings: {xnl: ‸{max_length: 64}}",
        "no task is called 'xnl'",
    ),
    "setting of an option that is none": (
        "seeds: [1]",
        "seeds: [1]\nsettings: {xnli: {options: {‸haed: plain}}}",
        "did you mean 'head'?",
    ),
    "mixture with an unknown task": (
        "[none, squad]",
        "[none, ‸{name: both, intermediate: [mnli, squat]}]",
        "no task is called 'squat'",
    ),
    "weights of tasks that are not mixed": (
        "[none, squad]",
        (
            "[none, {name: both, intermediate: {tasks: [mnli, squad], sampler: ‸{by: weights,"
            " weights: {mnli: 1.0}}}}]"
        ),
        "weights name each of the tasks",
    ),
}
ENCODER_MISTAKES = {
    "nowhere to look": (
        "{hub: me/small}",
        "‸{revision: abc}",
        "name a hub id, a path, a package, or a hint",
    ),
    "package without folder": (
        "{hub: me/small}",
        "‸{package: small}",
        "package and folder go together",
    ),
    "short hash": ("seen: []", "seen: []\nsha256: ‸abc", "text that matches"),
    "unknown pooling": ("seen: []", "seen: []\npooling: ‸max", "one of mean, cls"),
    "unknown language kind": ("english", "‸englisch", "did you mean 'english'?"),
}
MISTAKES = [
    pytest.param(base, *mistake, id=f"{kind}, {name}")
    for kind, base, mistakes in (
        ("task", TASK, TASK_MISTAKES),
        ("suite", SUITE, SUITE_MISTAKES),
        ("encoder", ENCODER, ENCODER_MISTAKES),
    )
    for name, mistake in mistakes.items()
]


def changed(base: str, *changes: tuple[str, str]) -> tuple[str, tuple[int, int]]:
    """The text with its changes, and where ‸ stood in it."""
    for old, new in changes:
        assert base.count(old) == 1, old
        base = base.replace(old, new)
    return marked(base)


@pytest.mark.parametrize(
    ("base", "old", "new", "says", "also"),
    [pytest.param(*p.values, *[None] * (5 - len(p.values)), id=p.id) for p in MISTAKES],
)
def test_each_mistake_is_told_with_its_place(tmp_path, base, old, new, says, also):
    text, (line, column) = changed(base, *filter(None, [(old, new), also]))
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        Catalog.load([path])
    found = str(caught.value).splitlines()
    assert [
        told for told in found if told.startswith(f"{path}:{line}:{column}: ") and says in told
    ], found
    assert all(re.match(r".+:\d+:\d+: ", told) for told in found)
    assert len(found) == 1 or "key twice" in str(caught.value), found


def test_the_texts_without_mistakes_are_sound(tmp_path):
    for name, text in (("task", TASK), ("suite", SUITE), ("encoder", ENCODER)):
        (tmp_path / f"{name}.yml").write_text(text)
    catalog = Catalog.load([tmp_path])
    assert catalog.user == {("task", "mine"), ("suite", "ours"), ("encoder", "small")}
    assert {row["name"] for row in listing("all", catalog) if row["from"] == "yours"} == {
        "mine",
        "ours",
        "small",
    }


def test_a_name_defined_twice_names_both_places(tmp_path):
    (tmp_path / "a.yaml").write_text(TASK)
    (tmp_path / "b.yaml").write_text("# mine\n" + TASK)
    with pytest.raises(SpecError) as caught:
        Catalog.load([tmp_path])
    said = (
        f"{tmp_path / 'b.yaml'}:2:7: task 'mine' is defined twice; the other one is at"
        f" {tmp_path / 'a.yaml'}:1:7"
    )
    assert str(caught.value) == said


def test_a_builtin_name_cannot_be_taken(tmp_path):
    (tmp_path / "mine.yaml").write_text(TASK.replace("task: mine", "task: xnli"))
    with pytest.raises(
        SpecError, match=r"task 'xnli' is defined twice; the other one is at .*xnli\.yaml:"
    ):
        Catalog.load([tmp_path])


def test_all_broken_files_are_told_at_once(tmp_path):
    (tmp_path / "a.yaml").write_text("task: [")
    (tmp_path / "b.yaml").write_text("tusk: x\n")
    (tmp_path / "c.yaml").write_text(TASK.replace("version: 1", "version: x"))
    with pytest.raises(SpecError) as caught:
        Catalog.load([tmp_path, tmp_path / "none.yaml"])
    lines = str(caught.value).splitlines()
    assert [Path(line.split(":")[0]).name for line in lines] == [
        "a.yaml",
        "b.yaml",
        "c.yaml",
        "none.yaml",
    ]
    assert (
        "b.yaml:1:1: the file names no task, encoder, suite or protocol; did you mean 'task'?"
        in lines[1]
    )
    assert lines[3].endswith("none.yaml:1:1: no such file or folder")


def test_a_folder_that_is_named_has_specs(tmp_path, monkeypatch):
    """./tasks may be empty, which nobody names; .YAML is YAML, as some systems write it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    assert not catalog_of(None).user
    (tmp_path / "mine" / "below").mkdir(parents=True)
    (tmp_path / "mine" / "below" / "t.yaml").write_text(TASK)
    with pytest.raises(SpecError, match="mine: no YAML file is in it"):
        catalog_of([Path("mine")])
    (tmp_path / "mine" / "T.YAML").write_text(TASK)
    assert len(catalog_of([Path("mine")]).user) == 1


def test_an_alias_bomb_is_refused_before_it_grows(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(SpecError, match=r"bomb\.yaml:1:5: anchor '&a0' is not allowed"):
        Catalog.load([tmp_path])


def test_the_users_folder_may_be_the_builtin_one():
    assert Catalog.load([builtin_root() / "tasks"]).user == set()


@pytest.mark.parametrize("kind", ["task", "encoder", "suite"])
def test_unknown_names_suggest_the_nearest(catalog, kind):
    known = next(iter(getattr(catalog, f"{kind}s")))
    with pytest.raises(SpecError, match=f"no {kind} is called '{known}x'; did you mean '{known}'"):
        getattr(catalog, kind)(known + "x")


def test_every_metric_scores_some_family():
    from harness.metrics import METRICS, scoring

    named = {metric for family in FAMILIES.values() for metric in scoring(family.answers)}
    assert named == set(METRICS)


def test_a_sound_spec_can_be_shown_beside_a_broken_one(tmp_path):
    (tmp_path / "a.yaml").write_text("task: [")
    (tmp_path / "c.yaml").write_text(TASK)
    name = TASK.split("task: ")[1].split()[0]
    catalog = Catalog.load([tmp_path], all_sound=False)
    (broken,) = catalog.broken
    assert catalog.task(name).task == name
    assert "a.yaml:" in broken
    with pytest.raises(SpecError, match=r"a\.yaml:\d"):
        described("elsewhere", catalog)
    with pytest.raises(SpecError, match=r"none\.yaml:1:1: no such file"):
        Catalog.load([tmp_path, tmp_path / "none.yaml"], all_sound=False)
