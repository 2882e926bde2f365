"""What everybody is measured on: encoders, rows of a task, and a job of this harness that reads
them.

Real rows and weights where they are (XSTILTS_DATA_ROOT, the package of all-MiniLM-L6-v2), else
drawn ones of the same sizes: how long a text is decides the speed, not what it says.
"""

import itertools
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.common import variables
from harness.families import FAMILIES
from harness.jobs.context import Context
from harness.spec.recipe import Recipe
from harness.store import Store, file_sha256
from harness.store.job import described

Row = dict[str, Any]
SEED = 1
WORDS = 30_000  # of a vocabulary that is drawn


@dataclass(frozen=True)
class Sizes:
    """Of an encoder with random weights. `words`: how many subwords its texts may hold."""

    kind: str
    layers: int
    width: int
    vocabulary: int
    words: int = WORDS

    def config(self) -> Any:
        from transformers import BertConfig, XLMRobertaConfig

        of_kind = {"bert": BertConfig, "xlm-roberta": XLMRobertaConfig}[self.kind]
        return of_kind(
            vocab_size=self.vocabulary,
            num_hidden_layers=self.layers,
            hidden_size=self.width,
            num_attention_heads=max(1, self.width // (32 if self.width == 384 else 64)),
            intermediate_size=4 * self.width,
            max_position_embeddings=514 if self.kind == "xlm-roberta" else 512,
            pad_token_id=SPECIAL[self.kind].index("<pad>" if self.kind == "xlm-roberta" else PAD),
        )


PAD = "[PAD]"
SPECIAL = {
    "bert": [PAD, "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    "xlm-roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
}
TEMPLATES = {  # of one text, of two
    "bert": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"),
    "xlm-roberta": ("<s> $A </s>", "<s> $A </s> </s> $B </s>"),
}
MINILM = Sizes("bert", 6, 384, 30_522)
MINILM_250K = Sizes("bert", 6, 384, 250_002)
XLMR_BASE = Sizes("xlm-roberta", 12, 768, 250_002)
XLMR_LARGE = Sizes("xlm-roberta", 24, 1024, 250_002)


@dataclass(frozen=True)
class Shape:
    """One workload. `tokens`: all rows are exactly so long; None: as long as real ones."""

    name: str
    family: str
    max_length: int
    sizes: Sizes = MINILM
    batch: int = 16
    pool: int = 1600  # rows that batches are drawn from
    tokens: int | None = None
    words: int | None = None  # of a text on average, where rows are drawn; None: as real ones

    @property
    def task(self) -> dict[str, Any]:
        """As a job has it. Heads are those that transformers has for these tasks."""
        family = FAMILIES[self.family]
        options = {"classification": {"head": "native"}}.get(self.family, {})
        return {
            "family": self.family,
            "version": 1,
            "labels": LABELS.get(self.family, []),
            "max_length": self.max_length,
            "options": family.options(**options).model_dump(),
            "metric": METRIC[self.family],
        }


LABELS = {
    "classification": ["entailment", "neutral", "contradiction"],
    "tagging": ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"],
}
METRIC = {"classification": "accuracy", "tagging": "span_f1", "span_qa": "squad"}
COLUMNS = {
    "classification": {"text": "text", "text_pair": "text_pair", "label": "label"},
    "tagging": {"tokens": "tokens", "tags": "tags"},
    "span_qa": {"context": "context", "question": "question", "answers": "answers"},
}


@dataclass
class Material:
    """A shape with its encoder and rows on disk. Travels to the processes that are measured."""

    shape: Shape
    folder: Path
    encoder: Path
    rows: Path
    real: dict[str, str]  # encoder, rows → whether they are real, in words
    recipe: dict[str, Any] = field(default_factory=dict)  # over the defaults

    @property
    def full_recipe(self) -> Recipe:
        """What all contenders train by."""
        fields = {"learning_rate": 2e-5, "batch_size": self.shape.batch, "evaluations": 0}
        return Recipe(**(fields | self.recipe))

    def context(self) -> Context:
        """A job of this harness that trains on the rows."""
        shape, recipe = self.shape, self.full_recipe.model_dump()
        spec = {"phase": "target", "seed": SEED, "tasks": {"rows": shape.task}, "recipe": recipe}
        spec |= {"sampler": None, "control": None, "rows": None, "watch": False, "init": None}
        found = {"name": "bench", "folder": str(self.encoder), "declared": {}}
        found["identity"] = {"max_length": 512}
        data = {"train": {"rows": self._described()}, "dev": {}}
        job = described("train", f"bench {shape.name}", spec, data, found)
        store = Store(self.folder / "store")
        return Context(store, job["key"], job, self.folder, lambda *done: None, lambda: False)

    def _described(self) -> dict[str, Any]:
        family = self.shape.family
        part = {"sha256": [file_sha256(self.rows)], "split": "train", "start": None, "stop": None}
        identity = {"family": family, "parts": [part], "where": {}, "unless": {}, "cap": None}
        identity |= {"columns": COLUMNS[family], "labels": LABELS.get(family)}
        location = [{"files": [str(self.rows)]}]
        return {"name": self.rows.stem, "identity": identity, "location": location}


def material(shape: Shape, folder: Path, real: bool = True) -> Material:
    """Writes the rows and, where it is not installed, the encoder of a shape into `folder`.

    real  False: everything is drawn, as on a machine that has nothing
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = installed() if real else None
    encoder, encoder_words = _encoder(shape.sizes, folder.parent, found)
    rows = real_rows(shape) if real and not shape.tokens else None
    said = "real" if rows else "drawn, of the lengths of real ones"
    if shape.tokens:
        said = f"drawn, of {shape.tokens} subwords"
    rows = rows or drawn_rows(shape, encoder)
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Material(shape, folder, encoder, file, {"encoder": encoder_words, "rows": said})


# Encoders


def installed() -> Path | None:
    """The folder of all-MiniLM-L6-v2, where it is installed."""
    from harness.sources.encoders import find
    from harness.sources.hub import Where
    from harness.spec.catalog import Catalog
    from harness.store import HashIndex

    with tempfile.TemporaryDirectory() as folder:
        try:
            spec = Catalog.load([]).encoder("all-MiniLM-L6-v2")
            return Path(find(spec, Where(offline=True), HashIndex(Path(folder, "index"))).folder)
        except Exception:
            return None


def _encoder(sizes: Sizes, beside: Path, found: Path | None) -> tuple[Path, str]:
    """(its folder, what it is), written into a folder beside that of the rows if it is drawn."""
    if sizes == MINILM and found:
        return found, "all-MiniLM-L6-v2"
    layers = f"{sizes.layers} layers of {sizes.width}, {sizes.vocabulary:,} subwords"
    folder = beside / f"{sizes.kind}-{sizes.layers}-{sizes.width}-{sizes.vocabulary}"
    tokenizer = found if sizes.kind == "bert" and sizes.width == MINILM.width else None
    if not folder.is_dir():
        random_encoder(sizes, folder, tokenizer)
    return folder, f"random weights: {layers}"


def random_encoder(sizes: Sizes, folder: Path, tokenizer: Path | None) -> None:
    """Weights as at the start of a pretraining; a tokenizer of drawn words, or a copy."""
    import torch
    import transformers

    transformers.logging.disable_progress_bar()
    config = sizes.config()
    torch.manual_seed(SEED)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    if tokenizer is None:
        _drawn_tokenizer(sizes, folder)
        return
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if (tokenizer / name).is_file():
            shutil.copy(tokenizer / name, folder / name)


def _drawn_tokenizer(sizes: Sizes, folder: Path) -> None:
    """A subword a word, so that a text's length is known before."""
    from tokenizers import Tokenizer, pre_tokenizers, processors
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    special, (single, pair) = SPECIAL[sizes.kind], TEMPLATES[sizes.kind]
    words = [*special, *drawn_words(min(sizes.words, sizes.vocabulary) - len(special))]
    unknown = next(word for word in special if "unk" in word.lower())
    fast = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token=unknown))
    fast.pre_tokenizer = pre_tokenizers.Whitespace()
    known = [(word, i) for i, word in enumerate(special)]
    fast.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=known
    )
    first, separator = single.split()[0], single.split()[-1]
    names = {
        "pad_token": next(word for word in special if "pad" in word.lower()),
        "unk_token": unknown,
        "mask_token": special[-1],
        "cls_token": first,
        "sep_token": separator,
    }
    inputs = ["input_ids", "attention_mask"]
    if sizes.kind == "bert":
        inputs.insert(1, "token_type_ids")
    PreTrainedTokenizerFast(
        tokenizer_object=fast, model_input_names=inputs, **names
    ).save_pretrained(folder)


def drawn_words(count: int) -> list[str]:
    """The letters, then words of four of them."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    longer = itertools.product(letters, repeat=4)
    return [*letters, *("".join(word) for word in itertools.islice(longer, count - len(letters)))]


# Rows


def real_rows(shape: Shape) -> list[Row] | None:
    """As many as the pool holds, drawn from the English ones in hub layout; None where there are
    none."""
    root = variables.told(variables.DATA_ROOT)
    if root is None:
        return None
    folder = Path(root, "google", "xtreme")
    try:
        rows = READERS[shape.family](folder)
    except (OSError, ValueError):  # no such folder, no such configuration
        return None
    order = np.random.default_rng(SEED).permutation(len(rows))[: shape.pool]
    return [rows[int(i)] for i in order]


def _split(folder: Path, config: str, split: str) -> list[Row]:
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        found = datasets.load_dataset(str(folder), config, split=split, cache_dir=cache)
        return [dict(row) for row in found]


def _xnli(folder: Path) -> list[Row]:
    """English dev rows: of the training rows, MNLI's, a partial copy has none."""
    return [
        {"text": row["sentence1"], "text_pair": row["sentence2"], "label": row["gold_label"]}
        for row in _split(folder, "XNLI", "validation")
        if row["language"] == "en"
    ]


def _panx(folder: Path) -> list[Row]:
    rows = _split(folder, "PAN-X.en", "train")
    return [{"tokens": row["tokens"], "tags": row["ner_tags"]} for row in rows]


def _squad(folder: Path) -> list[Row]:
    rows = _split(folder, "SQuAD", "train")
    return [{name: row[name] for name in COLUMNS["span_qa"].values()} for row in rows]


READERS: dict[str, Callable[[Path], list[Row]]] = {
    "classification": _xnli,
    "tagging": _panx,
    "span_qa": _squad,
}

# Words of a text, and of the one beside it: median and spread of a log-normal distribution, which
# real rows fit within a few per cent (XNLI, PAN-X, SQuAD in English).
WORDS_OF = {
    "classification": ((20, 0.55), (10, 0.40)),
    "tagging": ((9, 0.60), (0, 0.0)),
    "span_qa": ((135, 0.40), (11, 0.30)),
}


def drawn_rows(shape: Shape, encoder: Path) -> list[Row]:
    """Rows of random words, of the lengths of real ones, or all of one length."""
    rng = np.random.default_rng(SEED)
    words = np.array(_whole_words(encoder))
    return [
        _row(shape, [list(rng.choice(words, size=size)) for size in _sizes(shape, rng)], rng)
        for _ in range(shape.pool)
    ]


def _sizes(shape: Shape, rng: np.random.Generator) -> tuple[int, int]:
    """Words of the two texts of a row."""
    if shape.tokens:
        pair = 3 if shape.sizes.kind == "bert" else 4  # special tokens
        second = {"classification": shape.tokens // 2 - pair, "span_qa": 12}
        if shape.family not in second:
            raise ValueError(f"no rows of one length are drawn for {shape.family}")
        return shape.tokens - pair - second[shape.family], second[shape.family]
    sizes = []
    for median, spread in WORDS_OF[shape.family]:
        middle = min(median, shape.words or median)
        sizes.append(int(np.exp(rng.normal(np.log(max(1, middle)), spread))))
    return max(1, sizes[0]), max(1, sizes[1])


def _row(shape: Shape, texts: list[list[str]], rng: np.random.Generator) -> Row:
    first, second = texts
    labels = LABELS.get(shape.family, [])
    if shape.family == "tagging":
        return {
            "tokens": first,
            "tags": [int(i) for i in rng.integers(len(labels), size=len(first))],
        }
    if shape.family == "classification":
        label = labels[int(rng.integers(len(labels)))]
        return {"text": " ".join(first), "text_pair": " ".join(second), "label": label}
    answer = int(rng.integers(len(first)))
    start = len(" ".join([*first[:answer], ""])) if answer else 0
    answers = {"text": [first[answer]], "answer_start": [start]}
    return {"context": " ".join(first), "question": " ".join(second), "answers": answers}


def _whole_words(encoder: Path) -> list[str]:
    """What the tokenizer has as one subword, so that a word is one."""
    vocabulary = json.loads((encoder / "tokenizer.json").read_text())["model"]["vocab"]
    return sorted(
        word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 3
    )
