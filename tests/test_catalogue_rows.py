"""Every task of the catalogue reads its rows, and every protocol and suite comes out as the paper
or the script has it.

Two roots: `hub` holds made-up rows in the hub's exact schema (hub_fixtures.py), for every split of
every task; the mirror holds real rows of most targets, and its tests skip where it is not.
"""

import json
from pathlib import Path

import pytest
from conftest import MIRROR, needs_shared
from hub_fixtures import PANX, XNLI, write_hub

from harness.common.errors import MissingError, SpecError
from harness.families import FAMILIES
from harness.plan.estimate import Sizes
from harness.plan.graph import Plan
from harness.plan.planner import make_plan
from harness.sources import rows as data_rows
from harness.sources.hub import Where
from harness.sources.inspect import check_data
from harness.sources.locate import Locator
from harness.spec.catalog import Catalog
from harness.spec.languages import language_facts
from harness.spec.suite import Suite
from harness.store import HashIndex

CATALOG = Catalog.load([])
REAL = [name for name in CATALOG.tasks if not name.startswith("mini_")]
PHASES = ("train", "dev", "test")
SPLITS = [(name, phase) for name in REAL for phase in PHASES if getattr(CATALOG.task(name), phase)]
NINE = ["xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    """A --data-root with made-up rows for every split of every task."""
    return write_hub(tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> HashIndex:
    return HashIndex(tmp_path_factory.mktemp("index") / "hashes.json")


def load(
    root: Path,
    index: HashIndex,
    task: str,
    phase: str,
    language: str | None = None,
    languages=(),
    suite=None,
) -> list[dict]:
    """The rows as a job reads them: located, written to the job's JSON, read back, loaded."""
    locator = Locator(CATALOG, Where(data_root=root, offline=True), index, suite)
    dataset = locator.rows(CATALOG.task(task), phase, language, languages)
    assert dataset.missing is None, dataset.missing
    return data_rows.load(json.loads(json.dumps(dataset.to_json())))


def spoken(task: str, phase: str) -> list[str | None]:
    """Languages in which a split is read one by one; None: as the spec says."""
    each = phase == "test" or (phase == "dev" and FAMILIES[CATALOG.task(task).family].tuned)
    return list(CATALOG.task(task).languages) if each else [None]


def under(protocol: str, arms: list = [], targets: list[str] = NINE) -> Suite:  # noqa: B006, never changed
    """A suite of one encoder under a protocol."""
    given = {
        "suite": "ours",
        "version": 1,
        "about": "a suite",
        "encoders": ["all-MiniLM-L6-v2"],
        "seeds": [1],
    }
    suite = Suite.model_validate(
        {**given, "arms": ["none", *arms], "targets": targets, "protocol": protocol}
    )
    return suite.under(
        CATALOG.protocols[protocol], {task.task: task.family for task in CATALOG.tasks.values()}
    )


def check_shape(task: str, rows: list[dict]) -> None:
    """That each row has its family's shape, that labels are the head's, and that ids are unique."""
    spec = CATALOG.task(task)
    labels = set(spec.label_names)
    assert len({(row.get("side"), row["id"]) for row in rows}) == len(rows) > 0
    for row in rows:
        match spec.family:
            case "classification":
                assert row["text"].strip()
                assert row["label"] in labels
                assert "text_pair" not in spec.columns or row["text_pair"].strip()
            case "multiple_choice":
                assert set(row) == {"id", "text", "choices", "label"}
                assert len(row["choices"]) == len(labels)
                assert all(isinstance(choice, str) and choice for choice in row["choices"])
                assert row["label"] in labels
            case "tagging":
                assert len(row["tokens"]) == len(row["tags"]) > 0
                assert not labels or set(row["tags"]) <= labels
            case "span_qa":
                texts, starts = row["answers"]["text"], row["answers"]["answer_start"]
                assert len(texts) == len(starts)
                assert row["question"].strip()
            case "retrieval":
                assert row["source"].strip()
                assert row["target"].strip()
            case "bitext_mining":
                assert row["side"] in ("source", "target")
                assert row["text"].strip()
            case "answer_retrieval" | "entity_linking":
                assert row["text"].strip()
                assert len(row["relevant"]) == len(set(row["relevant"])) > 0
            case "mlm":
                assert set(row) == {"id", "text"}


# Made-up rows in the hub's schema


@pytest.mark.parametrize(("task", "phase"), SPLITS, ids=lambda value: value)
def test_every_split_of_every_task_loads(hub, index, task, phase):
    for language in spoken(task, phase):
        check_shape(task, load(hub, index, task, phase, language))


def test_validate_data_finds_nothing_wrong(hub):
    lines = list(check_data(CATALOG, sorted(CATALOG.tasks), Where(data_root=hub, offline=True)))
    assert [line.text for line in lines if line.exit_code] == []
    assert len(lines) >= len(SPLITS)


def test_without_their_files_every_real_task_says_how_to_get_them(tmp_path, index):
    locator = Locator(CATALOG, Where(data_root=tmp_path, offline=True), index)
    for name, phase in SPLITS:
        missing = locator.rows(CATALOG.task(name), phase, spoken(name, phase)[0]).missing
        assert missing is not None, name
        assert ("hf download" in missing) != (CATALOG.task(name).source.files is not None), missing
    assert (
        "google-research-datasets/lareqa"
        in locator.rows(CATALOG.task("lareqa"), "test", "de").missing
    )
    assert "comparable.limsi.fr" in locator.rows(CATALOG.task("bucc2018"), "test", "de").missing
    with pytest.raises(MissingError, match="LDC2005T13"):
        locator.labels(CATALOG.task("ccg"))


@pytest.mark.parametrize("task", ["mnli", "snli", "anli", "mnli_translated", "qqp"])
def test_the_hubs_numbers_become_the_right_names(hub, index, task):
    """The card: 0 entailment, 1 neutral, 2 contradiction; QQP's 1 is duplicate."""
    rows = load(hub, index, task, "train")
    if task == "qqp":
        assert [row["label"] for row in rows] == ["1", "0"]
        return
    meant = {
        "A bird is in the water.": "entailment",
        "It is hungry.": "neutral",
        "The pond is empty.": "contradiction",
    }
    assert {row["text_pair"]: row["label"] for row in rows} == meant
    assert CATALOG.task(task).label_names == ["contradiction", "entailment", "neutral"]


@pytest.mark.parametrize(
    ("task", "names"),
    [("cola", ["acceptable", "unacceptable"]), ("sst2", ["positive", "negative"])],
)
def test_single_sentences_of_glue(hub, index, task, names):
    """The cards: 1 is acceptable, 1 is positive."""
    for split in ("train", "dev"):
        assert [row["label"] for row in load(hub, index, task, split)] == names


def test_mnli_selects_on_its_matched_dev_set(hub, index):
    assert {row["text"].split(":")[0] for row in load(hub, index, "mnli", "dev")} == {
        "mnli validation_matched"
    }


@pytest.mark.parametrize("phase", ["train", "dev"])
def test_snli_pairs_without_a_label_are_left_out(hub, index, phase):
    rows = load(hub, index, "snli", phase)
    assert len(rows) == 3
    assert "A dog." not in {row["text"] for row in rows}


@pytest.mark.parametrize(("phase", "of_anli"), [("train", 9), ("dev", 9)])
def test_anli_plus_is_three_sets_under_one_head(hub, index, phase, of_anli):
    rows = load(hub, index, "anli_plus", phase)
    assert [sum(row["id"].startswith(f"{i}:") for row in rows) for i in range(3)] == [3, 3, of_anli]
    assert {row["text"].split()[0] for row in rows} == {"snli", "mnli", "anli"}
    assert {row["label"] for row in rows} == set(CATALOG.task("anli_plus").label_names)


def test_translated_mnli_is_fourteen_languages_or_those_an_arm_names(hub, index):
    rows = load(hub, index, "mnli_translated", "train")
    assert {row["text"].split()[0] for row in rows} == set(XNLI) - {"en"}
    assert len(rows) == 3 * 14
    some = load(hub, index, "mnli_translated", "train", languages=("de", "sw"))
    assert [row["id"] for row in some] == ["0:0", "0:1", "0:2", "1:0", "1:1", "1:2"]
    assert {row["text"].split()[0] for row in some} == {"de", "sw"}
    assert {row["text"].split()[0] for row in load(hub, index, "mnli_translated", "dev")} == {
        "mnli"
    }


def test_hellaswag_joins_the_start_of_an_ending_and_the_ending(hub, index):
    first, second = load(hub, index, "hellaswag", "dev")
    assert first["text"] == "A boat comes."
    assert first["choices"] == [
        "the crew waves.",
        "the crew melts.",
        "the crew is a tuba.",
        "the crew reads rain.",
    ]
    assert first["label"] == "0"
    assert second["choices"] == ["waves.", "melts.", "is a tuba.", "reads rain."]
    assert second["label"] == "3"


def test_cosmos_qa_joins_context_and_question(hub, index):
    row = load(hub, index, "cosmos_qa", "train")[0]
    assert row["id"] == "c##1"
    assert row["text"] == "I missed the ferry. Why run ?"
    assert row["choices"][int(row["label"])] == "I was late ."


def test_commonsense_qa_reads_the_texts_of_its_choices(hub, index):
    first, second = load(hub, index, "commonsense_qa", "dev")
    assert first["choices"] == ["harbour", "oven", "drawer", "cloud", "shoe"]
    assert (first["label"], second["label"]) == ("A", "B")
    assert CATALOG.task("commonsense_qa").label_names == ["A", "B", "C", "D", "E"]


def test_ccg_has_the_classes_of_its_label_file_in_their_order(hub, index, tmp_path):
    locator = Locator(CATALOG, Where(data_root=hub, offline=True), index)
    assert locator.labels(CATALOG.task("ccg")) == [".", "N", "S[dcl]\\NP", "NP/N"]
    rows = load(hub, index, "ccg", "train")
    assert [row["tokens"] for row in rows] == [["Herons", "fish", "."], ["Yes"]]
    assert rows[0]["tags"] == ["N", "S[dcl]\\NP", "."]
    (tmp_path / "ccg").mkdir()
    (tmp_path / "ccg" / "train.conll").write_text("odd\tPP\n")
    (tmp_path / "ccg" / "tags_to_id.json").write_text('{"N": 0}')
    with pytest.raises(SpecError, match="row 0 has label 'PP'"):
        load(tmp_path, index, "ccg", "train")


def test_wikipedia_takes_the_first_file_and_keeps_dev_apart_from_train(hub, index):
    train, dev = (
        load(hub, index, "mlm_wikipedia", "train"),
        load(hub, index, "mlm_wikipedia", "dev"),
    )
    assert {row["text"].split()[0] for row in train} == set(PANX)
    assert len(train) == 3 * 40  # the 503 articles of the first file but for the 500 of dev
    assert len(dev) == 500
    assert all(row["id"].startswith("0") and row["text"].startswith("en page") for row in dev)
    assert not {row["text"] for row in train} & {row["text"] for row in dev}


def test_dream_joins_the_turns_and_knows_the_right_choice_by_its_text(hub, index):
    row = load(hub, index, "dream", "train")[0]
    assert row["text"] == "M: Is the train ferry late? W: It is not. Is it?"
    assert row["choices"][["A", "B", "C"].index(row["label"])] == "No."


@pytest.mark.parametrize(("task", "language"), [("copa", None), ("xcopa", "sw")])
def test_copa_asks_for_the_cause_or_the_effect_as_xtreme_r_does(hub, index, task, language):
    first, second = load(hub, index, task, "test" if language else "train", language)
    rain = f"{language} rain." if language else "It rained."
    assert first["text"] == f"{rain} What was the effect?"
    assert second["text"].endswith("What was the cause?")
    assert [first["label"], second["label"]] == ["0", "1"]


def test_xcopa_may_be_trained_on_questions_with_more_choices(hub, index):
    """A head scores each choice alone; one of labels could not serve both."""
    suite = CATALOG.suite("xcopa-small")
    plan = plan_of(hub, index, suite)
    assert {job.name for job in plan.jobs.values() if "target" in job.name} >= {
        "train all-MiniLM-L6-v2 target commonsense_qa seed 1",
        "train all-MiniLM-L6-v2 target commonsense_qa seed 1 after dream",
    }
    evaluated = [job.body["spec"]["task"] for job in plan.jobs.values() if job.kind == "evaluate"]
    assert [task["labels"] for task in evaluated] == [["0", "1"]] * len(evaluated)


def test_a_pool_is_counted_once_whatever_languages_are_tested(hub, index):
    sizes = Sizes()
    locator = Locator(CATALOG, Where(data_root=hub, offline=True), index)
    german, thai = (
        locator.rows(CATALOG.task("lareqa"), "test", language).to_json()
        for language in ("de", "th")
    )
    short, long = (sizes.of_pool(german, what, 256).tokens for what in ("text", "text_and_context"))
    assert short < long == sizes.of_pool(thai, "text_and_context", 256).tokens
    assert sizes.of_pool(german, "text_and_context", 32).tokens <= 22 * 32


def test_sib200_names_every_language_and_its_script():
    facts = {code: language_facts(code) for code in CATALOG.task("sib200").languages}
    assert len(facts) == 205
    assert not [code for code, of in facts.items() if "unknown" in of.values()]
    assert facts["ace-Arab"] == {
        "name": "Acehnese, Arabic",
        "family": "Austronesian",
        "script": "Arabic",
    }
    assert facts["zh-Hant"]["name"] == "Chinese, traditional Han"
    assert set(CATALOG.task("panx").languages) < set(facts)  # XTREME's 40


@pytest.mark.parametrize(
    ("task", "group"), [("sib200", "sentence"), ("xnli", "pair"), ("lareqa", "retrieval")]
)
def test_a_target_stands_in_the_group_of_its_columns(task, group):
    spec = CATALOG.task(task)
    assert FAMILIES[spec.family].group_of(spec.columns) == group


def test_social_iqa_numbers_its_answers_from_one(hub, index):
    row = load(hub, index, "siqa", "dev")[0]
    assert (row["text"], row["label"]) == ("Ida ran validation. Why did Ida do this?", "A")
    assert row["choices"] == ["for fun", "a ferry", "tea"]


def test_a_question_is_answered_in_every_language_of_the_pool(hub, index):
    rows = load(hub, index, "lareqa", "test", "de")
    languages = CATALOG.task("lareqa").languages
    assert [row["relevant"] for row in rows] == [
        [f"{language}_1_{place}" for language in languages] for place in (0, 1)
    ]


def test_a_mention_stands_before_its_sentence_and_in_braces(hub, index):
    (row,) = load(hub, index, "mewslix", "test", "de")
    assert row["text"] == "Ulm: In de we saw { Ulm } ."
    assert row["relevant"] == ["Q3012"]


@pytest.mark.parametrize("language", ["de", "fr", "ru", "zh"])
def test_bucc_has_two_heaps_and_the_pairs_between_them(hub, index, language):
    for phase, split in (("dev", "sample"), ("test", "training")):
        rows = load(hub, index, "bucc2018", phase, language)
        assert [row["side"] for row in rows] == ["source"] * 4 + ["target"] * 3
        assert {row["text"].split()[0] for row in rows} == {split}
        pairs = {row["id"]: row["pairs"] for row in rows if row["pairs"]}
        assert pairs == {
            f"{language}-000000001": ["en-000000002"],
            f"{language}-000000003": ["en-000000000"],
        }


def test_pawsx_rows_have_one_number_in_every_language_but_for_a_copy_that_nobody_can_align(
    hub, index
):
    ids = {
        language: [row["id"] for row in load(hub, index, "pawsx", "test", language)]
        for language in CATALOG.task("pawsx").languages
    }
    assert ids["de"] == ids["zh"] == [str(i) for i in range(2000)]
    for language, lost in {"en": 6, "es": 6, "fr": 4, "ja": 3}.items():
        assert len(ids[language]) == 2000 - lost
        assert set(ids[language]) < set(ids["de"])
        assert ids[language][-1] == "1999"
    assert not set(ids["ko"]) & set(ids["de"])


def test_tydiqa_trains_on_english_only_and_is_selected_on_squad(hub, index):
    """jiant 2.2 trains on all nine languages, which is not zero-shot."""
    assert {row["id"].split("-")[0] for row in load(hub, index, "tydiqa", "train")} == {"english"}
    assert {row["id"] for row in load(hub, index, "tydiqa", "dev")} == {
        "validation-1",
        "validation-2",
    }
    assert {row["id"].split("-")[0] for row in load(hub, index, "tydiqa", "test", "sw")} == {
        "swahili"
    }


def test_targets_that_train_on_another_tasks_rows(hub, index):
    assert load(hub, index, "xnli", "train") == load(hub, index, "mnli", "train")
    assert (
        load(hub, index, "xquad", "train")
        == load(hub, index, "mlqa", "train")
        == load(hub, index, "squad", "train")
    )


# Real rows, as far as the mirror has them: (task, split expression's phase, rows in all languages
# together)


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize(
    ("task", "phase", "languages", "rows"),
    [
        ("xnli", "test", 15, 75150),
        ("xnli", "dev", None, 2490),
        ("pawsx", "test", 7, 13978),
        ("pawsx", "dev", None, 2000),
        ("udpos", "test", 33, 72318),
        ("udpos", "train", None, 21253),
        ("panx", "train", None, 20000),
        ("panx", "dev", None, 10000),
        ("xquad", "test", 11, 13090),
        ("tydiqa", "test", 9, 5077),
        ("tydiqa", "train", None, 3648),
        ("tatoeba", "test", 36, 31692),
        ("tatoeba_mteb", "test", 36, 31692),
        ("squad", "train", None, 3545),
        ("squad", "dev", None, 1108),
        ("squad_v2", "train", None, 916),
        ("squad_v2", "dev", None, 208),
        ("anli", "dev", None, 3198),
        ("cosmos_qa", "dev", None, 2985),
        ("commonsense_qa", "dev", None, 1221),
        ("sst2", "train", None, 67349),
        ("cola", "dev", None, 1043),
        ("rte", "train", None, 2490),
        ("snli", "dev", None, 9842),
        ("dream", "train", None, 6116),
        ("sib200", "test", 205, 41820),
        ("xcopa", "test", 11, 5500),
        ("lareqa", "test", 11, 13090),
    ],
)
def test_real_rows(index, task, phase, languages, rows):
    found = [load(MIRROR, index, task, phase, language) for language in spoken(task, phase)]
    assert languages is None or len(found) == languages
    assert sum(map(len, found)) == rows
    for of_language in found:
        check_shape(task, of_language)


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize(("task", "share"), [("xnli", 0.0), ("pawsx", 0.02)])
def test_real_rows_of_one_number_are_translations_of_each_other(index, task, share):
    """So their labels agree: all of XNLI's, and all but 22 of 2,000 of PAWS-X's; misaligned, half
    or two thirds would not."""
    english = {row["id"]: row["label"] for row in load(MIRROR, index, task, "test", "en")}
    for language in CATALOG.task(task).languages:
        rows = load(MIRROR, index, task, "test", language)
        assert sum(
            row["label"] != english.get(row["id"], row["label"]) for row in rows
        ) <= share * len(rows), language


@needs_shared
def test_real_questions_stand_after_their_context(index):
    rows = load(MIRROR, index, "cosmos_qa", "dev")
    assert sum(row["text"].rstrip().endswith("?") for row in rows) > 0.95 * len(rows)
    assert {len(row["choices"]) for row in load(MIRROR, index, "commonsense_qa", "dev")} == {5}


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize(
    ("task", "languages", "rows"),
    [("xnli", 15, 37350), ("pawsx", 7, 14000), ("udpos", 29, 64363), ("mlqa", 7, None)],
)
def test_what_xstilts_reports_on_is_dev_in_every_language_that_has_one(
    index, task, languages, rows
):
    suite = under("xstilts")
    reported = suite.cuts[task].languages or CATALOG.task(task).languages
    found = [load(MIRROR, index, task, "test", language, suite=suite) for language in reported]
    assert len(found) == languages
    assert rows is None or sum(map(len, found)) == rows
    if task == "pawsx":
        assert all([row["id"] for row in of] == [str(i) for i in range(2000)] for of in found)


# Protocols


def plan_of(hub: Path, index: HashIndex, suite: Suite) -> Plan:
    return make_plan(suite, CATALOG, Where(data_root=hub, offline=True), index)


def trainings(plan: Plan) -> dict[tuple[str, str], dict]:
    """(phase, tasks) → the spec of that training job, as the baseline or the first arm has it."""
    found: dict[tuple[str, str], dict] = {}
    for job in plan.jobs.values():
        if job.kind == "train":
            found.setdefault(
                (job.body["spec"]["phase"], "+".join(job.body["spec"]["tasks"])), job.body["spec"]
            )
    return found


FIELDS = (
    "learning_rate",
    "batch_size",
    "epochs",
    "warmup",
    "warmup_updates",
    "weight_decay",
    "evaluate_every",
    "dev_rows",
)
# Of google-research/xtreme scripts/train_*.sh (large encoders), and of jiant's guides and
# configurator. The last column is the length. XNLI trains as the task mnli does, XQuAD and MLQA as
# squad does.
STAGE_ONE = (1e-5, 32, 3, 0.1, None, 0.01, None, None)
RECIPES = {
    ("xtreme", "target", "mnli"): (3e-5, 32, 5, 0.0, None, 0.0, 100, None, 128),
    ("xtreme", "target", "pawsx"): (2e-5, 32, 5, 0.0, None, 0.0, 200, None, 128),
    ("xtreme", "target", "udpos"): (2e-5, 32, 10, 0.0, None, 0.0, 500, None, 128),
    ("xtreme", "target", "panx"): (2e-5, 32, 10, 0.0, None, 0.0, 1000, None, 128),
    ("xtreme", "target", "squad"): (3e-5, 32, 3, 0.0, 500, 1e-4, None, None, 384),
    ("xtreme", "target", "tydiqa"): (3e-5, 32, 3, 0.0, 500, 1e-4, None, None, 384),
    ("xstilts", "target", "mnli"): (1e-5, 32, 2, 0.1, None, 0.01, 1000, 500, 256),
    ("xstilts", "target", "pawsx"): (1e-5, 32, 5, 0.1, None, 0.01, 1000, 500, 256),
    ("xstilts", "target", "udpos"): (1e-5, 32, 10, 0.1, None, 0.01, 1000, 500, 256),
    ("xstilts", "target", "panx"): (1e-5, 32, 10, 0.1, None, 0.01, 1000, 500, 256),
    ("xstilts", "target", "squad"): (1e-5, 16, 2, 0.1, None, 0.01, 1000, 500, 384),
    ("xstilts", "target", "tydiqa"): (1e-5, 16, 2, 0.1, None, 0.01, 1000, 500, 384),
    # one task with XNLI's training, so 128 and not 256
    ("xtreme", "intermediate", "mnli"): (*STAGE_ONE, 128),
    ("xtreme", "intermediate", "squad"): (*STAGE_ONE, 384),
    ("xtreme", "intermediate", "hellaswag"): (*STAGE_ONE, 256),
    ("xtreme", "intermediate", "qqp"): (*STAGE_ONE, 256),
    ("xtreme", "intermediate", "ccg"): (*STAGE_ONE, 256),
    ("xstilts", "intermediate", "mnli"): (*STAGE_ONE, 256),
    ("xstilts", "intermediate", "squad"): (*STAGE_ONE, 384),
    ("xstilts", "intermediate", "squad_v2"): (*STAGE_ONE, 256),
    ("xstilts", "intermediate", "hellaswag"): (*STAGE_ONE, 256),
    ("xstilts", "intermediate", "ccg"): (*STAGE_ONE, 256),
    ("xstilts", "intermediate", "anli_plus"): (*STAGE_ONE, 256),
}
ARMS = [
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


@pytest.fixture(scope="module")
def plans(hub, index) -> dict[str, Plan]:
    return {name: plan_of(hub, index, under(name, ARMS)) for name in ("xtreme", "xstilts")}


@pytest.mark.parametrize(("protocol", "phase", "task"), RECIPES, ids=lambda value: value)
def test_protocols_train_as_their_source_does(plans, protocol, phase, task):
    spec = trainings(plans[protocol])[phase, task]
    found = (*(spec["recipe"][field] for field in FIELDS), spec["tasks"][task]["max_length"])
    assert found == RECIPES[protocol, phase, task]
    keeps_the_last = phase == "intermediate" or (
        protocol == "xtreme" and task in ("squad", "tydiqa")
    )
    assert (spec["recipe"]["evaluations"] == 1) == keeps_the_last or spec["recipe"][
        "evaluate_every"
    ]
    assert spec["recipe"]["batching"] == "random"
    assert (
        spec["recipe"]["adam_epsilon"],
        spec["recipe"]["max_grad_norm"],
        spec["recipe"]["precision"],
    ) == (1e-8, 1.0, "tf32")


OPTIONS = {
    ("xtreme", "xnli"): {"head": "native"},
    ("xtreme", "udpos"): {"extra_separator": True, "outside": True, "max_word_pieces": 125},
    ("xtreme", "xquad"): {
        "doc_stride": 128,
        "max_query_length": 64,
        "n_best": 20,
        "max_answer_length": 30,
    },
    ("xtreme", "bucc2018"): {
        "pooling": "cls",
        "layer": 20,
        "margin": "ratio",
        "neighbours": 4,
        "duplicates": "drop",
    },
    ("xtreme", "tatoeba"): {"pooling": "mean", "layer": 14, "direction": "english_to_foreign"},
    ("xstilts", "xnli"): {"head": "pooled"},
    ("xstilts", "udpos"): {"extra_separator": False, "outside": False, "max_word_pieces": 100},
    ("xstilts", "xquad"): {
        "doc_stride": 128,
        "max_query_length": 64,
        "n_best": 20,
        "max_answer_length": 30,
    },
    ("xstilts", "bucc2018"): {
        "pooling": "mean",
        "layer": 14,
        "margin": "ratio",
        "neighbours": 4,
        "duplicates": "all",
    },
    ("xstilts", "tatoeba"): {"pooling": "mean", "layer": 14, "direction": "english_to_foreign"},
}


@pytest.mark.parametrize(("protocol", "task"), OPTIONS, ids=lambda value: value)
def test_protocols_set_the_options_of_their_source(protocol, task):
    found = under(protocol).task_as_run(CATALOG.task(task)).family_options.model_dump()
    if isinstance(found.get("layer"), dict):
        found["layer"] = found["layer"]["xlm-roberta-large"]
    wanted = OPTIONS[protocol, task]
    assert {option: found[option] for option in wanted} == wanted


def test_both_protocols_make_the_same_jobs(plans):
    """A protocol is values: what is trained from what, and what is scored, is the same under
    each."""
    shapes = [
        sorted((job.kind, job.name, len(job.needs)) for job in plan.jobs.values())
        for plan in plans.values()
    ]
    assert shapes[0] == shapes[1]
    keys = [{cell.evaluate for cell in plan.cells if cell.trained} for plan in plans.values()]
    assert not keys[0] & keys[1]
    assert all(len(plan.cells) == (1 + len(ARMS)) * len(NINE) for plan in plans.values())


def test_xstilts_scores_dev_and_xtreme_scores_test(plans):
    def splits(plan: Plan) -> dict[str, set[str]]:
        tests = {
            cell.target: plan.jobs[cell.evaluate].body["tests"].values() for cell in plan.cells
        }
        return {
            target: {part["split"] for of in sets for part in of["identity"]["parts"]}
            for target, sets in tests.items()
        }

    public = {"xquad": {"validation"}, "tydiqa": {"validation"}, "tatoeba": {"validation"}}
    trained = ["xnli", "pawsx", "udpos", "panx", "mlqa"]
    assert splits(plans["xtreme"]) == public | {task: {"test"} for task in trained} | {
        "bucc2018": {"training"}
    }
    assert splits(plans["xstilts"]) == public | {task: {"validation"} for task in trained} | {
        "bucc2018": {"sample"}
    }


def test_xnli_is_selected_on_mnli_by_xstilts_and_on_xnli_by_xtreme(plans):
    for protocol, split in (("xtreme", "validation"), ("xstilts", "validation_matched")):
        job = next(
            job
            for job in plans[protocol].jobs.values()
            if job.kind == "train" and "target mnli" in job.name
        )
        assert [part["split"] for part in job.body["dev"]["mnli"]["identity"]["parts"]] == [split]


# Suites


@pytest.mark.parametrize("name", sorted(CATALOG.suites))
def test_every_suite_resolves(name):
    suite = CATALOG.suite(name)
    for arm in suite.arms:
        for task in arm.intermediate.tasks if arm.intermediate else []:
            assert suite.task_as_run(CATALOG.task(task)).family_options is not None
        assert suite.recipes.of("intermediate", None, [arm.name]).learning_rate > 0
    for target in suite.targets:
        task = suite.task_as_run(CATALOG.task(target))
        assert task.max_length >= 32
        assert task.family_options is not None
        assert suite.recipes.of("target", task.family, [target]).epochs >= 1
    for task, cut in suite.cuts.items():
        assert cut.label or cut.why, task


def test_the_papers_suites_have_the_papers_arms_and_targets():
    paper, english, baselines = (
        CATALOG.suite(name) for name in ("xstilts-2020", "xstilts-english", "xtreme-baselines")
    )
    test = CATALOG.suite("xstilts-xtreme")
    assert paper.targets == english.targets == baselines.targets == test.targets == NINE
    assert test.arms == paper.arms[: len(test.arms)] and test.arms[-1].name == "multitask"
    assert (test.seeds, test.protocol) == (baselines.seeds, baselines.protocol)
    assert [arm.name for arm in paper.arms] == [
        "none",
        *ARMS,
        "multitask",
        "mnli_with_mlm",
        "mnli_translated",
    ]
    assert [arm.name for arm in english.arms] == ["none", *ARMS, "multitask"]
    assert [arm.name for arm in baselines.arms] == ["none"]
    multitask = next(arm.intermediate for arm in paper.arms if arm.name == "multitask")
    assert multitask.tasks == ARMS
    assert multitask.sampler.by == "proportional"
    assert paper.recipes.of("intermediate", None, ["mnli_with_mlm"]).max_updates == 2 * 3 * -(
        -392702 // 32
    )
    assert {CATALOG.encoder(name).pretrained_on for name in english.encoders} == {"english"}
    assert {
        CATALOG.encoder(name).pretrained_on for name in [*paper.encoders, *baselines.encoders]
    } == {"multilingual"}
