"""Small data sets in the exact form in which the hub serves them: repository, folders, file names,
columns and their types.

The rows are made up here; only the shape is the hub's, and beside each shape stands where it was
read. A class label of the hub is stored as int64. `write_hub` fills a --data-root in which every
split that a task or a protocol names has some rows.
"""

# ruff: noqa: SIM905, forty quoted codes a line would hide the wrong one

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import yaml

TEXT, LABEL, NUMBER = pa.string(), pa.int64(), pa.int32()
TEXTS = pa.list_(TEXT)

# google/xtreme: its card (183 configs) and its files, e.g. commit 54171a6 "Add PAWS-X.en data
# files".
XNLI = "ar bg de el en es fr hi ru sw th tr ur vi zh".split()
PAWSX = "de en es fr ja ko zh".split()
# Rows of PAWS-X test in copies of XTREME's preprocessed files; the card has 1,999 for ko, which
# nobody can align.
PAWSX_TEST = {"de": 2000, "en": 1994, "es": 1994, "fr": 1996, "ja": 1997, "ko": 1999, "zh": 2000}
PANX = """
    af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta
    te th tl tr ur vi yo zh
""".split()
UDPOS = """
    Afrikaans Arabic Bulgarian German Greek English Spanish Estonian Basque Persian Finnish French
    Hebrew Hindi Hungarian Indonesian Italian Japanese Kazakh Korean Marathi Dutch Portuguese
    Russian Tamil Telugu Thai Tagalog Turkish Urdu Vietnamese Yoruba Chinese
""".split()
NO_DEV = {"Kazakh", "Thai", "Tagalog", "Yoruba"}
XQUAD = "ar de el en es hi ru th tr vi zh".split()
MLQA = "ar de en es hi vi zh".split()
TYDIQA = "arabic bengali english finnish indonesian korean russian swahili telugu".split()
TATOEBA = """
    afr ara bul ben deu ell spa est eus pes fin fra heb hin hun ind ita jpn jav kat kaz kor mal mar
    nld por rus swh tam tel tha tgl tur urd vie cmn
""".split()
XCOPA = "et ht id it qu sw ta th tr vi zh".split()
MEWSLIX = "ar de en es fa ja pl ro ta tr uk".split()
SIB200 = Path(__file__).parents[1] / "tasks" / "sib200.yaml"  # it alone names 205 configurations

PAIR = {"sentence1": TEXT, "sentence2": TEXT}
NLI = {"premise": TEXT, "hypothesis": TEXT, "label": LABEL}
ANSWERS = pa.struct([("answer_start", pa.list_(NUMBER)), ("text", TEXTS)])
QUESTION = {"id": TEXT, "title": TEXT, "context": TEXT, "question": TEXT, "answers": ANSWERS}

Table = tuple[str, dict[str, pa.DataType], list[tuple]]


def three_pairs(mark: str) -> list[tuple]:
    """One pair of each label, as the hub numbers them: 0 entailment, 1 neutral, 2 contradiction."""
    premise = f"{mark}: the heron stands in the pond."
    return [
        (premise, "A bird is in the water.", 0),
        (premise, "It is hungry.", 1),
        (premise, "The pond is empty.", 2),
    ]


def two_questions(mark: str) -> list[tuple]:
    """Two questions on one made-up text, with the answers where the text has them."""
    context = f"The {mark} ferry leaves at noon."
    noon = {"answer_start": [context.index("noon")], "text": ["noon"]}
    ferry = {"answer_start": [4, 4], "text": [f"{mark} ferry", mark]}
    return [
        (f"{mark}-1", "ferry", context, "When does it leave?", noon),
        (f"{mark}-2", "ferry", context, "What leaves?", ferry),
    ]


def xtreme_file(config: str, split: str) -> str:
    return f"google/xtreme/{config}/{split}-00000-of-00001.parquet"


def xtreme() -> Iterator[Table]:
    """google/xtreme, as far as the harness reads it: {config}/{split}-00000-of-00001.parquet."""
    yield from xtreme_pairs()
    yield from xtreme_tags()
    yield from xtreme_questions()
    sides = dict.fromkeys(
        ("source_sentence", "target_sentence", "source_lang", "target_lang"), TEXT
    )
    for name in TATOEBA:
        rows = [(f"{name} {i}\n", f"English {i}\n", name, "eng") for i in range(3)]
        yield xtreme_file(f"tatoeba.{name}", "validation"), sides, rows


def xtreme_pairs() -> Iterator[Table]:
    labels = ["neutral", "contradiction", "entailment"]
    for split in ("validation", "test"):
        rows = [
            (lang, f"{lang} {split} {i}", f"{lang} so {i}", label)
            for lang in XNLI
            for i, label in enumerate(labels)
        ]
        yield xtreme_file("XNLI", split), {"language": TEXT} | PAIR | {"gold_label": TEXT}, rows
    for lang in PAWSX:
        for split, count in (("train", 4), ("validation", 2000), ("test", PAWSX_TEST[lang])):
            rows = [
                (f"{lang} {split} {i}", f"{i} {split} {lang}", str(i % 2)) for i in range(count)
            ]
            yield xtreme_file(f"PAWS-X.{lang}", split), PAIR | {"label": TEXT}, rows


def xtreme_tags() -> Iterator[Table]:
    for lang in PANX:
        for split in ("train", "validation", "test"):
            rows = [
                ([lang, "Lina", "Berg", "sings"], [0, 1, 2, 0], [lang] * 4),
                (["Ulm", split], [5, 0], [lang] * 2),
            ]
            yield (
                xtreme_file(f"PAN-X.{lang}", split),
                {"tokens": TEXTS, "ner_tags": pa.list_(LABEL), "langs": TEXTS},
                rows,
            )
    for name in UDPOS:
        for split in ("test", "train") if name in NO_DEV else ("train", "validation", "test"):
            rows = [([name, "sails", "."], [7, 15, 12]), (["She", split], [10, 15])]
            yield (
                xtreme_file(f"udpos.{name}", split),
                {"tokens": TEXTS, "pos_tags": pa.list_(LABEL)},
                rows,
            )


def xtreme_questions() -> Iterator[Table]:
    for lang in XQUAD:
        yield xtreme_file(f"XQuAD.{lang}", "validation"), QUESTION, two_questions(lang)
    for lang in MLQA:
        for split in ("test", "validation"):
            yield (
                xtreme_file(f"MLQA.{lang}.{lang}", split),
                QUESTION,
                two_questions(f"{lang}-{split}"),
            )
    for split in ("train", "validation"):
        yield (
            xtreme_file("tydiqa", split),
            QUESTION,
            [row for name in TYDIQA for row in two_questions(f"{name}-{split}")],
        )


def question_answering() -> Iterator[Table]:
    """rajpurkar/squad (plain_text/...) and rajpurkar/squad_v2 (squad_v2/...), from their cards."""
    for split in ("train", "validation"):
        yield (
            f"rajpurkar/squad/plain_text/{split}-00000-of-00001.parquet",
            QUESTION,
            two_questions(split),
        )
        unanswerable = (
            "u-1",
            "ferry",
            "The ferry leaves.",
            "Who owns it?",
            {"answer_start": [], "text": []},
        )
        rows = [*two_questions(split), unanswerable]
        yield f"rajpurkar/squad_v2/squad_v2/{split}-00000-of-00001.parquet", QUESTION, rows


def inference() -> Iterator[Table]:
    """GLUE's MNLI, QQP, CoLA and SST-2, SNLI, ANLI and the translated MNLI, from the cards of these
    repositories."""
    # nyu-mll/glue: mnli/train-*, mnli/validation_matched-*, ...; idx int32
    for split in ("train", "validation_matched", "validation_mismatched"):
        rows = [(*pair, i) for i, pair in enumerate(three_pairs(f"mnli {split}"))]
        yield f"nyu-mll/glue/mnli/{split}-00000-of-00001.parquet", NLI | {"idx": NUMBER}, rows
    asked = {"question1": TEXT, "question2": TEXT, "label": LABEL, "idx": NUMBER}
    for split in ("train", "validation"):
        rows = [
            ("How far is Ulm?", "What is the way to Ulm?", 1, 0),
            ("How far is Ulm?", "How old is Ulm?", 0, 1),
        ]
        yield f"nyu-mll/glue/qqp/{split}-00000-of-00001.parquet", asked, rows
        for config in ("cola", "sst2"):
            rows = [(f"The {config} {split} sings.", 1, 0), (f"Sings {config} {split} the.", 0, 1)]
            yield (
                f"nyu-mll/glue/{config}/{split}-00000-of-00001.parquet",
                {"sentence": TEXT, "label": LABEL, "idx": NUMBER},
                rows,
            )
        pair = {"sentence1": TEXT, "sentence2": TEXT, "label": LABEL, "idx": NUMBER}
        rows = [(f"A {split} ferry.", "A boat.", 0, 0), (f"A {split} ferry.", "Two.", 1, 1)]
        yield f"nyu-mll/glue/rte/{split}-00000-of-00001.parquet", pair, rows
    # stanfordnlp/snli: plain_text/train-*; -1 where no label was agreed on
    for split in ("train", "validation", "test"):
        first, *others = three_pairs(f"snli {split}")
        rows = [first, ("A dog.", "Nobody agreed on this one.", -1), *others]
        yield f"stanfordnlp/snli/plain_text/{split}-00000-of-00001.parquet", NLI, rows
    # facebook/anli: plain_text/{train,dev,test}_r{1,2,3}-*; uid and reason
    for split in [f"{part}_r{i}" for part in ("train", "dev") for i in (1, 2, 3)]:
        rows = [
            (f"{split}-{i}", *pair, "because")
            for i, pair in enumerate(three_pairs(f"anli {split}"))
        ]
        yield (
            f"facebook/anli/plain_text/{split}-00000-of-00001.parquet",
            {"uid": TEXT} | NLI | {"reason": TEXT},
            rows,
        )
    # facebook/xnli: {language}/train-*
    for lang in XNLI:
        for split in ("train", "validation", "test"):
            yield (
                f"facebook/xnli/{lang}/{split}-00000-of-00001.parquet",
                NLI,
                three_pairs(f"{lang} {split}"),
            )


def multiple_choice() -> Iterator[Table]:
    """HellaSwag, Cosmos QA and CommonsenseQA, from the cards of these repositories."""
    # Rowan/hellaswag at 218ec52: data/train-*; `label` is text; ctx_b is empty for stories that
    # start with the ending
    names = ["activity_label", "ctx_a", "ctx_b", "ctx"]
    story = (
        {"ind": NUMBER}
        | dict.fromkeys(names, TEXT)
        | {"endings": TEXTS, "source_id": TEXT, "split": TEXT}
    )
    endings = ["waves.", "melts.", "is a tuba.", "reads rain."]
    for split in ("train", "validation"):
        rows = [
            (
                4,
                "Sailing",
                "A boat comes.",
                "the crew",
                "A boat comes. the crew",
                endings,
                "v1",
                split,
                "indomain",
                "0",
            ),
            (
                5,
                "Baking",
                "Knead it well.",
                "",
                "Knead it well.",
                endings,
                "w2",
                split,
                "zeroshot",
                "3",
            ),
        ]
        columns = story | {"split_type": TEXT, "label": TEXT}
        yield f"Rowan/hellaswag/data/{split}-00000-of-00001.parquet", columns, rows
    # allenai/cosmos_qa, the hub's conversion of its script: default/{split}/0000.parquet
    names = ["id", "context", "question", "answer0", "answer1", "answer2", "answer3"]
    for split in ("train", "validation"):
        rows = [
            (
                "c##1",
                "I missed the ferry.",
                "Why run ?",
                "Sport .",
                "I was late .",
                "Fear .",
                "None of the above choices .",
                1,
            ),
            (
                "c##2",
                "It rained.",
                "What now ?",
                "Wet .",
                "Dry .",
                "Dust .",
                "None of the above choices .",
                0,
            ),
        ]
        columns = dict.fromkeys(names, TEXT) | {"label": NUMBER}
        yield f"allenai/cosmos_qa/default/{split}/0000.parquet", columns, rows
    # tau/commonsense_qa: data/train-*; choices holds two lists
    letters = list("ABCDE")
    columns = {"id": TEXT, "question": TEXT, "question_concept": TEXT}
    columns |= {"choices": pa.struct([("label", TEXTS), ("text", TEXTS)]), "answerKey": TEXT}
    for split in ("train", "validation"):
        choices = {"label": letters, "text": ["harbour", "oven", "drawer", "cloud", "shoe"]}
        rows = [
            (f"{split}-1", "Where is a ferry?", "ferry", choices, "A"),
            (f"{split}-2", "Where is bread?", "bread", choices, "B"),
        ]
        yield f"tau/commonsense_qa/data/{split}-00000-of-00001.parquet", columns, rows

    yield from more_choices()


def more_choices() -> Iterator[Table]:
    """DREAM, Social IQa and COPA, and XCOPA in its languages."""
    # dataset-org/dream and allenai/social_i_qa, the hub's conversions of their scripts
    columns = {"id": NUMBER, "dialogue_id": TEXT, "dialogue": TEXTS, "question": TEXT}
    columns |= {"choice": TEXTS, "answer": TEXT}
    for split in ("train", "validation", "test"):
        talk = [f"M: Is the {split} ferry late?", "W: It is not."]
        rows = [
            (i, f"1-{i}", talk, "Is it?", ["Yes.", "No.", "Both."], answer)
            for i, answer in enumerate(("No.", "Both."))
        ]
        yield f"dataset-org/dream/plain_text/{split}/0000.parquet", columns, rows
    names = ["context", "question", "answerA", "answerB", "answerC", "label"]
    for split in ("train", "validation"):
        asked = (f"Ida ran {split}.", "Why did Ida do this?", "for fun", "a ferry", "tea")
        rows = [(*asked, "1"), (*asked, "3")]
        path = f"allenai/social_i_qa/default/{split}/0000.parquet"
        yield path, dict.fromkeys(names, TEXT), rows
    # aps/super_glue: copa/train-*; cambridgeltl/xcopa: {language}/test-*, with `changed` behind
    copa = dict.fromkeys(["premise", "choice1", "choice2", "question"], TEXT)
    for split in ("train", "validation"):
        rows = [
            ("It rained.", "I got wet.", "I got rich.", "effect", 4, 0),
            ("I ran.", "I am tall.", "I was late.", "cause", 5, 1),
        ]
        path = f"aps/super_glue/copa/{split}-00000-of-00001.parquet"
        yield (
            path,
            copa | {"idx": NUMBER, "label": LABEL},
            rows,
        )
    for lang in XCOPA:
        for split in ("validation", "test"):
            rows = [
                (f"{lang} rain.", "wet", "rich", "effect", 0, 0, False),
                (f"{lang} run.", "tall", "late", "cause", 1, 1, True),
            ]
            columns = copa | {"label": NUMBER, "idx": NUMBER, "changed": pa.bool_()}
            yield f"cambridgeltl/xcopa/{lang}/{split}-00000-of-00001.parquet", columns, rows


def topics() -> Iterator[Table]:
    """Davlan/sib200 ({language}_{script}/...) and fancyzhx/ag_news (data/...), from their cards."""
    columns = {"index_id": LABEL, "category": TEXT, "text": TEXT}
    for name in yaml.safe_load(SIB200.read_text())["source"]["names"].values():
        for split in ("train", "validation", "test"):
            rows = [(7, "travel", f"{name} {split} ferry."), (3, "sports", f"{name} {split} ball.")]
            yield f"Davlan/sib200/{name}/{split}-00000-of-00001.parquet", columns, rows
    rows = [(f"News {i}.", i % 4) for i in range(40)]
    for split in ("train", "test"):
        path = f"fancyzhx/ag_news/data/{split}-00000-of-00001.parquet"
        yield path, {"text": TEXT, "label": LABEL}, rows


def wikipedia() -> Iterator[Table]:
    """wikimedia/wikipedia: 20231101.{language}/train-*, in several files for large languages, from
    its card."""
    columns = dict.fromkeys(["id", "url", "title", "text"], TEXT)
    for lang in PANX:
        shards = 41 if lang == "en" else 1
        for shard in range(min(shards, 2)):
            rows = [
                (f"{shard}{i:04}", f"https://{lang}.example/{i}", f"Page {i}", f"{lang} page {i}.")
                for i in range(503)
            ]
            yield (
                f"wikimedia/wikipedia/20231101.{lang}/train-{shard:05}-of-{shards:05}.parquet",
                columns,
                rows,
            )


def licensed() -> Iterator[tuple[str, str]]:
    """(path, text) of what is on no hub, as `hint:` asks for it: CCGbank as two columns, BUCC 2018
    as its archives unpack."""
    for split in ("train", "dev"):
        yield f"ccg/{split}.conll", "Herons\tN\nfish\tS[dcl]\\NP\n.\t.\n\nYes\tN\n"
    yield "ccg/tags_to_id.json", json.dumps({"N": 1, ".": 0, "S[dcl]\\NP": 2, "NP/N": 3})
    # {xx}-en.{split}.{xx,en}: id TAB sentence; .gold: id TAB id
    # (comparable.limsi.fr/bucc2018/bucc2018-task.html)
    for lang in ("de", "fr", "ru", "zh"):
        for split in ("sample", "training"):
            base = f"bucc2018/{lang}-en/{lang}-en.{split}"
            yield (
                f"{base}.{lang}",
                "".join(f"{lang}-00000000{i}\t{split} Satz {i}\n" for i in range(4)),
            )
            yield f"{base}.en", "".join(f"en-00000000{i}\t{split} sentence {i}\n" for i in range(3))
            yield (
                f"{base}.gold",
                f"{lang}-000000001\ten-000000002\n{lang}-000000003\ten-000000000\n",
            )
    yield from pools()


def pools() -> Iterator[tuple[str, str]]:
    """XQuAD-R as LAReQA released it, and Mewsli-X as XTREME-R's download_data.sh leaves it."""
    for lang in XQUAD:
        context = f"The {lang} ferry leaves at noon. It is red."
        noon, red = context.index("noon"), context.index("red")
        breaks = [[0, context.index(".") + 1], [context.index("It"), len(context)]]
        qas = [
            {"id": "q1", "question": f"{lang} when?", "answers": [_answer("noon", noon)]},
            {"id": "q2", "question": f"{lang} which colour?", "answers": [_answer("red", red)]},
        ]
        paragraph = {"context": context, "qas": qas, "sentence_breaks": breaks}
        articles = [{"title": "ferry", "paragraphs": [paragraph]}]
        yield f"lareqa/xquad-r/{lang}.json", json.dumps({"version": "1.1", "data": articles})
    for lang in MEWSLIX:
        for split in ("dev", "test"):
            said = f"In {lang} we saw Ulm. It is old."
            mention = {"start": said.index("Ulm"), "end": said.index("Ulm") + 3, "text": "Ulm"}
            context = {"document_title": "t", "document_url": "u", "document_id": "d"}
            context |= {"language": lang, "text": said, "sentence_spans": _spans(said)}
            mentions = [{"example_id": f"{lang}-{split}", "mention_span": mention}]
            mentions[0]["entity_id"] = "Q3012" if split == "dev" else ""
            path = f"mewslix/wikinews_mentions/{split}-{lang}.jsonl"
            yield path, json.dumps({"context": context, "mentions": mentions}) + "\n"
    lines = []
    for entity, said in (("Q3012", "Ulm is a city. It is old."), ("Q1", "The universe. All.")):
        told = {"entity_id": entity, "title": entity, "description": said, "description_url": "u"}
        told |= {"description_language": "en", "sentence_spans": _spans(said)[:1]}
        lines.append(json.dumps(told) + "\n")
    yield "mewslix/candidate_set_entities.jsonl", "".join(lines)


def _answer(words: str, start: int) -> dict:
    return {"text": words, "answer_start": start}


def _spans(text: str) -> list[dict]:
    """Two sentences, with a space between."""
    middle = text.index(".") + 1
    return [{"start": 0, "end": middle}, {"start": middle + 1, "end": len(text)}]


def write_hub(root: Path) -> Path:
    """Write all of it under `root` and return `root`."""
    sources = (xtreme, question_answering, inference, multiple_choice, topics, wikipedia)
    for source in sources:
        for path, columns, rows in source():
            values = zip(*rows, strict=True)
            table = pa.table(
                {
                    name: pa.array(list(v), type)
                    for (name, type), v in zip(columns.items(), values, strict=True)
                }
            )
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            parquet.write_table(table, root / path)
    for path, text in licensed():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root
