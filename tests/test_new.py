"""new task: a YAML from a user's files, which validates as written, or a line that says what to
say."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from harness.cli import app
from harness.common.errors import HarnessError
from harness.draft.found import FoundFiles
from harness.draft.new_task import name_of
from harness.spec.catalog import Catalog, read_spec

WORDS = [
    "river",
    "bread",
    "stone",
    "music",
    "winter",
    "garden",
    "letter",
    "window",
    "candle",
    "forest",
]


def sentence(i: int) -> str:
    return f"The {WORDS[i % 10]} and the {WORDS[i // 10 % 10]}, number {i}, were there."


def table(rows: int = 60, labels=("bad", "good"), text: str = "text", label: str = "label"):
    return [{text: sentence(i), label: labels[i % len(labels)]} for i in range(rows)]


def jsonl(path: Path, rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*words: str) -> str:
    """`new` in this process: what it printed."""
    ran = CliRunner().invoke(app, ["new", *words])
    if ran.exception and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    assert ran.exit_code == 0, ran.output
    return ran.output


def new(*words: str):
    """`new task`: its spec and what it printed."""
    said = command("task", *words)
    (path,) = Path("tasks").glob("*.yaml")
    kind, spec, _ = read_spec(path)
    assert kind == "task"
    return spec, said


def test_a_csv_of_a_spreadsheet(here):
    """A byte-order mark, CRLF, and cells that hold quotation marks, commas and line ends."""
    lines = ["review,stars"]
    lines += [f'"{sentence(i)} ""Indeed"",\r\nhe said",{i % 2 * 4 + 1}' for i in range(60)]
    Path("reviews.csv").write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    task, said = new("--from", "reviews.csv")
    assert task.task == "reviews"
    assert (task.family, task.columns) == ("classification", {"text": "review", "label": "stars"})
    assert task.labels == {"1": "1", "5": "5"}
    assert (task.train.split, task.dev.split) == ("all[:60%]", "all[60%:80%]")
    assert task.source.files == "../reviews.csv"
    assert "name them in the file by what they mean" in said
    assert "reviews train: 36 rows" in said
    text = Path("tasks/reviews.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=")
    at = {line.rindex("  # ") for line in text.splitlines() if "  # " in line.strip()}
    assert at == {38} and "\n  # licence:" in text  # comments stand below each other
    assert Catalog.load([Path("tasks")]).task("reviews") == task


def test_files_of_a_language_each_are_found_by_name(here):
    for name in ("train.en", "dev.en", "test.en", "test.de", "test.sw"):
        jsonl(
            here / "data" / f"{name}.jsonl",
            [{"id": f"r{i}", **row} for i, row in enumerate(table())],
        )
    jsonl(here / "data" / "notes.jsonl", [{"other": 1}])
    task, said = new("--from", "data/train.en.jsonl", "--name", "mood")
    assert task.languages == ["en", "de", "sw"]
    assert task.source.files == "../data/{split}.{language}.jsonl"
    assert task.columns == {"id": "id", "text": "text", "label": "label"}
    assert task.test.parallel
    assert "mood test sw: 60 rows" in said
    assert "eval --encoder xlm-roberta-base --targets mood" in said


@pytest.mark.parametrize(
    ("names", "asked", "files"),
    [
        (["train.csv", "valid.csv", "test-de.csv"], "f", None),
        (["en/train.csv", "de/test.csv", "en/test.csv"], "f", "{language}/{split}.csv"),
        (["train.csv", "val.csv", "test.csv"], "f", "{split}.csv"),
        (["train_DE.csv", "test_DE.csv"], "f/train_DE.csv", "{split}_{name}.csv"),
        (["x.train.csv", "x.test.csv"], "f/x.{split}.csv", "x.{split}.csv"),
    ],
)  # fmt: skip
def test_a_folder(here, names, asked, files):
    for name in names:
        (here / "f" / name).parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{sentence(i)!r},{i % 2}\n" for i in range(60)).replace("'", '"')
        (here / "f" / name).write_text("text,label\n" + rows)
    if files is None:
        with pytest.raises(HarnessError, match=r"differ in more than a split .* and a language"):
            new("--from", asked)
        return
    task, _ = new("--from", asked, "--name", "it")
    assert task.source.files == f"../f/{files}"
    if "DE" in asked:
        assert (task.languages, task.source.names) == (["de"], {"de": "DE"})
        assert task.train.language == task.dev.language == "de"


def test_two_files_with_a_sentence_a_line(here):
    for name in ("news.de", "news.en", "news.sw"):
        (here / name).write_text("".join(f"{sentence(i)}\n" for i in range(30)))
    task, said = new("--from", "news.de")
    assert (task.family, task.languages) == ("retrieval", ["de", "sw"])
    assert task.source.files == "../news.{part}"
    assert "news test sw: 30 rows" in said


def test_tokens_and_tags(here):
    lines = [f"New\tB-LOC\nYork\tI-LOC\n{word}\tO\n" for word in WORDS * 4]
    (here / "places.conll").write_text("\n".join(lines))
    task, _ = new("--from", "places.conll")
    assert (task.family, task.metric) == ("tagging", "span_f1")
    assert task.labels == ["O", "B-LOC", "I-LOC"]
    more = "\t_" * 6
    words = [f"1\t{word}\t_\tNOUN{more}\n2\tis\t_\tVERB{more}\n" for word in WORDS * 4]
    (here / "upos.conllu").write_text("\n".join(words))
    Path("tasks/places.yaml").unlink()
    task, _ = new("--from", "upos.conllu")
    assert (task.source.conll.token, task.source.conll.tag) == (2, 4)
    assert (task.labels, task.metric) == (["NOUN", "VERB"], "token_accuracy")


def test_squad(here):
    def question(i):
        answers = [{"text": WORDS[i % 10], "answer_start": 4}] if i % 3 else []
        return {"id": f"q{i}", "question": "What?", "answers": answers}

    paragraphs = [{"context": sentence(i), "qas": [question(i)]} for i in range(40)]
    Path("manuals.json").write_text(
        json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]})
    )
    task, _ = new("--from", "manuals.json")
    assert (task.family, task.metric) == ("span_qa", "squad_v2")
    assert task.options == {"unanswerable": True}


def test_choices(here):
    rows = [
        {"story": sentence(i), "end_a": "It rained.", "end_b": "It burned.", "right": "AB"[i % 2]}
        for i in range(40)
    ]
    jsonl(here / "endings.jsonl", rows)
    task, said = new("--from", "endings.jsonl", "--role", "intermediate", "--difficulty", "hard")
    assert "--intermediate endings --targets xnli,panx" in said
    assert task.columns == {"text": "story", "choices": ["end_a", "end_b"], "label": "right"}
    assert task.labels == {"a": "A", "b": "B"}
    assert task.difficulty.chance.value == 50.0
    assert task.test is None
    choice = ["Yes, it is.", "Not at all."]
    by_text = [{"q": sentence(i), "choice": choice, "answer": choice[i % 2]} for i in range(40)]
    jsonl(here / "said.jsonl", by_text)
    Path("tasks/endings.yaml").unlink()
    task, _ = new("--from", "said.jsonl")
    assert task.columns == {"text": "q", "choices": "choice", "answer": "answer"}
    assert task.labels == ["a", "b"]


def test_names_of_numbers_in_a_parquet_file(here):
    """What the `datasets` library writes beside the numbers."""
    names = {"info": {"features": {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    rows = pa.Table.from_pylist(table(labels=(0, 1)))
    rows = rows.replace_schema_metadata({"huggingface": json.dumps(names)})
    pq.write_table(rows, "mood.parquet")
    task, _ = new("--from", "mood.parquet")
    assert task.labels == ["no", "yes"]


def test_another_tasks_rows_train(here):
    numbers = {"entailment": 0, "neutral": 1, "contradiction": 2}
    rows = [
        {"premise": sentence(i), "hypothesis": sentence(i + 7), "label": str(i % 3)}
        for i in range(60)
    ]
    jsonl(here / "test.de.jsonl", [*rows, rows[0] | {"label": "-1"}])
    task, said = new("--from", "test.de.jsonl", "--train-task", "mnli", "--name", "nli")
    assert (task.train.task, task.languages, task.dev) == ("mnli", ["de"], None)
    assert task.labels == {name: str(numbers[name]) for name in task.labels}
    assert task.source.unless == {"label": "-1"}
    assert "taken to mean what they mean in mnli" in said


def test_one_label_for_nearly_all(here):
    jsonl(here / "spam.jsonl", table(100, ["no"] * 9 + ["yes"]))
    task, said = new("--from", "spam.jsonl")
    assert task.metric == "macro_f1"
    assert "90% of the rows have one label" in said


def refused(write):
    """What is said of a file, in one line."""
    write()
    (path,) = [path for path in Path().iterdir() if path.is_file()]
    with pytest.raises(HarnessError) as error:
        new("--from", path.name, "--name", "it")
    assert not Path("tasks").is_dir() or not list(Path("tasks").iterdir())
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "the file is empty"),
        ("a.csv", "text,label\n", "has no rows"),
        ("a.jsonl", "", "it has no rows"),
        ("a.xlsx", "PK", "save it as .csv"),
        ("a.txt", "one\ntwo\n", "x.de.txt and x.en.txt"),
        ("a.csv", "text;label\na b c;x\n", "a semicolon stands between"),
        ("a.tsv", "".join(f"{sentence(i)}\t{i % 2}\n" for i in range(40)), "seems to be a row"),
        ("a.tsv", "".join(f"word{i}\t{'ab'[i % 2]}\n" for i in range(40)), "seems to be a row"),
        ("a.csv", "text,label\n" + "a b c d,x\n" * 30, "of one class nothing can be learned"),
        ("a.jsonl", table(5000, [f"c{i}" for i in range(5000)]),
         "column label has 5,000 different values in 5,000 rows"),
        ("a.jsonl", [*table(), {"text": "x", "label": 3}], "holds both text and numbers"),
        ("a.jsonl", [*table(), {"text": "x", "label": None}], "has nothing in row 60"),
        ("a.jsonl", [*table(), {"text": "x", "label": True}], "holds both true and false and text"),
        ("a.jsonl", [{"tokens": ["a", "b"], "tags": [0, -100]} for _ in range(40)],
         "column tags has the tag -100, by which a training skips parts of words"),
        ("my_train.jsonl", table(), "is my a language, or a word? Say with --language"),
        ("news.pt-br.jsonl", table(), "pt-br in a file's name may be two languages, or one and a"),
        ("test-context-de-question-ar.jsonl", table(), "de and ar in a file's name may be two"),
        ("de-en.tsv", "source\ttarget\n" + "eins zwei\tone two\n" * 40, "may be two languages"),
        ("a-00000-of-00002.jsonl", table(), "one of 2 files that make a split"),
        ("a.jsonl", [{**row, "split": ("train", "Test")[len(row["text"]) % 2]} for row in table()],
         "column split says test, train: put those rows into files of their own"),
        ("a.arrow", "ARROW1", "write its rows with to_parquet"),
        ("a.conll", "".join(f"{i % 2 + 1}\ta{i}\tO\tB-X\n" + "\n" * (i % 2) for i in range(40)),
         "which of its 4 columns is the tag? Write the task's YAML by hand"),
        ("a.jsonl", table(labels=(0.5, 1.5)), "which are no classes"),
        ("a.jsonl", [{"a": sentence(i), "b": sentence(i + 1), "label": i % 2} for i in range(40)],
         "several columns of text: a, b; say which is read: --text A"),
        ("a.jsonl", [{"text": sentence(i), "colour": "rg"[i % 2], "size": "sl"[i // 2 % 2]}
                     for i in range(40)], "which column is the label? colour"),
        ("a.jsonl", [{"text": sentence(i)} for i in range(40)], "say --family mlm"),
        ("a.jsonl", table(6), "6 rows are too few to take parts of"),
        ("a.jsonl", sorted(table(), key=lambda row: row["label"]), "seem to be sorted by label"),
        ("test.jsonl", table(), "rows to train on are missing (there is: test)"),
        ("a.jsonl", [{"passage": sentence(i), "question": f"What, {i}?", "answer": WORDS[i % 10]}
                     for i in range(40)], "seems to hold words of passage, and not where they"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_asked_for(here, name, content, said):
    def write():
        if isinstance(content, str):
            Path(name).write_text(content)
        else:
            jsonl(Path(name), content)

    assert said in refused(write)


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        (("--text", "b"), {"text": "b", "label": "label"}),
        (("--text", "a", "--text", "b"), {"text": ["a", "b"], "label": "label"}),
        (("--text", "a", "--text-pair", "b"), {"text": "a", "text_pair": "b", "label": "label"}),
        (("--text", "a", "--label", "other"), {"text": "a", "label": "other"}),
    ],
)
def test_options_say_what_was_asked(here, options, columns):
    rows = [
        {"a": sentence(i), "b": sentence(i + 1), "label": i % 2, "other": i % 3} for i in range(60)
    ]
    jsonl(here / "pairs.jsonl", rows)
    task, _ = new("--from", "pairs.jsonl", *options)
    assert task.columns == columns


def test_nothing_is_written_over_unless_forced(here):
    jsonl(here / "mood.jsonl", table())
    new("--from", "mood.jsonl")
    Path("tasks/mood.yaml").write_text("mine")
    with pytest.raises(HarnessError, match=r"tasks/mood.yaml is there already; --force"):
        new("--from", "mood.jsonl")
    assert Path("tasks/mood.yaml").read_text() == "mine"
    new("--from", "mood.jsonl", "--force")
    new("--from", "mood.jsonl", "--force")  # over what it wrote itself
    with pytest.raises(HarnessError, match=r"task mnli is there already, at .*mnli.yaml"):
        new("--from", "mood.jsonl", "--name", "mnli")


def test_rows_that_cannot_be_used_leave_nothing_behind(here):
    rows = table()
    rows[7] = {"text": 12, "label": "good"}
    jsonl(here / "mood.jsonl", rows)
    with pytest.raises(HarnessError, match="row 7 has 12, a whole number"):
        new("--from", "mood.jsonl", "--text", "text")
    assert list(Path("tasks").iterdir()) == []


def test_packed_files(here):
    with gzip.open("mood.train.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in table())
    task, _ = new("--from", "mood.train.jsonl.gz")
    assert (task.task, task.train.split) == ("mood", "train[:60%]")


def test_an_encoder_from_a_folder(here):
    config = {
        "model_type": "bert",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
    }
    folder = here / "my-checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
    weights = {f"w{i}": np.zeros(2, np.float32) for i in range(40)}
    save_file(weights, folder / "model.safetensors")
    said = command("encoder", "./my-checkpoint")
    text = Path("tasks/my-checkpoint.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=")
    assert all(f"# {line}\n" in text for line in said.splitlines()[:-1])
    encoder = Catalog.load([Path("tasks")]).encoder("my-checkpoint")
    assert (encoder.architecture, encoder.max_length) == ("bert", 64)
    with pytest.raises(HarnessError, match="is there already; --force"):
        command("encoder", "./my-checkpoint")
    with pytest.raises(HarnessError, match=r"encoder roberta-base is there already, at .*yaml"):
        command("encoder", "FacebookAI/roberta-base", "--offline")


def test_a_suite_from_the_options_of_eval(here):
    words = ["--encoder", "roberta-base", "--targets", "xnli,panx", "--intermediate", "mnli"]
    said = command("suite", *words, "--name", "mine")
    suite = Catalog.load([Path("tasks")]).suites["mine"]
    assert (suite.encoders, suite.targets) == (["roberta-base"], ["xnli", "panx"])
    assert [arm.name for arm in suite.arms] == ["none", "mnli"]
    assert (suite.protocol, suite.seeds) == ("default", [1, 2, 3])
    assert "plan --suite mine" in said
    assert "# caps: {train: 1000" in Path("tasks/mine.yaml").read_text()
    with pytest.raises(HarnessError, match="say what the suite is made of"):
        command("suite")
    with pytest.raises(HarnessError, match="--limit is no part of a suite"):
        command("suite", *words, "--limit", "5")


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("/data/Hotel-Reviews.csv", "hotel_reviews"),
        ("/data/hotel.reviews.{split}.{language}.jsonl.gz", "hotel_reviews"),
        ("/data/n.{part}.txt", "n"),
        ("/data/my set/{split}-00000-of-00001.parquet", "my_set"),
        ("/data/mood/{language}/{split}.tsv", "mood"),
    ],
)
def test_a_task_is_called_as_its_files_are(template, name):
    assert name_of(FoundFiles(template, {}), template) == name


@pytest.mark.parametrize(
    ("files", "asked", "name"),
    [
        (["train_de.jsonl"], "train_de.jsonl", "train_de"),
        (["data/train_de.jsonl"], "data/train_de.jsonl", "train_de"),
        (["hotels/train_de.jsonl"], "hotels/train_de.jsonl", "hotels"),
        (["hotels/de/train.jsonl"], "hotels/de/train.jsonl", "hotels"),
        (["hotels/data/train.jsonl", "hotels/data/test.jsonl"], "hotels/data", "hotels"),
    ],
)
def test_a_task_whose_files_have_no_name_is_called_as_the_user_called_them(
    files, asked, name, here
):
    for file in files:
        jsonl(here / file, table())
    assert new("--from", asked)[0].task == name


def test_what_the_user_says_of_the_language_goes_before_a_files_name(here):
    jsonl(here / "mood.is.jsonl", table())
    with pytest.raises(HarnessError, match="--language germn; did you mean 'de'"):
        new("--from", "mood.is.jsonl", "--language", "germn")
    task, _ = new("--from", "mood.is.jsonl", "--language", "German")
    assert (task.languages, task.source.files) == (["de"], "../mood.is.jsonl")


def test_regions_and_names_of_languages_in_names_of_files(here):
    for word in ("english", "pt-BR"):
        jsonl(here / f"mood.{word}.jsonl", table())
    task, _ = new("--from", "mood.english.jsonl")
    assert (task.languages, task.source.names) == (["en", "pt"], {"en": "english", "pt": "pt-BR"})


def test_a_family_with_files_of_its_own_is_no_guess_from_columns(here):
    jsonl(here / "mood.jsonl", table())
    with pytest.raises(HarnessError, match="the columns are not its own"):
        new("--from", "mood.jsonl", "--family", "entity_linking")


@pytest.mark.parametrize("words", [("pt-BR", "pt"), ("zh-Hans", "zh-Hant"), ("DE", "de")])
def test_two_files_of_one_language_are_not_one(here, words):
    """The first was left out without a word."""
    for word in ("en", *words):
        jsonl(here / f"mood/train.{word}.jsonl", table())
    with pytest.raises(HarnessError, match=f"{' and '.join(words)} in names of files are both of"):
        new("--from", "mood/train.en.jsonl")


def test_a_brace_in_a_files_name_is_text(here):
    jsonl(here / "mood{x}.jsonl", table())
    task, _ = new("--from", "mood{x}.jsonl")
    assert task.source.files == "../mood{{x}}.jsonl"


def test_two_languages_of_tokens_and_tags(here):
    lines = [f"New\tB-LOC\nYork\tI-LOC\n{word}\tO\n" for word in WORDS * 4]
    for language in ("en", "de"):
        (here / f"ner.{language}.conll").write_text("\n".join(lines))
    task, _ = new("--from", "ner.en.conll")
    assert task.languages == ["en", "de"]
    assert task.test.parallel


def test_a_dialogue_is_read_with_its_question(here):
    choice = ["Yes, it is.", "Not at all."]
    rows = [
        {"dialogue": [sentence(i), sentence(i + 1)], "question": f"What, {i}?",
         "choice": choice, "answer": choice[i % 2]} for i in range(40)
    ]  # fmt: skip
    jsonl(here / "talks" / "plain_text" / "train.jsonl", rows)
    task, _ = new("--from", "talks")
    assert task.task == "talks"
    assert task.columns["text"] == "{dialogue} {question}"


def test_a_long_text_beside_a_known_one_is_asked_about(here):
    rows = [
        {"title": f"Part {i}", "text": sentence(i), "story": sentence(i + 1) * 2, "label": i % 2}
        for i in range(40)
    ]
    jsonl(here / "mood.jsonl", rows)
    with pytest.raises(HarnessError, match=r"several columns of text: .*story"):
        new("--from", "mood.jsonl")


def test_translations_of_training_rows_are_not_tested(here):
    rows = [{"id": i, **row} for i, row in enumerate(table(60))]
    jsonl(here / "par.en.jsonl", rows)
    jsonl(here / "par.de.jsonl", rows[30:] + rows[:30])
    with pytest.raises(HarnessError, match=r"is a test row in de and trains or selects in en"):
        new("--from", "par.en.jsonl")
    jsonl(here / "par.de.jsonl", rows)
    task, _ = new("--from", "par.en.jsonl")
    assert task.test.parallel


def test_translations_in_one_file_are_told_apart_by_its_column_of_languages(here):
    english = [{"id": i, "lang": "en", **row} for i, row in enumerate(table(60))]
    german = [row | {"lang": "de"} for row in english]
    jsonl(here / "long.jsonl", english + german[30:] + german[:30])
    with pytest.raises(HarnessError, match=r"is a test row in de and trains or selects in en"):
        new("--from", "long.jsonl")
    both = list(zip(english, german, strict=True))
    jsonl(here / "long.jsonl", [row for pair in both for row in pair])
    task, said = new("--from", "long.jsonl")
    assert task.test.parallel and task.columns["id"] == "id"
    assert "long test de: 12 rows" in said
    # of one language, and not all rows as if they were of it
    task, said = new("--from", "long.jsonl", "--language", "de", "--force")
    assert (task.languages, task.source.where) == (["de"], {"lang": "{language}"})
    assert "long train: 36 rows" in said


@pytest.mark.parametrize(
    ("column", "words", "names"),
    [
        ("lang", ("english", "German"), {"en": "english", "de": "German"}),
        ("locale", ("en-US", "de_DE"), {"en": "en-US", "de": "de_DE"}),
        ("language", ("en", "de"), {}),
        ("lang", ("en", "martian"), "names no language"),
        ("locale", ("en-US", "en-GB"), "both of language en"),
    ],
)
def test_a_column_of_languages(here, column, words, names):
    jsonl(here / "mood.jsonl", [row | {column: words[i // 2 % 2]} for i, row in enumerate(table())])
    if isinstance(names, str):
        with pytest.raises(HarnessError, match=names):
            new("--from", "mood.jsonl")
        return
    task, said = new("--from", "mood.jsonl")
    assert (task.languages, task.source.names) == (["en", "de"], names)
    assert "not read" not in said


def test_a_folders_name_says_the_language(here):
    for folder in ("deu_Latn", "eng_Latn"):
        for split in ("train", "test"):
            jsonl(here / "topics" / folder / f"{split}.jsonl", table())
    task, _ = new("--from", "topics/deu_Latn/train.jsonl", "--name", "one")
    assert task.languages == ["de"]
    Path("tasks/one.yaml").unlink()
    task, _ = new("--from", "topics/{language}/{split}.jsonl")
    assert task.languages == ["en", "de"]
    jsonl(here / "my" / "mood.jsonl", table())
    with pytest.raises(HarnessError, match=r"a language, or a word\? Say with --language"):
        new("--from", "my/mood.jsonl")


def test_places_of_choices_that_may_count_from_0_or_1_are_asked_about(here):
    rows = [
        {"q": sentence(i), "choice": ["a b", "c d", "e f", "g h"], "label": i % 3 + 1}
        for i in range(40)
    ]
    jsonl(here / "exam.jsonl", rows)
    with pytest.raises(HarnessError, match="of 4 choices: counted from 0 or from 1"):
        new("--from", "exam.jsonl")


def test_labels_that_differ_by_case_are_said(here):
    jsonl(here / "mood.jsonl", table(80, ("pos", "neg", "POS", "NEG")))
    _, said = new("--from", "mood.jsonl")
    assert "NEG and neg, POS and pos differ by upper and lower case only" in said


def test_columns_of_two_languages_are_translations(here):
    rows = [{"de": sentence(i), "en": sentence(i + 1)} for i in range(40)]
    jsonl(here / "pairs.jsonl", rows)
    task, _ = new("--from", "pairs.jsonl")
    assert (task.family, task.languages) == ("retrieval", ["de"])
    assert task.columns == {"source": "de", "target": "en"}


@pytest.mark.parametrize(
    ("values", "labels", "tells"),
    [
        ((-1, 0, 1), {"-1": -1, "0": 0, "1": 1}, "-1 is taken as a label, that of 20 rows"),
        ((-1, 1), {"-1": -1, "1": 1}, "-1 is taken as a label, that of 30 rows"),
        ((*(0, 1) * 15, -1), {"0": 0, "1": 1}, "1 rows with label -1 are left out"),
        ((*("n", "y") * 15, "-"), ["n", "y"], "1 rows with label - are left out"),
        ((True, False), {"false": False, "true": True}, ""),
    ],
)
def test_less_than_nothing_may_be_a_label(here, values, labels, tells):
    """A third of the rows, bad beside 0 and 1, was left out without a word."""
    jsonl(here / "mood.jsonl", table(60, values))
    task, said = new("--from", "mood.jsonl")
    assert repr(task.labels) == repr(labels)  # of 1 and true too
    assert task.source.unless == ({"label": str(values[-1])} if "left out" in tells else {})
    assert tells in said
    assert tells or "-1" not in said


def test_test_labels_that_are_secret_are_said_to_be(here):
    jsonl(here / "mood/train.jsonl", table(60, (0, 1)))
    jsonl(here / "mood/test.jsonl", table(20, (-1,)))
    with pytest.raises(HarnessError, match="column label has -1 in every row of test, as where"):
        new("--from", "mood")


def test_choices_are_read_in_the_order_of_their_names(here):
    """a was the text of option_b, and option_f was none."""
    rows = [
        {
            "question": sentence(i),
            **{f"option_{c}": f"{c}{i}" for c in "fbacde"},
            "label": "ABF"[i % 3],
        }
        for i in range(60)
    ]
    jsonl(here / "quiz.jsonl", rows)
    task, _ = new("--from", "quiz.jsonl")
    assert task.columns["choices"] == [f"option_{c}" for c in "abcdef"]
    assert task.labels == {c: c.upper() for c in "abcdef"}


def test_rows_may_name_their_choices_each_otherwise(here):
    names = [["A", "B"], ["1", "2"]]
    rows = [
        {
            "question": sentence(i),
            "choices": {"text": [f"yes {i}", "no"], "label": names[i % 2]},
            "answerKey": names[i % 2][i // 2 % 2],
        }
        for i in range(60)
    ]
    jsonl(here / "arc.jsonl", [*rows, {**rows[0], "answerKey": "-1"}])
    task, said = new("--from", "arc.jsonl")
    assert "1 rows with label -1 are left out" in said
    assert task.labels == ["a", "b"]
    assert task.source.unless == {"answerKey": "-1"}


@pytest.mark.parametrize(
    ("name", "line", "columns"),
    [
        ("a.conll", "# id {i} domain=en\nan{i} _ _ B-X\nit _ _ O\n", (1, 4, "#")),
        ("a.conll", "1\tan{i}\tB-X\n2\tit\tO\n", (2, 3, None)),
        ("a.iob2", "# text\n1\tan{i}\tB-X\t-\tann\n2\tit\tO\t-\tann\n", (2, 3, None)),
        ("a.conll", "B-X\tan{i}\nO\tit\n", (2, 1, None)),
        ("a.conll", "an{i} B-Y B-X\nit O O\n", (1, 3, None)),
    ],
)
def test_columns_of_tokens_are_those_that_look_like_them(here, name, line, columns):
    """Words were 1, 2, 3; a comment of four words was one more word."""
    Path(name).write_text("\n".join(line.format(i=i) for i in range(40)))
    task, _ = new("--from", name, "--name", "names")
    assert tuple(task.source.conll.model_dump().values()) == columns
    assert task.labels == ["O", "B-X"]


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("mlqa-context-de-question-de.jsonl", "de"),
        ("de_gsd-ud-train.conllu", "de"),
        ("news.zh-Hant.jsonl", "zh"),
        ("news.it.jsonl", "it"),
    ],
)
def test_languages_in_more_names_of_files(here, name, language):
    word = "{i}\tan\t_\t{tag}\t_\t_\t_\t_\t_\t_\n"
    tokens = word.format(i=1, tag="DET") + word.format(i=2, tag="NOUN")
    if name.endswith("u"):
        Path(name).write_text("\n".join([tokens] * 40))
    else:
        jsonl(Path(name), table())
    task, _ = new("--from", name, "--name", "it")
    assert task.languages == [language]


def test_what_datasets_puts_beside_rows_is_none(here):
    jsonl(here / "mood/train.jsonl", table())
    (here / "mood/dataset_info.json").write_text("{}")
    task, _ = new("--from", "mood")
    assert task.source.files == "../mood/{split}.jsonl"


def test_all_files_have_the_columns_that_are_read(here):
    jsonl(here / "mood/train.jsonl", table())
    jsonl(here / "mood/test.jsonl", table(label="gold"))
    with pytest.raises(HarnessError, match=r"mood/test\.jsonl: no column label, which other files"):
        new("--from", "mood")


def test_a_dot_in_a_columns_name(here):
    jsonl(here / "mood.jsonl", table(text="review.body"))
    task, said = new("--from", "mood.jsonl")
    assert task.columns["text"] == "review.body"
    assert "not read" not in said


def test_a_language_that_only_some_rows_say_is_asked_about(here):
    jsonl(here / "mood.jsonl", [*table(), {**table()[0], "lang": "de"}])
    with pytest.raises(HarnessError, match="column lang has None, which names no language"):
        new("--from", "mood.jsonl")


def test_languages_that_are_sorted_by_label_are_not_parallel(here):
    for language in ("en", "de"):
        for split, rows in (("train", 60), ("test", 40)):
            mood = sorted(table(rows), key=lambda row: row["label"])
            jsonl(here / f"mood/{split}.{language}.jsonl", mood)
    task, _ = new("--from", "mood")
    assert task.languages == ["en", "de"]
    assert task.test.parallel is None


def test_languages_may_share_their_english_sentences(here):
    """Each stood in two files, and so was a class."""
    for language in ("de", "fr"):
        rows = [{"source": f"{language} {sentence(i)}", "target": sentence(i)} for i in range(60)]
        jsonl(here / f"news.{language}.jsonl", rows)
    task, _ = new("--from", "news.de.jsonl")
    assert (task.family, task.languages) == ("retrieval", ["de", "fr"])


def test_choices_that_are_numbers_are_choices(here):
    rows = [
        {"question": sentence(i), "option_a": i, "option_b": 1, "label": "AB"[i % 2]}
        for i in range(60)
    ]
    jsonl(here / "sums.jsonl", rows)
    with pytest.raises(HarnessError, match="row 0 has 0, a whole number, in column 'option_a'"):
        new("--from", "sums.jsonl")


def test_files_of_languages_that_are_not_known_are_said_to_be_left_out(here):
    for name in ("train.eng", "test.eng", "test.deu", "notes.deu"):
        jsonl(here / f"mood/{name}.jsonl", table())
    task, said = new("--from", "mood/train.eng.jsonl")
    assert task.languages == ["en"]
    assert "left out: test.deu.jsonl; that is no language known here" in said
