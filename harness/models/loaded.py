"""Pretrained weights in memory, their tokenizer, pooling; token lists packed into batches. Wakes
torch, inside its functions.

Where they lie and what their bytes hash to: `harness.sources.encoders`.
"""

import copy
import functools
import inspect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import SpecError
from harness.models.encoder_read import (
    TESTED,
    check_packages,
    known_extra,
    read_config,
    read_tokenizer,
    reading,
    tensors_with,
    vocabulary_file,
)
from harness.sources.encoder_files import (
    DECISIVE,
    PICKLED,
    Files,
    check_files,
    past_the_embedding,
    weight_files,
    weights_of,
)
from harness.sources.encoders import OFFSET_POSITIONS, check_config
from harness.store import unchanged

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from harness.models.packed import Packed

# What architectures call their dropout.
_DROPOUT = ("hidden_dropout_prob", "embedding_dropout", "mlp_dropout", "dropout")
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")

FIRST = (0,)  # the token that a head sees, where a feature does not say


class LoadedEncoder:
    """An encoder in memory: its tokenizer, its config, and as many fresh copies of its weights as
    are asked for.

    `declared`: the facts of its spec to hold against the files; SpecError where they differ.
    """

    def __init__(
        self, folder: str, identity: dict[str, Any], declared: dict[str, Any] | None = None
    ):
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        self.folder, self.identity, self.declared = folder, identity, declared or {}
        self.files = Files(self.declared.get("encoder", folder), Path(folder))
        self.inputs = {Path(folder) / name: sha for name, sha in identity.get("files", {}).items()}
        check_packages(self.files)
        # the plan did, on another machine or long ago
        check_files(self.files, weights_of(self.files))
        with self._as_planned():
            self.config = read_config(self.files)
            self.tokenizer = read_tokenizer(self.files)
        self.max_length = identity["max_length"]
        self._check()

    def _check(self) -> None:
        where = f"encoder {self.files.encoder}"
        check_config(self.config.to_dict(), self.declared, self.max_length)
        # A layout of special tokens may name ids that no piece has.
        pieces = [*self.tokenizer.get_vocab().values(), *self.tokenizer("a", "a")["input_ids"]]
        highest, rows = max(pieces), getattr(self.config, "vocab_size", None)
        # what other files add to tokenizer.json's pieces, the plan does not see
        if isinstance(rows, int) and highest >= rows:
            raise past_the_embedding(self.files, vocabulary_file(self.files.folder), highest, rows)
        pad = self.tokenizer.pad_token_id
        if pad is None:
            raise SpecError(
                f"{where}: its tokenizer has no padding token; name one in tokenizer_config.json"
                " (pad_token)"
            )
        if self.config.model_type in OFFSET_POSITIONS and pad != self.config.pad_token_id:
            raise SpecError(
                f"{where}: its tokenizer pads with {pad}, its config.json with"
                f" {self.config.pad_token_id}, and its position ids are counted from there; the two"
                " files are not of one encoder"
            )
        facts = {"lower_case": self.lower_case, "token_types": self.has_token_types}
        for name, value in facts.items():
            if self.declared.get(name) not in (None, value):
                raise SpecError(
                    f"{where}: its spec says {name}: {str(not value).lower()}, its files"
                    f" {str(value).lower()}"
                )

    @contextmanager
    def _as_planned(self) -> Iterator[None]:
        """What the block reads is what the key names: files with these hashes, and none beside them
        that would be read too.

        raises  SpecError, MissingError: as `store.hold`, or a file has come since
        """
        there = {
            *weight_files(self.files.folder),
            *(name for name in DECISIVE if (self.files.folder / name).is_file()),
        }
        if come := sorted(there - set(self.identity["files"])) if self.inputs else []:
            what = "was not there when the job was planned, and would be read too"
            raise self.files.wrong(come[0], what, "take it away, or plan again with it")
        with unchanged(self.inputs):
            yield

    def fresh(self, dropout: float, attention_dropout: float) -> "PreTrainedModel":
        """A new copy of the pretrained encoder in fp32, with the recipe's dropout and without a
        pooler.

        Draws nothing from the caller's random state, whatever the architecture.
        raises  SpecError: a weight lacks, is of another shape, or is left over that is no known
                head's
        """
        import torch
        from transformers import AutoModel

        from harness.models.packed import prepare

        with torch.random.fork_rng(devices=[]):
            model, info = self._pretrained(AutoModel, dropout, attention_dropout)
        self._refuse(info["missing_keys"], "lacks")
        prepare(model)
        return model

    def unfilled(self, dropout: float, attention_dropout: float) -> "PreTrainedModel":
        """`fresh` for whoever sets every weight: nothing is read, and what they hold is left
        open."""
        import torch
        from transformers import AutoModel
        from transformers.initialization import no_init_weights

        from harness.models.packed import prepare

        config = self._with_dropout(dropout, attention_dropout)
        options = self._without_pooler(AutoModel, config)
        with torch.random.fork_rng(devices=[]), no_init_weights():
            model: PreTrainedModel = AutoModel.from_config(config, dtype=torch.float32, **options)
        model.eval()  # as from_pretrained gives it
        prepare(model)
        return model

    def with_head(self, kind: str) -> "PreTrainedModel":
        """The encoder under the head that its folder has, of one of transformers' Auto classes.

        raises  SpecError: it has no such head, or not all of it
        """
        import transformers

        model, info = self._pretrained(getattr(transformers, kind), 0.0, 0.0)
        self._refuse(
            info["missing_keys"],
            f"is no fine-tuned {kind.removeprefix('AutoModelFor')} model, since it lacks",
        )
        return model

    def masked_lm(self) -> "PreTrainedModel":
        """The encoder under its own masked-LM head. A checkpoint without one (sentence encoders,
        DeBERTa v3) gives a new head, drawn from the caller's random state; one with half of it is a
        SpecError."""
        from transformers import AutoModelForMaskedLM

        model, info = self._pretrained(AutoModelForMaskedLM, 0.0, 0.0)
        own = {name for name, _ in model.named_parameters()}  # tied ones once
        head = {name for name in own if not name.startswith(f"{model.base_model_prefix}.")}
        missing = own & set(info["missing_keys"])
        self._refuse(missing - head if missing >= head else missing, "lacks")
        return model

    def _pretrained(
        self, kind: Any, dropout: float, attention_dropout: float
    ) -> tuple["PreTrainedModel", dict[str, Any]]:
        """(model, what was missing): the weights lie in the page cache after the first read, which
        beats a deep copy.

        kind  one of transformers' Auto classes, whose types do not say what we ask of them
        """
        import torch

        weights = weight_files(self.files.folder)[0]
        config = self._with_dropout(dropout, attention_dropout)
        # they are refused below, by name
        options = {"ignore_mismatched_sizes": True} | self._without_pooler(kind, config)
        options |= {
            "use_safetensors": weights != PICKLED,
            "trust_remote_code": False,
            "local_files_only": True,
        }
        options |= {"config": config, "dtype": torch.float32, "output_loading_info": True}
        with self._as_planned(), reading(self.files, weights):
            model, info = kind.from_pretrained(self.folder, **options)
        left_over = [
            name
            for name in info["unexpected_keys"]
            if not known_extra(name, model.base_model_prefix)
        ]
        self._refuse([mismatch[0] for mismatch in info["mismatched_keys"]], "has in another shape")
        self._refuse(left_over, "has beyond what its config.json names:")
        self._check_numbers(model, weights)
        return model, info

    def _without_pooler(self, kind: Any, config: Any) -> dict[str, Any]:
        """What to tell a class of transformers to build none. SpecError: there is no such class."""
        try:
            model_class = kind._model_mapping[type(config)]
        except KeyError:
            what = (
                f"is of architecture {config.model_type}, for which transformers has no"
                f" {kind.__name__}"
            )
            raise self.files.wrong(
                "config.json", what, f"give an encoder of {', '.join(TESTED)} or the like"
            ) from None
        takes = "add_pooling_layer" in inspect.signature(model_class.__init__).parameters
        return {"add_pooling_layer": False} if takes else {}

    def _with_dropout(self, dropout: float, attention_dropout: float) -> Any:
        """A copy of the configuration with these, under the names that its architecture has for
        them."""
        config = copy.deepcopy(self.config)
        kinds = ((_DROPOUT, dropout), (_ATTENTION_DROPOUT, attention_dropout))
        if not any(hasattr(config, name) for name in (*_DROPOUT, *_ATTENTION_DROPOUT)):
            raise SpecError(
                f"{self.folder}: {config.model_type} has none of the settings"
                f" {', '.join((*_DROPOUT, *_ATTENTION_DROPOUT))}"
            )
        for names, value in kinds:
            # EuroBERT drops attention alone: the recipe's other dropout is its head's
            for name in names:
                if hasattr(config, name):
                    setattr(config, name, value)
        # its embedding is the one that is not trained
        config.pad_token_id = self.tokenizer.pad_token_id
        return config

    def _check_numbers(self, model: "PreTrainedModel", weights: str) -> None:
        """SpecError if a weight is no number, or a matrix holds none but 0."""
        odd, empty = [], []
        for name, tensor in model.named_parameters():
            # A sum is finite only if all its terms are, and takes a tenth of the time; one that is
            # not may have overflowed.
            total = tensor.sum()
            if not (total.isfinite() or tensor.isfinite().all()):
                odd.append(name)
            # the table of RoBERTa's token types is one row, and of zeros
            elif total == 0 and tensor.ndim > 1 and len(tensor) > 2 and not tensor.any():
                empty.append(name)
        if empty:
            raise self.files.wrong(
                weights,
                f"holds nothing but zeros in {len(empty)} of its tensors, such as {empty[0]}, as a"
                " download leaves that took the room and did not fill it",
            )
        if odd:
            raise self.files.wrong(
                weights, f"holds NaN or infinity in {len(odd)} of its tensors, such as {odd[0]}"
            )

    def _refuse(self, tensors: Iterable[str], how: str) -> None:
        """SpecError if there are such tensors."""
        if names := sorted(tensors):
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            some = ", ".join(names[:3]) + more
            raise SpecError(
                f"encoder {self.files.encoder}: its checkpoint {how} {some}; "
                "they would be random or unused, so config.json and weights must be of one encoder"
            )

    def pretrained_pooler(self) -> "dict[str, torch.Tensor] | None":
        """Weight (width, width) and bias of the pooler that pretraining left, or None.

        Only BERT's learned anything (next-sentence prediction). RoBERTa and XLM-R files hold a
        random one or none.
        """
        if self.config.model_type != "bert":
            return None
        found: dict[str, torch.Tensor] = {}
        with self._as_planned():
            for name in weight_files(Path(self.folder)):
                if not name.endswith(".json"):
                    of_pooler = tensors_with(Path(self.folder, name), "pooler.dense.")
                    found |= {key.rpartition(".")[2]: tensor for key, tensor in of_pooler}
        if any(not tensor.isfinite().all() for tensor in found.values()):
            raise self.files.wrong(
                weight_files(self.files.folder)[0], "holds NaN or infinity in its pooler"
            )
        width = self.config.hidden_size
        fits = set(found) == {"weight", "bias"} and found["weight"].shape == (width, width)
        return {key: tensor.float() for key, tensor in found.items()} if fits else None

    def pieces(self, texts: list[str]) -> list[list[int]]:
        """The ids of each text's pieces, without special tokens."""
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    @functools.cached_property
    def template(self) -> tuple[list[int], list[int], list[int]]:
        """Special tokens (before, between, after) the two texts of a pair; BERT and XLM-R differ in
        the middle.

        raises  SpecError: there is none before or between (a head reads the first, and texts would
                run into each other), or they and the text do not fit into the encoder's positions
        """
        pair = self.tokenizer("a", "a")
        # of each piece the text that it is of: 0, 1, or None for a special token
        ids, side = pair["input_ids"], pair.sequence_ids(0)
        first = [i for i, text in enumerate(side) if text == 0]
        second = [i for i, text in enumerate(side) if text == 1]
        before = ids[: first[0]] if first else []
        middle = ids[first[-1] + 1 : second[0]] if first and second else []
        if not before or not middle:
            lacking = "between two texts" if before else "before a text"
            do = (
                "give the tokenizer of an encoder such as BERT ([CLS] A [SEP] B [SEP], a"
                " post_processor in tokenizer.json)"
            )
            raise self.files.wrong(
                vocabulary_file(self.files.folder), f"puts no special token {lacking}", do
            )
        if len(ids) > self.max_length:
            raise SpecError(
                f"encoder {self.files.encoder}: its spec says max_length {self.max_length}, and the"
                f" special tokens of a pair alone are {len(ids) - len(first) - len(second)}; write"
                " more"
            )
        return before, middle, ids[second[-1] + 1 :]

    @functools.cached_property
    def ending(self) -> list[int]:
        """Special tokens after a single text."""
        single = self.tokenizer("a")
        text = [i for i, side in enumerate(single.sequence_ids(0)) if side == 0]
        ending: list[int] = single["input_ids"][text[-1] + 1 :]
        return ending

    @functools.cached_property
    def has_token_types(self) -> bool:
        """Whether segment ids tell two texts apart: the model embeds them and its tokenizer gives
        them.

        Multilingual MiniLM and E5 embed two types but were trained with XLM-R's tokenizer, which
        has one.
        """
        if (getattr(self.config, "type_vocab_size", 0) or 0) < 2:
            return False
        return 1 in self.tokenizer("a", "a", return_token_type_ids=True)["token_type_ids"]

    @functools.cached_property
    def lower_case(self) -> bool:
        """Whether the tokenizer does away with capitals."""
        ids = self.pieces([*"aeinost", *"AEINOST"])
        return ids[:7] == ids[7:]

    @functools.cached_property
    def word_prefix(self) -> str:
        """What stands before a word that is tokenised alone, so that its pieces are those it has
        inside a sentence.

        Byte-level BPE (RoBERTa, ModernBERT) and Gemma's tokenizer mark a space only where there is
        one: " ". WordPiece and XLM-R's sentencepiece need nothing.
        """
        alone, spaced, first, both = self.pieces(["to", " to", "on", "on to"])
        inside = both[len(first) :]
        return "" if inside == alone or inside != spaced else " "

    def pack(self, examples: Sequence[dict[str, Any]]) -> "Packed":
        """Texts one behind the other (`models.packed`), each with its own positions.

        An example with `parts` is as many texts as it has parts, in order. What a head sees of one
        its `reads` or `whole` say (`models.half`).
        """
        import torch

        from harness.models.packed import Packed

        texts = [part for example in examples for part in example.get("parts", [example])]
        lengths = [len(text["input_ids"]) for text in texts]
        ends = np.cumsum([0, *lengths], dtype=np.int32)
        starts = ends[:-1]

        def joined(name: str) -> np.ndarray:
            return np.concatenate([np.asarray(text[name], dtype=np.int64) for text in texts])

        ids = joined("input_ids")
        inputs = {"input_ids": ids, "position_ids": self._positions(ids, starts, lengths)}
        if "token_type_ids" in texts[0]:
            inputs["token_type_ids"] = joined("token_type_ids")
        reads = None
        if not texts[0].get("whole"):
            seen = [np.asarray(text.get("reads", FIRST)) for text in texts]
            each = [start + of for start, of in zip(starts, seen, strict=True)]
            reads = torch.from_numpy(np.concatenate(each))
        tensors = {name: torch.from_numpy(of)[None] for name, of in inputs.items()}
        return Packed(tensors, lengths, torch.from_numpy(ends), reads)

    def _positions(self, ids: np.ndarray, starts: np.ndarray, lengths: list[int]) -> np.ndarray:
        """Of each token in its own text, as the architecture counts."""
        if self.config.model_type not in OFFSET_POSITIONS:
            place: np.ndarray = np.arange(len(ids)) - np.repeat(starts, lengths)
            return place
        # behind the padding id; padding itself, which a text may hold, has that position
        real = ids != self.config.pad_token_id
        before = np.concatenate([[0], np.cumsum(real)])
        place = before[1:] - np.repeat(before[starts], lengths)
        return np.where(real, place, 0) + int(self.config.pad_token_id)


def pool(hidden: "torch.Tensor", lengths: Sequence[int], how: str) -> "torch.Tensor":
    """Sentence vectors (texts, width) from hidden states (tokens, width) of texts of these lengths:
    the mean over a text's tokens, the first, or the last."""
    import torch

    if how == "mean":
        return torch.stack([text.mean(0) for text in hidden.split(list(lengths))])
    ends = np.cumsum(lengths)
    places = ends - lengths if how == "cls" else ends - 1
    return hidden[torch.from_numpy(places).to(hidden.device)]
