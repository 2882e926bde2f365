"""Plans: what decides a key and what does not, what is shared, in which order; and results that do
not move unseen."""

import json
import os
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_loop import dataset, make_encoder, make_job, raw_rows, task_part

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.jobs.context import HostError, JobError
from harness.jobs.run import Telling, run_job
from harness.metrics import METRICS
from harness.models.packed import Packed
from harness.plan import planner
from harness.plan.graph import Plan, refused_leaks
from harness.plan.planner import make_plan
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.spec.changes import with_limit, with_user_tasks
from harness.spec.encoder import Encoder
from harness.spec.recipe import Recipe
from harness.spec.suite import Caps
from harness.spec.task import Task
from harness.store import HashIndex, Store, canonical_json, file_sha256, key_of
from harness.store import job as job_room
from harness.store.job import JOB_VERSIONS, described, identity_of

GOLDEN = Path(__file__).parent / "golden"
REWRITE = os.environ.get("XSTILTS_GOLDEN") == "1"  # write the golden files anew
SLOW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

ENCODER = {
    "encoder": "toyenc",
    "version": 1,
    "source": {"hub": "nobody/toyenc"},
    "pretrained_on": "english",
    "seen": [],
    "max_length": 64,
}
LABELS = {"classification": ["no", "yes"], "tagging": ["A", "B"]}
COLUMNS = {
    "classification": {"text": "text", "label": "label"},
    "tagging": {"tokens": "tokens", "tags": "tags"},
    "span_qa": {"context": "context", "question": "question", "answers": "answers"},
    "retrieval": {"source": "source", "target": "target"},
    "bitext_mining": {},
}
METRIC = {
    "classification": "accuracy",
    "tagging": "span_f1",
    "span_qa": "squad",
    "retrieval": "retrieval_accuracy",
}
METRIC |= {"multiple_choice": "accuracy", "mlm": "masked_accuracy", "bitext_mining": "mining_f1"}
METRIC |= {"answer_retrieval": "map_at_20", "entity_linking": "map_at_20"}


def task(name: str, family: str, *roles: str, **fields) -> dict:
    spec = {
        "task": name,
        "version": 1,
        "role": list(roles) or ["target"],
        "family": family,
        "languages": ["en", "de"],
        "source": {"files": f"{name}/{{language}}.{{split}}.jsonl"},
        "test": {"split": "test"},
        "columns": COLUMNS[family],
        "metric": METRIC[family],
        "about": {"title": name},
    }
    if family in LABELS:
        spec["labels"] = LABELS[family]
    if FAMILIES[family].trained:
        spec |= {"train": {"split": "train"}, "dev": {"split": "dev"}}
    if "intermediate" in roles:
        spec["difficulty"] = {"declared": "hard", "why": "a test"}
    return {key: value for key, value in (spec | fields).items() if value is not None}


TASKS = {
    "reading": task("reading", "span_qa", "intermediate", "target"),
    "quiz": task("quiz", "span_qa", train={"task": "reading"}, dev=None),
    "exam": task("exam", "span_qa", train={"task": "reading"}, dev=None),
    "mood": task("mood", "classification", "intermediate", "target"),
    "words": task("words", "tagging"),
    "pairs": task("pairs", "retrieval"),
}
SUITE = {
    "suite": "toy",
    "version": 1,
    "about": "a tiny fixed suite",
    "encoders": ["toyenc"],
    "arms": ["none", "reading", "mood"],
    "targets": ["quiz", "exam", "mood", "words", "pairs"],
    "seeds": [1, 2],
    "recipes": {"intermediate": {"learning_rate": 1e-4}, "target": {"learning_rate": 2e-4}},
}


class World:
    """A user's folder: specs, data files and an encoder whose bytes are fixed, and which nobody
    loads."""

    def __init__(self, root: Path):
        self.root = root
        for name, spec in TASKS.items():
            for language in spec["languages"]:
                for split in ("train", "dev", "test"):
                    path = root / "specs" / name / f"{language}.{split}.jsonl"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(json.dumps({"of": name, "in": language, "for": split}) + "\n")
        folder = root / "encoders" / "toyenc"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "config.json").write_text("{}")

    def plan(
        self,
        tasks: dict | None = None,
        suite: dict | None = None,
        encoder: dict | None = None,
        text=None,
    ) -> Plan:
        """`text`: how a spec becomes YAML."""
        text = text or (lambda spec: yaml.safe_dump(spec, sort_keys=False))
        specs = [*(tasks or TASKS).values(), suite or SUITE, encoder or ENCODER]
        folder = self.root / "specs"
        for old in folder.glob("*.yaml"):
            old.unlink()
        for i, spec in enumerate(specs):
            (folder / f"{i}.yaml").write_text(text(spec))
        catalog = Catalog.load([folder])
        where = Where(encoder_root=self.root / "encoders", offline=True)
        # Keys are made of hashes: the encoder's files here are a few fixed bytes, and those of no
        # encoder.
        with patch("harness.sources.encoders.check_files"):
            return make_plan(
                catalog.suite("toy"), catalog, where, HashIndex(self.root / "index.json")
            )


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path / "world")


def keys(plan: Plan) -> dict[str, str]:
    """name → key; two jobs of one name (seeds, arms) are told apart by a number."""
    found: dict[str, str] = {}
    for job in plan.jobs.values():
        name, n = job.name, 1
        while name in found:
            n += 1
            name = f"{job.name} ({n})"
        found[name] = job.key
    return found


# What a plan holds


def test_jobs_form_a_graph_without_cycles(world):
    plan = world.plan()
    done: set[str] = set()
    waiting = dict(plan.jobs)
    while waiting:
        ready = [key for key, job in waiting.items() if set(job.needs) <= done]
        assert ready, "a cycle, or a need that is no job"
        done |= set(ready)
        for key in ready:
            del waiting[key]
    for key, job in plan.jobs.items():
        assert job.key == key == job.body["key"] == key_of(identity_of(job.body))
        assert all(plan.jobs[need].kind == "train" for need in job.needs)
        assert plan.dependants(key) == [
            other.key for other in plan.jobs.values() if key in other.needs
        ]
        canonical_json(job.body)


def test_one_cell_for_each_arm_target_and_seed(world):
    plan = world.plan()
    cells = {(cell.arm, cell.target, cell.seed) for cell in plan.cells}
    assert len(cells) == len(plan.cells) == 3 * 5 * 2
    for cell in plan.cells:
        assert {cell.evaluate, cell.overlap, cell.trained, cell.intermediate} - {None} <= set(
            plan.jobs
        )
        assert (cell.intermediate is None) == (cell.arm == "none")
        assert (cell.trained is None) == (cell.target == "pairs")
        assert (cell.overlap is None) == (cell.arm == "none" and cell.target == "pairs")


def test_targets_that_train_on_the_same_task_share_the_model(world):
    plan = world.plan()
    for arm in ("none", "reading", "mood"):
        for seed in (1, 2):
            trained = {
                cell.target: cell.trained
                for cell in plan.cells
                if (cell.arm, cell.seed) == (arm, seed)
            }
            assert trained["quiz"] == trained["exam"]
            assert len({*trained.values()} - {None}) == 3
    assert sum(job.kind == "train" for job in plan.jobs.values()) == 2 * (2 + 3 * 3)


def test_xquad_and_mlqa_share_squads_training(tmp_path):
    """On the real specs: what decides the training of either is the same, whatever machine has the
    data."""
    catalog = Catalog.load([])
    suite = catalog.suite("small").model_copy(update={"targets": ["xquad", "mlqa", "tydiqa"]})
    plan = make_plan(suite, catalog, Where(offline=True), HashIndex(tmp_path / "index.json"))
    for arm in suite.arms:
        trained = {cell.target: cell.trained for cell in plan.cells if cell.arm == arm.name}
        assert trained["xquad"] == trained["mlqa"] != trained["tydiqa"]
        assert list(plan.jobs[trained["xquad"]].body["spec"]["tasks"]) == ["squad"]


def test_the_untrained_baseline_is_evaluated_once_for_all_seeds(world):
    plan = world.plan()
    assert (
        len({cell.evaluate for cell in plan.cells if (cell.arm, cell.target) == ("none", "pairs")})
        == 1
    )
    assert (
        len({cell.evaluate for cell in plan.cells if (cell.arm, cell.target) == ("mood", "pairs")})
        == 2
    )


def test_seeds_and_arms_differ_in_training_but_pair_in_streams(world):
    plan = world.plan()
    target = [
        job
        for job in plan.jobs.values()
        if job.kind == "train" and set(job.body["spec"]["tasks"]) == {"words"}
    ]
    assert len({job.key for job in target}) == 6
    streams = {
        (spec["seed"], spec["phase"], *spec["tasks"])
        for spec in (job.body["spec"] for job in target)
    }
    assert len(streams) == 2  # one a seed, the same in every arm


def test_an_arm_is_finished_before_the_next_begins(world, tmp_path):
    plan = world.plan()
    todo = plan.todo(Store(tmp_path / "store"))
    assert {job.key for job in todo} == set(plan.jobs)
    assert [job.kind for job in todo[:14]] == ["overlap"] * 14
    seeds_arms = [job.rank[:3] for job in todo if job.kind != "overlap"]
    assert seeds_arms == sorted(seeds_arms)


# What decides a key, and what does not


def shuffled(spec, rng: random.Random):
    if isinstance(spec, dict):
        items = [(name, shuffled(value, rng)) for name, value in spec.items()]
        first, rest = items[:1], items[1:]
        rng.shuffle(rest)
        return dict(first + rest if "version" in spec else rng.sample(items, len(items)))
    return [shuffled(value, rng) for value in spec] if isinstance(spec, list) else spec


@pytest.mark.slow
@SLOW
@given(
    seed=st.integers(0, 10**6),
    width=st.sampled_from([20, 80, 1000]),
    indent=st.integers(2, 8),
    flow=st.booleans(),
)
def test_order_comments_and_white_space_change_no_key(tmp_path_factory, seed, width, indent, flow):
    rng = random.Random(seed)

    def text(spec):
        lines = yaml.safe_dump(
            shuffled(spec, rng),
            sort_keys=False,
            width=width,
            indent=indent,
            default_flow_style=flow,
        ).split("\n")
        return (
            "# a comment\n"
            + "\n".join(
                f"{line}   # {seed}" if rng.random() < 0.2 and line and not flow else line
                for line in lines
            )
            + "\n\n"
        )

    folder = tmp_path_factory.mktemp("world")
    expected = keys(World(folder / "a").plan())
    assert keys(World(folder / "b").plan(text=text)) == expected
    shutil.rmtree(folder)


def test_places_change_no_key(world, tmp_path):
    expected = keys(world.plan())
    moved = World(tmp_path / "another place" / "deeper")
    other = moved.plan()
    assert keys(other) == expected
    identities = canonical_json([identity_of(job.body) for job in other.jobs.values()]).decode()
    assert str(tmp_path) not in identities
    for path in world.root.rglob("*.jsonl"):
        os.utime(path, (1, 1))
    assert keys(world.plan()) == expected


OTHER_RECIPE = {
    "learning_rate": 3e-4,
    "batch_size": 16,
    "epochs": 2,
    "max_updates": 7,
    "min_updates": 100,
    "warmup": 0.1,
    "warmup_updates": 10,
    "weight_decay": 0.01,
    "adam_epsilon": 1e-6,
    "max_grad_norm": 2.0,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "evaluations": 1,
    "evaluate_every": 50,
    "dev_rows": 500,
    "batching": "grouped",
    "micro_tokens": 4096,
    "precision": "bf16",
    "loss": "micro_batch",
    "micro_rows": 4,
    "lora": {"rank": 4},
    "world_size": 2,
}
TOGETHER = {"loss", "micro_rows"}  # neither says anything without the other


def test_every_recipe_field_is_tried_here():
    assert set(OTHER_RECIPE) == set(Recipe.model_fields)
    default = Recipe(learning_rate=1e-4)
    assert all(getattr(default, name) != value for name, value in OTHER_RECIPE.items())


@pytest.mark.slow
@pytest.mark.parametrize("field", sorted(Recipe.model_fields))
def test_every_recipe_field_decides_the_key_of_its_phase(world, field):
    before = world.plan()
    others = {name: OTHER_RECIPE[name] for name in (TOGETHER if field in TOGETHER else {field})}
    recipes = SUITE["recipes"] | {"target": SUITE["recipes"]["target"] | others}
    after = world.plan(suite=SUITE | {"recipes": recipes})
    changed = {job.kind: set() for job in before.jobs.values()}
    for key in set(before.jobs) - set(after.jobs):
        job = before.jobs[key]
        changed[job.kind].add((job.body["spec"].get("phase"), job.name.split()[2]))
    assert {phase for phase, _ in changed["train"]} == {"target"}
    assert (
        len({key for key in before.jobs if before.jobs[key].kind == "train"} - set(after.jobs))
        == 18
    )
    # what is evaluated untrained has the precision of the others
    untrained = {"pairs"} if field == "precision" else set()
    assert {target for _, target in changed["evaluate"]} == {"quiz", "exam", "mood", "words"} | (
        untrained
    )
    assert changed["overlap"] == set()


def test_a_recipe_of_one_task_changes_that_task_only(world):
    before = world.plan()
    after = world.plan(
        suite=SUITE | {"recipes": SUITE["recipes"] | {"tasks": {"words": {"epochs": 3}}}}
    )
    gone = [before.jobs[key] for key in set(before.jobs) - set(after.jobs)]
    assert {
        job.name.split()[2] if job.kind == "evaluate" else "+".join(job.body["spec"]["tasks"])
        for job in gone
    } == {"words"}


# field of the task `words` → another value; None: it decides nothing, with the reason
OTHER_TASK: dict[str, object] = {
    "version": 2,
    "languages": ["en"],
    "source": {"files": "words/{name}.{split}.jsonl", "names": {"en": "de"}},
    "train": {"split": "dev"},
    "dev": {"split": "test"},
    "test": {"split": "dev"},
    "columns": {"tokens": "tags", "tags": "tokens"},
    "labels": ["B", "A"],
    "max_length": 64,
    "options": {"max_word_pieces": 3},
}
EXCUSED = {
    "task": (
        "a name seeds the streams of training, but an evaluation under another name is the same"
    ),
    "role": "says where a task may be used",
    "family": "another family has other columns and metrics; tried with the versions below",
    "metric": "tagging has one metric",
    "about": "for readers",
    "difficulty": "for readers and for the split rule",
}


def test_every_task_field_is_tried_here_or_excused():
    assert set(OTHER_TASK) | set(EXCUSED) == set(Task.model_fields)
    assert not set(OTHER_TASK) & set(EXCUSED)


@pytest.mark.slow
@pytest.mark.parametrize("field", sorted(OTHER_TASK))
def test_every_task_field_decides_a_key(world, field):
    before = world.plan()
    after = world.plan(tasks=TASKS | {"words": TASKS["words"] | {field: OTHER_TASK[field]}})
    gone = {before.jobs[key].kind for key in set(before.jobs) - set(after.jobs)}
    names = {before.jobs[key].name for key in set(before.jobs) - set(after.jobs)}
    assert "evaluate" in gone
    assert all("words" in name for name in names)


@pytest.mark.parametrize(
    ("field", "value"),
    [("about", {"title": "other", "note": "n"}), ("role", ["target", "training"])],
)
def test_what_readers_see_decides_no_key(world, field, value):
    before = keys(world.plan())
    assert keys(world.plan(tasks=TASKS | {"words": TASKS["words"] | {field: value}})) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("about", "other words", True),
        ("version", 2, True),
        ("smoke", True, True),
        ("split_rule", {"by": "declared"}, True),
        ("waives", ["leak"], True),
        ("seeds", [2, 1], True),
        ("seeds", [3, 4], False),
        ("caps", {"train": 5}, False),
        ("caps", {"dev": 5}, False),
        ("caps", {"test": 5}, False),
        ("task_caps", {"words": {"test": 5}}, False),
        ("cuts", {"words": {"why": "w", "test": {"split": "test[:50%]"}}}, False),
        ("cuts", {"words": {"why": "w", "languages": ["en"]}}, False),
    ],
)
def test_suite_fields(world, field, value, kept):
    before, after = (
        set(keys(world.plan()).values()),
        set(keys(world.plan(suite=SUITE | {field: value})).values()),
    )
    assert (before == after) is kept


def test_a_byte_of_data_or_weights_changes_what_reads_it(world):
    before = world.plan()
    path = world.root / "specs" / "words" / "de.test.jsonl"
    path.write_text(path.read_text() + "\n")
    gone = {before.jobs[key].name for key in set(before.jobs) - set(world.plan().jobs)}
    assert {name.split()[0] for name in gone} == {"evaluate", "overlap"}
    assert all("words" in name for name in gone)
    weights = world.root / "encoders" / "toyenc" / "model.safetensors"
    weights.write_bytes(b"Weights")
    after = world.plan()
    assert {job.kind for job in after.jobs.values() if job.key in before.jobs} == {"overlap"}


@pytest.mark.parametrize(
    ("field", "value", "kinds"),
    [
        ("max_length", 32, {"train", "evaluate"}),
        ("pooling", "cls", {"evaluate"}),
        ("layer", 1, {"evaluate"}),
        ("prompts", {"query": "query: "}, {"evaluate"}),
        ("prompts", {"pair": "pair: "}, {"evaluate"}),
        # not of a translation
        ("prompts", {"passage": "passage: "}, set()),
        ("prompts", {"query": "query: ", "pair": ""}, set()),
        ("prompts", {"query": ""}, set()),
        ("source", {"hub": "nobody/toyenc", "revision": "0" * 40}, set()),
    ],
)
def test_encoder_fields(world, field, value, kinds):
    before = world.plan()
    after = world.plan(encoder=ENCODER | {field: value})
    gone = [before.jobs[key] for key in set(before.jobs) - set(after.jobs)]
    assert {job.kind for job in gone} == kinds
    if kinds == {"evaluate"}:
        assert {job.name.split()[2] for job in gone} == {"pairs"}


def test_a_task_says_its_own_prompt_or_none(world):
    def prompts(**options) -> set:
        pairs = task("pairs", "retrieval", options=options)
        plan = world.plan(TASKS | {"pairs": pairs}, encoder=ENCODER | {"prompts": {"query": "q: "}})
        bodies = [job.body for job in plan.jobs.values() if job.name.startswith("evaluate")]
        specs = [body["spec"]["task"] for body in bodies]
        return {one["options"].get("prompt") for one in specs if one["family"] == "retrieval"}

    assert prompts() == {"q: "}
    assert prompts(prompt="other: ") == {"other: "}
    assert prompts(prompt="") == {None}  # as of an encoder without one


@pytest.mark.parametrize("name", [name for name, one in FAMILIES.items() if not one.trained])
def test_a_query_a_passage_and_a_pair_have_their_own_prompts(name):
    prompts = {"query": "q: ", "passage": "p: ", "pair": "both: "}
    encoder = Encoder.model_validate(ENCODER | {"prompts": prompts})
    pairs = {"prompt": "both: "}
    ranking = {"prompt": "q: ", "passage_prompt": "p: "}
    expected = pairs if name in ("retrieval", "bitext_mining") else ranking
    assert planner._prompts(SimpleNamespace(family=name), encoder) == expected


def test_nothing_is_trained_on_a_decoder(world):
    config = world.root / "encoders" / "toyenc" / "config.json"
    config.write_text('{"model_type": "qwen3"}')
    with pytest.raises(SpecError, match=r"toyenc is a decoder: .* to train on reading"):
        world.plan()
    untrained = SUITE | {"arms": ["none"], "targets": ["pairs"]}
    assert {job.kind for job in world.plan(suite=untrained).jobs.values()} == {"evaluate"}


def test_versions_of_code_are_in_keys(world, monkeypatch):
    before = world.plan()
    monkeypatch.setitem(job_room.JOB_VERSIONS, "train", JOB_VERSIONS["train"] + 1)
    after = world.plan()
    assert {job.kind for job in after.jobs.values() if job.key in before.jobs} == {
        "overlap",
        "evaluate",
    }
    assert {
        job.name for job in after.jobs.values() if job.key in before.jobs and job.kind == "evaluate"
    } == {"evaluate toyenc pairs after none"}
    monkeypatch.undo()
    monkeypatch.setitem(METRICS.loaded, "span_f1", replace(METRICS["span_f1"], version=2))
    gone = [before.jobs[key].name for key in set(before.jobs) - set(world.plan().jobs)]
    assert gone
    assert all("words" in name for name in gone)
    monkeypatch.undo()
    monkeypatch.setattr(type(FAMILIES["tagging"]), "version", 99)
    gone = [before.jobs[key].name for key in set(before.jobs) - set(world.plan().jobs)]
    assert gone
    assert all("words" in name for name in gone)


# What is left to do


def commit(
    store: Store, plan: Plan, key: str, files: tuple[str, ...] = ("model.safetensors",)
) -> None:
    with store.workdir(key) as workdir:
        for name in files:
            (workdir / name).write_bytes(b"x")
        store.commit(key, workdir, {})


def test_what_is_done_is_not_done_again(world, tmp_path):
    plan, store = world.plan(), Store(tmp_path / "store")
    rng = random.Random(1)
    order = plan.todo(store)
    while order:
        ready = [job for job in order if all(store.manifest(need) for need in job.needs)]
        job = rng.choice(ready)
        commit(store, plan, job.key)
        left = plan.todo(store)
        assert {other.key for other in left} == {other.key for other in order} - {job.key}
        order = left


def test_dropped_weights_are_trained_again_only_if_somebody_reads_them(world, tmp_path):
    plan, store = world.plan(), Store(tmp_path / "store")
    for job in plan.todo(store):
        commit(store, plan, job.key)
    cell = next(
        cell for cell in plan.cells if (cell.arm, cell.target, cell.seed) == ("mood", "words", 2)
    )
    for key in (cell.intermediate, cell.trained):
        store.drop(key, {"model.safetensors"})
    assert plan.todo(store) == []
    shutil.rmtree(store.root / "results" / cell.evaluate)
    assert [job.key for job in plan.todo(store)] == sorted(
        [cell.intermediate, cell.trained, cell.evaluate], key=lambda key: plan.jobs[key].rank
    )


def test_refused_evaluations_and_what_serves_only_them_are_left_out(world, tmp_path):
    plan, store = world.plan(), Store(tmp_path / "store")
    refused = frozenset(
        cell.evaluate for cell in plan.cells if cell.arm == "mood" and cell.target != "pairs"
    )
    todo = {job.key for job in plan.todo(store, refused)}
    assert not todo & refused
    for cell in plan.cells:
        if cell.arm == "mood":
            assert cell.intermediate in todo  # `pairs` reads it
            assert cell.trained not in todo
            assert cell.overlap in todo
    everything = frozenset(cell.evaluate for cell in plan.cells)
    assert {job.kind for job in plan.todo(store, everything)} == {"overlap"}


def test_leaks_above_their_share_refuse():
    overlap = {
        "test_rows": {"en": 1000, "de": 1000},
        "leaks": {"intermediate": {"en": 10, "de": 11}, "target": {"en": 101, "de": 100}},
    }
    assert refused_leaks(overlap) == {"intermediate": {"de": 11}, "target": {"en": 101}}
    assert refused_leaks({"test_rows": {"en": 1}, "leaks": {}}) == {}


# Names, limits, the user's own tasks, what is missing


def test_cut_and_capped_tasks_show_under_a_name_of_their_own():
    catalog = Catalog.load([])
    suite = catalog.suite("small")
    suite = suite.model_copy(update={"task_caps": suite.task_caps | {"tatoeba": Caps()}})
    assert suite.shown_name(catalog.task("xnli")) == "xnli@small"
    assert suite.shown_name(catalog.task("tatoeba")) == "tatoeba"  # `{}` lifts the caps
    assert catalog.suite("mini").shown_name(catalog.task("mini_xnli")) == "mini_xnli"
    limited = with_limit(suite, 50)
    assert limited.shown_name(catalog.task("tatoeba")) == "tatoeba@small"
    assert (limited.caps.test, limited.caps.train) == (50, suite.caps.train)
    assert {caps.test for caps in limited.task_caps.values()} == {50}


def test_the_users_tasks_join_in_the_roles_they_declare(tmp_path):
    own = [
        task("mine", "tagging"),
        task("both", "classification", "intermediate", "target"),
        task("source", "tagging", "training"),
    ]
    for i, spec in enumerate(own):
        (tmp_path / f"{i}.yaml").write_text(yaml.safe_dump(spec))
    catalog = Catalog.load([tmp_path])
    mini = catalog.suite("mini")
    suite = with_user_tasks(mini, catalog)
    assert suite.targets == [*mini.targets, "both", "mine"]
    assert [arm.name for arm in suite.arms] == [*(arm.name for arm in mini.arms), "both"]
    assert with_user_tasks(suite, catalog) == suite
    assert with_user_tasks(mini, Catalog.load([])) == mini


def test_what_is_missing_is_named_and_blocks_only_what_needs_it(world, tmp_path):
    whole, store = world.plan(), Store(tmp_path / "store")
    (world.root / "specs" / "words" / "de.test.jsonl").unlink()
    (world.root / "specs" / "reading" / "en.train.jsonl").unlink()
    plan = world.plan()
    blocked = {tuple(dict.fromkeys(what)): reason for reason, what in plan.blocked.items()}
    assert set(blocked) == {("target words",), ("target quiz", "target exam", "condition reading")}
    assert "de.test.jsonl" in blocked["target words",]
    # The graph is whole all the same: as many cells and jobs as with all data.
    assert len(plan.cells) == len(whole.cells) and len(plan.jobs) == len(whole.jobs)
    for cell in plan.cells:
        lacks = {"quiz", "exam"} & {cell.target} or cell.arm == "reading"
        assert bool(plan.jobs[cell.evaluate].blocked) == bool(lacks or cell.target == "words")
        # words can be trained
        assert cell.trained is None or bool(plan.jobs[cell.trained].blocked) == bool(lacks)
        assert cell.intermediate is None or bool(plan.jobs[cell.intermediate].blocked) == (
            cell.arm == "reading"
        )
    todo = {job.key for job in plan.todo(store)}
    assert todo == {key for key, job in plan.jobs.items() if not job.blocked}
    # A blocked job's key is a stand-in: it is none of those that the data give; what has all its
    # data keeps its key.
    assert not {key for key, job in plan.jobs.items() if job.blocked} & set(whole.jobs)
    assert {key for key, job in plan.jobs.items() if not job.blocked} < set(whole.jobs)


def test_a_missing_encoder_blocks_all_but_the_overlap_checks(world, tmp_path):
    whole = world.plan()
    (world.root / "encoders" / "toyenc" / "model.safetensors").unlink()
    plan = world.plan()
    assert [set(what) for what in plan.blocked.values()] == [{"encoder toyenc"}]
    assert len(plan.cells) == len(whole.cells)
    assert {job.kind for job in plan.jobs.values() if not job.blocked} == {"overlap"}
    assert {job.kind for job in plan.todo(Store(tmp_path / "store"))} == {"overlap"}


def test_another_encoder_under_a_pinned_name_is_an_error(world):
    with pytest.raises(SpecError, match="its spec pins 000"):
        world.plan(encoder=ENCODER | {"sha256": "0" * 64})


# A GPU's memory, which runs out by decree where a batch is sent to it


@pytest.fixture
def full_gpu(monkeypatch):
    def to(self, where):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has")

    return lambda: monkeypatch.setattr(Packed, "to", to)


@pytest.mark.parametrize("family", ["bitext_mining", "answer_retrieval"])
def test_an_evaluation_that_a_gpu_has_no_room_for_says_so(tmp_path, folder, full_gpu, family):
    full_gpu()
    with pytest.raises(JobError) as said:
        results_of(tmp_path, folder, family)
    assert str(said.value).startswith(f"evaluate {family}: the memory of this GPU ran out")
    for words in ("asked for 2.00 GiB more", "fewer --workers", "a smaller max_length"):
        assert words in str(said.value)


def test_a_measure_that_a_gpu_has_no_room_for_says_so(tmp_path, folder, full_gpu):
    store = Store(tmp_path / "store")
    train = make_job(tmp_path, folder, "classification", max_updates=1, evaluations=0)
    run(store, train)
    task = next(iter(train["spec"]["tasks"].values()))
    spec = {"task": task, "model": train["key"], "dev_rows": None}
    data = {side: train[side] for side in ("train", "dev")}
    pvi = described("pvi", "pvi toy", spec, data, train["encoder"])
    full_gpu()
    with pytest.raises(HostError, match=r"pvi toy: the memory of this GPU ran out.*2\.00 GiB"):
        run(store, pvi)


# Golden files: keys and results may only move on purpose


def golden(name: str) -> dict:
    path = GOLDEN / name
    return json.loads(path.read_text()) if path.exists() else {}


def write_golden(name: str, content: dict) -> None:
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / name).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    pytest.skip(f"{name} written")


def test_keys_did_not_move(world):
    """A key that moves throws every finished result away. If it must, write the file anew:
    XSTILTS_GOLDEN=1."""
    # the file was written when evaluations were named so, and proves more if nothing in it changes
    named = re.compile(r"^(evaluate .*) after ")
    found = {named.sub(r"\1 arm ", name): key for name, key in keys(world.plan()).items()}
    if REWRITE:
        write_golden("keys.json", found)
    assert found == golden("keys.json")


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


def same(found, known) -> bool:
    """Equal, numbers to four digits, give or take the last one: another processor adds in another
    order."""
    if isinstance(known, dict):
        return found.keys() == known.keys() and all(
            same(found[name], known[name]) for name in known
        )
    if isinstance(known, list):
        return len(found) == len(known) and all(map(same, found, known))
    return abs(found - known) < 2e-4 if isinstance(known, float) else found == known


def run(store: Store, job: dict) -> None:
    store.write_job(job["key"], job)
    assert run_job(store, job["key"], Telling(), lambda: False) == "done"


def translations(tmp: Path, name: str, family: str, seed: int) -> dict:
    """A data set of an embedded family: texts, and as their translations the same words the other
    way round."""
    test = dataset(tmp / f"{name}.jsonl", "classification", 22, seed)
    texts = [
        row["text"] for row in map(json.loads, (tmp / f"{name}.jsonl").read_text().splitlines())
    ]
    pairs = [(" ".join(reversed(text.split())), text) for text in texts]
    test["identity"] |= {"family": family, "columns": COLUMNS[family], "labels": None}
    if family == "bitext_mining":
        heaps = {
            part: [f"{part}-{i}\t{pair[side]}" for i, pair in enumerate(pairs)]
            for side, part in enumerate(("fr", "en"))
        }
        heaps["gold"] = [f"fr-{i}\ten-{i}" for i in range(0, len(pairs), 2)]
        for part, lines in heaps.items():
            (tmp / f"{name}.{part}").write_text("\n".join(lines) + "\n")
        files = [tmp / f"{name}.{part}" for part in heaps]
        test["location"] = [{"files": list(map(str, files))}]
    else:
        rows = [json.dumps({"source": source, "target": target}) + "\n" for source, target in pairs]
        files = [tmp / f"{name}.jsonl"]
        files[0].write_text("".join(rows))
    test["identity"]["parts"][0]["sha256"] = list(map(file_sha256, files))
    return test


def pooled(tmp: Path, family: str) -> dict:
    """A data set of a family that ranks a pool: texts, and as candidates the same words the other
    way round."""
    rows = raw_rows("classification", 22, 1)
    pairs = [(row["text"], " ".join(reversed(row["text"].split()))) for row in rows]
    if family == "answer_retrieval":
        paragraphs = []
        for number, (text, candidate) in enumerate(pairs):
            asked = {"id": f"q{number}", "question": text}
            asked["answers"] = [{"text": candidate[:1], "answer_start": 0}]
            breaks = [[0, len(candidate)]]
            paragraphs.append({"context": candidate, "qas": [asked], "sentence_breaks": breaks})
        (tmp / "pool.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
        files = [tmp / "pool.json"] * 2
    else:
        mentions, entities = [], []
        for number, (text, candidate) in enumerate(pairs):
            said = {"text": text, "sentence_spans": [{"start": 0, "end": len(text)}]}
            mention = {"example_id": f"m{number}", "entity_id": f"Q{number}"}
            mention["mention_span"] = {"start": 0, "end": 1}
            mentions.append(json.dumps({"context": said, "mentions": [mention]}) + "\n")
            told = {"entity_id": f"Q{number}", "description": candidate}
            told["sentence_spans"] = [{"start": 0, "end": len(candidate)}]
            entities.append(json.dumps(told) + "\n")
        files = [tmp / "mentions.jsonl", tmp / "entities.jsonl"]
        files[0].write_text("".join(mentions))
        files[1].write_text("".join(entities))
    test = dataset(tmp / "other.jsonl", "classification", 2, 1)
    test["identity"] |= {"family": family, "columns": {}, "labels": None, "pool": ["en"]}
    test["identity"]["parts"][0]["sha256"] = list(map(file_sha256, files))
    test["location"] = [{"files": list(map(str, files))}]
    return test


def results_of(tmp: Path, folder: Path, family: str) -> dict:
    """Five updates and an evaluation of a tiny random encoder: losses, scores and predictions."""
    store, tmp = Store(tmp / "store"), tmp
    if FAMILIES[family].trained:
        train = make_job(
            tmp,
            folder,
            family,
            rows=40,
            max_updates=5,
            warmup=0.2,
            weight_decay=0.01,
            learning_rate=2e-3,
        )
        run(store, train)
        log = [
            json.loads(line)
            for line in store.path(train["key"], "metrics.jsonl").read_text().splitlines()
        ]
        spec = {"task": task_part(family), "model": train["key"]}
        data = {"tests": {"en": dataset(tmp / "test.jsonl", family, 60, seed=3)}}
    else:
        log, train = [], make_job(tmp, folder, "classification")
        options = FAMILIES[family].options(pooling="mean", layer=-1).model_dump()
        part = {
            "family": family,
            "labels": [],
            "max_length": 32,
            "options": options,
            "metric": METRIC[family],
        }
        spec = {"task": part, "model": None}
        ranks = FAMILIES[family].parts == "pool"
        test = pooled(tmp, family) if ranks else translations(tmp, "test", family, seed=1)
        data = {"tests": {"en": test}}
        if FAMILIES[family].tuned:
            data["devs"] = {"en": translations(tmp, "dev", family, seed=2)}
    evaluate = described("evaluate", f"evaluate {family}", spec, data, train["encoder"])
    run(store, evaluate)
    scores = store.read_json(evaluate["key"], "scores.json")["en"]
    predictions = store.path(evaluate["key"], "predictions/en.jsonl").read_text().splitlines()
    return rounded(
        {
            "log": log,
            "scores": scores,
            "predictions": [json.loads(line)["prediction"] for line in predictions][:10],
        }
    )


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_results_did_not_move_without_a_version(tmp_path, family):
    """Raise the version of what moved them (JOB_VERSIONS, the family's, the metric's), then write
    the file anew: XSTILTS_GOLDEN=1. Without a new version, results under old keys would be taken
    for results of the new code."""
    (tmp_path / "encoder").mkdir()
    found = results_of(tmp_path, make_encoder(tmp_path / "encoder"), family)
    kinds = ("train", "evaluate") if FAMILIES[family].trained else ("evaluate",)
    versions = {kind: JOB_VERSIONS[kind] for kind in kinds} | {
        "family": FAMILIES[family].version,
        "metric": METRICS[METRIC[family]].version,
    }
    content = golden("results.json")
    known = content.get(family)
    if REWRITE:
        assert known is None or same(found, known["results"]) or known["versions"] != versions, (
            "results moved; raise a version first"
        )
        write_golden("results.json", content | {family: {"versions": versions, "results": found}})
    assert known, "no golden results of this family; write them: XSTILTS_GOLDEN=1"
    assert known["versions"] == versions, (
        "a version was raised: write the file anew, XSTILTS_GOLDEN=1"
    )
    assert same(found, known["results"]), f"results moved without a version: {found}"
