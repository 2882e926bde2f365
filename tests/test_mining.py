"""Bitext mining finds what the official code finds, and its threshold knows nothing of the test
set.

The parity cases hold candidates, thresholds and scores against what XTREME's
third_party/utils_retrieve.py (with faiss) and jiant answered on made-up sentences, and skip where
those answers are not at hand. The rest runs anywhere, against rules written out naively here.
"""

import json
import tracemalloc
from unittest import mock

import numpy as np
import pytest
from conftest import ORACLES
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.metrics import knn as nearest
from harness.metrics.knn import knn, normalise
from harness.metrics.mining import mine, mining_f1, pair_f1, threshold
from harness.models import nearest as on_device
from harness.models import pair_miner as bitext_mining

OFFICIAL = ORACLES / "retrieval"
quick = settings(max_examples=60, deadline=None)

OPTIONS = {"margin": "ratio", "retrieval": "max", "neighbours": 4, "duplicates": "drop"}
MARGINS, RETRIEVALS = ("ratio", "distance", "absolute"), ("max", "intersect", "forward", "backward")


def task(**options):
    return {"options": OPTIONS | options}


# --- parity with the official code ----------------------------------------------------------------


def table(name):
    return [line.split("\t") for line in (OFFICIAL / name).read_text(encoding="utf-8").splitlines()]


def expected():
    return json.loads((OFFICIAL / "expected.json").read_text())


def corpus(split):
    """(rows, text → vector) of one oracle set; the last of equal texts gives the vector."""
    gold = {}
    for source, target in table(f"{split}.gold"):
        gold.setdefault(source, []).append(target)
    rows, vectors = [], {}
    arrays = np.load(OFFICIAL / "arrays.npz")
    for side, name, array in (("source", "src", "x"), ("target", "tgt", "y")):
        ids, texts = (
            [line for (line,) in table(f"{split}.{name}.{kind}")] for kind in ("id", "txt")
        )
        rows += [
            {"id": id_, "side": side, "text": text, "pairs": gold.get(id_, [])}
            for id_, text in zip(ids, texts, strict=True)
        ]
        vectors |= dict(zip(texts, arrays[f"{split}_{array}"], strict=True))
    return rows, vectors


def official(split, **options):
    """(rows, predictions, facts) of an oracle set, with the threshold from its dev set."""
    (dev, dev_vectors), (rows, vectors) = corpus("dev"), corpus(split)
    predictions, facts = bitext_mining.predict(
        both_embed(rows, vectors, dev_vectors), rows, task(**options), dev
    )
    return rows, predictions, facts


def both_embed(rows, vectors, dev_vectors):
    """The two oracle sets use the same made-up texts for other vectors: the first two calls of
    predict are for dev."""
    calls = []

    def embed(texts):
        calls.append(texts)
        return np.stack([(dev_vectors if len(calls) <= 2 else vectors)[text] for text in texts])

    return embed


def candidates_of(embed, rows, options):
    return bitext_mining._candidates(bitext_mining._miner(embed, options, None), rows, options)


@pytest.mark.parametrize("retrieval", ["max", "intersect"])
@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("split", ["dev", "test"])
def test_candidates_of_the_official_code(split, margin, retrieval):
    rows, vectors = corpus(split)
    sides = [
        list(dict.fromkeys(row["text"] for row in rows if row["side"] == side))
        for side in ("source", "target")
    ]
    x, y = (normalise(np.stack([vectors[text] for text in texts])) for texts in sides)
    ours = mine(x, y, 4, margin, retrieval)
    theirs = sorted(
        table(f"{split}.cand.{retrieval}.{margin}.tsv"), key=lambda line: -float(line[0])
    )
    assert theirs and [(sides[0][i], sides[1][j]) for i, j, _ in ours] == [
        (source, target) for _, source, target in theirs
    ]
    assert [score for _, _, score in ours] == pytest.approx(
        [float(score) for score, _, _ in theirs], rel=1e-6, abs=1e-6
    )


def test_the_test_set_with_the_threshold_of_dev():
    rows, predictions, facts = official("test")
    truth = expected()["xtreme_test_with_dev_threshold"]
    found = [[row["id"], id_] for row, ids in zip(rows, predictions, strict=True) for id_ in ids]
    assert sorted(found) == sorted(table("test.pred.tsv")) and len(found) == truth["n_pred"]
    assert facts["threshold"] == pytest.approx(truth["threshold"], rel=1e-6)
    assert facts["candidates"] == expected()["xtreme_test_n_candidates"]
    assert facts["dev_f1"] == expected()["xtreme_dev"]["F1"]
    scored = mining_f1([FAMILIES["bitext_mining"].gold(row) for row in rows], predictions)
    assert scored.metrics == {
        name: truth[name if name != "f1" else "F1"] for name in ("f1", "precision", "recall")
    }


@pytest.mark.parametrize(
    ("duplicates", "who", "scale"), [("drop", "xtreme", 1), ("all", "jiant", 100)]
)
def test_the_dev_set_and_its_duplicates(duplicates, who, scale):
    rows, vectors = corpus("dev")
    predictions, facts = bitext_mining.predict(
        both_embed(rows, vectors, vectors), rows, task(duplicates=duplicates), rows
    )
    truth = expected()[f"{who}_dev"]
    assert facts["threshold"] == pytest.approx(truth["best-threshold"], rel=1e-6)
    assert facts["candidates"] == expected()[f"{who}_dev_n_candidates"]
    metrics = mining_f1([FAMILIES["bitext_mining"].gold(row) for row in rows], predictions).metrics
    assert metrics == pytest.approx(
        {name: scale * truth[name if name != "f1" else "F1"] for name in metrics}, rel=1e-14
    )
    assert facts["dev_f1"] == metrics["f1"]
    if duplicates == "drop":
        found = [
            [row["id"], id_] for row, ids in zip(rows, predictions, strict=True) for id_ in ids
        ]
        assert sorted(found) == sorted(table("dev.pred.tsv"))


@pytest.mark.parametrize("split", ["dev", "test"])
def test_candidates_of_jiant(split):
    rows, vectors = corpus(split)
    ours = candidates_of(both_embed(rows, vectors, vectors), rows, OPTIONS | {"duplicates": "all"})
    theirs = json.loads((OFFICIAL / f"{split}.jiant_candidates.json").read_text())
    assert sorted(pair[:2] for pair in ours) == sorted(tuple(pair[:2]) for pair in theirs)
    assert [score for *_, score in ours] == pytest.approx([score for *_, score in theirs], rel=1e-6)


def test_the_official_threshold_and_the_leak_it_makes_possible():
    case = expected()["bucc_optimize_case"]
    gold = {tuple(line.split("\t")) for line in case["gold"]}
    assert threshold([tuple(item) for item in case["in"]], gold) == case["threshold"]
    rows, vectors = corpus("test")
    candidates = candidates_of(both_embed(rows, vectors, vectors), rows, OPTIONS)
    leaked = threshold(candidates, {(row["id"], id_) for row in rows for id_ in row["pairs"]})
    assert leaked == pytest.approx(
        expected()["xtreme_test_threshold_leaked_from_test_gold"]["best-threshold"], rel=1e-6
    )
    assert official("test")[2]["threshold"] > leaked + 0.05  # ours is not that one


# --- nearest neighbours ---------------------------------------------------------------------------


def blocks_of(rows):
    return mock.patch.object(nearest, "_BLOCK", (rows, rows))


def brute_force(x, y, k):
    """Similarities and rows of the k nearest y, by a stable sort of everything."""
    similar = x @ y.T
    order = np.argsort(-similar, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(similar, order, axis=1), order


@st.composite
def small_vectors(draw, rows=9, width=3):
    """Small whole numbers: inner products are exact, and equal ones and equal rows abound."""
    n = draw(st.integers(1, rows))
    numbers = draw(st.lists(st.integers(-2, 2), min_size=n * width, max_size=n * width))
    return np.array(numbers, np.float32).reshape(n, width)


@quick
@given(x=small_vectors(), y=small_vectors(), k=st.integers(1, 6), block=st.integers(1, 10))
def test_neighbours_are_exact_and_ties_go_to_the_lowest_row(x, y, k, block):
    with blocks_of(block):
        forward, backward = knn(x, y, k)
    for (similar, rows), (a, b) in ((forward, (x, y)), (backward, (y, x))):
        similar_there, rows_there = brute_force(a, b, k)
        assert rows.tolist() == rows_there.tolist()
        assert similar.tolist() == similar_there.tolist()


def test_neighbours_of_real_valued_vectors_do_not_depend_on_the_blocks():
    rng = np.random.default_rng(1)
    x, y = (normalise(rng.normal(size=(n, 48))) for n in (331, 270))
    whole = knn(x, y, 4)
    with blocks_of(50):
        parts = knn(x, y, 4)
    for one, other, (a, b) in zip(whole, parts, ((x, y), (y, x)), strict=True):
        assert (one[1] == other[1]).all() and (one[1] == brute_force(a, b, 4)[1]).all()
        assert one[0] == pytest.approx(other[0], abs=1e-6)


@quick
@given(x=small_vectors(), y=small_vectors(), k=st.integers(1, 6), block=st.integers(1, 10))
def test_a_device_finds_the_same(x, y, k, block):
    with mock.patch.object(on_device, "_BLOCK", block), mock.patch.object(on_device, "_FEW", 2):
        there = knn(x, y, k, lambda *sides: on_device.on_device(*sides, "cpu"))
    for here, found in zip(knn(x, y, k), there, strict=True):
        for one, other in zip(here, found, strict=True):
            assert one.dtype == other.dtype and one.tolist() == other.tolist()


@pytest.mark.parametrize("rounded", [False, True])
def test_the_number_of_cores_and_the_way_through_a_block_change_no_digit(rounded, monkeypatch):
    """Of rounded vectors, products are equal by the hundred."""
    rng = np.random.default_rng(4)
    x, y = (rng.normal(size=(n, 24)).astype(np.float32) for n in (700, 500))
    if rounded:
        x, y = np.round(x), np.round(y)
    x[9], y[11] = x[600], y[450]
    found = []
    for cores, dense in ((1, 0), (1, 8), (1, 1000), (3, 8)):
        monkeypatch.setenv("XSTILTS_CORES", str(cores))
        monkeypatch.setattr(nearest, "_DENSE", dense)
        with blocks_of(130):
            found.append([side.tobytes() for pair in knn(x, y, 4) for side in pair])
    assert all(one == found[0] for one in found)


def test_equal_rows_are_equally_near_and_the_lowest_comes_first():
    rng = np.random.default_rng(2)
    distinct = normalise(rng.normal(size=(40, 37)))
    y = distinct[rng.permutation(np.repeat(np.arange(40), 3))]
    with blocks_of(7):
        (similar, rows), (_, back) = knn(distinct, y, 3)
    for i in range(40):
        copies = np.flatnonzero((y == distinct[i]).all(axis=1))
        assert rows[i].tolist() == copies.tolist() and len(set(similar[i].tolist())) == 1
        assert len({tuple(back[j]) for j in copies}) == 1


def budget(n, m, d, k, block, threads=1):
    """The arithmetic in knn's docstring, in bytes."""
    tall, wide = block
    each = 8 * tall * wide + 4 * (tall + wide) * d + 12 * k * nearest._BLOCKS_AT_ONCE * tall
    return threads * each + 2 * 12 * k * (n + m) + 250 * (n + m)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "width", "block"), [(5000, 256, None), (8000, 8, 512), (3000, 1024, 256)]
)
def test_memory_stays_within_its_arithmetic(rows, width, block):
    rng = np.random.default_rng(3)
    x, y = (rng.normal(size=(rows, width)).astype(np.float32) for _ in range(2))
    block = (block, block) if block else nearest._BLOCK
    with mock.patch.object(nearest, "_BLOCK", block):
        tracemalloc.start()
        x, y = normalise(x), normalise(y)  # in place
        knn(x, y, 4)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1.1 * budget(rows, rows, width, 4, block)
    assert peak < rows * rows * 4 or block[0] > 1000  # never the whole matrix


def test_bucc_fits_beside_its_embeddings():
    assert 1.1 * budget(400_000, 400_000, 1024, 4, nearest._BLOCK, threads=16) < 2**30


def test_what_cannot_be_searched_is_refused():
    two, three = np.ones((3, 2), np.float32), np.ones((3, 3), np.float32)
    for x, y, k in ((two, three, 1), (two, two, 0), (two[0], two, 1)):
        with pytest.raises(ValueError, match="knn needs"):
            knn(x, y, k)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="NaN or infinite"):
            knn(two, np.array([[1, bad]], np.float32), 1)
        with pytest.raises(ValueError, match="NaN or infinite"):
            normalise(np.array([[1, bad]]))
    for margin, retrieval in (("cosine", "max"), ("ratio", "fwd")):
        with pytest.raises(ValueError, match="no such mining"):
            mine(two, two, 4, margin, retrieval)


def test_normalise_works_in_place_where_it_may_and_leaves_zeros():
    vectors = np.array([[3, 4], [0, 0]], np.float32)
    assert normalise(vectors) is vectors and vectors.tolist() == [
        [np.float32(0.6), np.float32(0.8)],
        [0, 0],
    ]
    frozen = np.array([[3, 4]], np.float32)
    frozen.flags.writeable = False
    assert normalise(frozen).tolist() != frozen.tolist() == [[3, 4]]


# --- mining ---------------------------------------------------------------------------------------


def naive(x, y, k, margin, retrieval):
    """The rule of mine_bitext, pair by pair."""
    cosines = [[float(a @ b) for b in y] for a in x]
    x_near = [sorted(range(len(y)), key=lambda j: -cosines[i][j])[:k] for i in range(len(x))]
    y_near = [sorted(range(len(x)), key=lambda i: -cosines[i][j])[:k] for j in range(len(y))]
    x_mean = [np.mean([cosines[i][j] for j in near]) for i, near in enumerate(x_near)]
    y_mean = [np.mean([cosines[i][j] for i in near]) for j, near in enumerate(y_near)]

    def score(i, j):
        about = (x_mean[i] + y_mean[j]) / 2
        return {
            "ratio": cosines[i][j] / about,
            "distance": cosines[i][j] - about,
            "absolute": cosines[i][j],
        }[margin]

    forward = [(i, max(near, key=lambda j: score(i, j))) for i, near in enumerate(x_near)]
    backward = [(max(near, key=lambda i: score(i, j)), j) for j, near in enumerate(y_near)]
    both = [pair for pair in forward if pair in backward]
    pairs = {
        "forward": forward,
        "backward": backward,
        "intersect": both,
        "max": forward + backward,
    }[retrieval]
    pairs = sorted(((i, j, score(i, j)) for i, j in pairs), key=lambda pair: -pair[2])
    if retrieval == "max":
        taken, kept = set(), []
        for i, j, s in pairs:
            if s > 0 and not {("x", i), ("y", j)} & taken:
                taken |= {("x", i), ("y", j)}
                kept.append((i, j, s))
        return kept
    return pairs


def translations(seed, n=30, m=40, width=12, noise=0.4):
    """Unit vectors of two sides; the first 15 rows of x have a noisy translation somewhere in y."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, width)), rng.normal(size=(m, width))
    y[rng.permutation(m)[:15]] = x[:15] + noise * rng.normal(size=(15, width))
    return normalise(x.astype(np.float32)), normalise(y.astype(np.float32))


@pytest.mark.parametrize("retrieval", RETRIEVALS)
@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize(("seed", "neighbours"), [(1, 4), (2, 1), (3, 100)])
def test_mining_follows_the_rule(seed, neighbours, margin, retrieval):
    x, y = translations(seed)
    ours, theirs = (
        mine(x, y, neighbours, margin, retrieval),
        naive(x, y, neighbours, margin, retrieval),
    )
    # then mutual neighbours score 1 (or 0) to the last bit or so: any order
    if neighbours == 1 and margin != "absolute":
        ours, theirs = (
            {(i, j): s for i, j, s in pairs if abs(s - (margin == "ratio")) > 1e-5}
            for pairs in (ours, theirs)
        )
        assert ours == pytest.approx(theirs, abs=1e-5)
        return
    assert [pair[:2] for pair in ours] == [pair[:2] for pair in theirs]
    assert [pair[2] for pair in ours] == pytest.approx(
        [pair[2] for pair in theirs], rel=1e-4, abs=1e-6
    )


@quick
@given(
    x=small_vectors(),
    y=small_vectors(),
    margin=st.sampled_from(MARGINS),
    retrieval=st.sampled_from(RETRIEVALS),
)
def test_candidates_are_sorted_and_max_uses_a_sentence_once(x, y, margin, retrieval):
    pairs = mine(normalise(x), normalise(y), 4, margin, retrieval)
    scores = [score for _, _, score in pairs]
    assert np.isfinite(scores).all() and scores == sorted(scores, reverse=True)
    if retrieval == "max":
        assert all(score > 0 for score in scores)
        assert len(pairs) == len({i for i, _, _ in pairs}) == len({j for _, j, _ in pairs})


@quick
@given(
    seed=st.integers(0, 5),
    shuffle=st.randoms(use_true_random=False),
    retrieval=st.sampled_from(RETRIEVALS),
)
def test_the_order_of_sentences_does_not_matter(seed, shuffle, retrieval):
    x, y = translations(seed)
    rows, columns = list(range(len(x))), list(range(len(y)))
    shuffle.shuffle(rows)
    shuffle.shuffle(columns)
    here = mine(x, y, retrieval=retrieval)
    there = {
        (rows[i], columns[j]): score
        for i, j, score in mine(x[rows], y[columns], retrieval=retrieval)
    }
    assert there == pytest.approx({(i, j): score for i, j, score in here}, rel=1e-5)


@pytest.mark.parametrize("retrieval", RETRIEVALS)
def test_an_empty_side_has_no_pairs(retrieval):
    some, none = np.ones((2, 3), np.float32), np.zeros((0, 3), np.float32)
    assert (
        mine(some, none, retrieval=retrieval)
        == mine(none, some, retrieval=retrieval)
        == mine(none, none)
        == []
    )


def test_a_sentence_without_a_direction_has_ratio_zero():
    zero, one = np.zeros((1, 2), np.float32), np.array([[1, 0]], np.float32)
    with np.errstate(all="raise"):
        assert mine(zero, one, retrieval="forward") == [(0, 0, 0.0)]
        assert mine(zero, one, retrieval="max") == []


# --- the threshold --------------------------------------------------------------------------------

ABC = [("a", "b", 0.9), ("c", "d", 0.8), ("e", "f", 0.7)]


def test_threshold_lies_between_the_best_and_the_next():
    assert threshold(ABC, {("a", "b")}) == (0.9 + 0.8) / 2
    assert threshold(ABC[::-1], {("a", "b"), ("c", "d")}) == (0.8 + 0.7) / 2


def test_threshold_where_the_best_is_the_last_is_its_own_score():
    assert threshold(ABC, {("a", "b"), ("e", "f")}) == 0.7
    assert threshold(ABC[:1], {("a", "b")}) == 0.9


def test_threshold_where_nothing_is_right_is_zero():
    assert threshold(ABC, {("a", "d")}) == threshold([], {("a", "b")}) == threshold(ABC, set()) == 0


@quick
@given(
    scores=st.lists(st.integers(1, 1000), unique=True, min_size=1, max_size=12),
    right=st.lists(st.booleans(), min_size=12, max_size=12),
    missed=st.integers(0, 5),
)
def test_no_other_threshold_gives_a_better_f1(scores, right, missed):
    candidates = [("s", i, float(score)) for i, score in enumerate(scores)]
    gold = {("s", i) for i in range(len(scores)) if right[i]} | {
        ("missed", i) for i in range(missed)
    }

    def f1(cut):
        return pair_f1(gold, [(s, t) for s, t, score in candidates if score >= cut])["f1"]

    assert f1(threshold(candidates, gold)) == max(map(f1, scores))


# --- the family -----------------------------------------------------------------------------------

WIDTH = 16


def vector(meaning):
    return np.random.default_rng(meaning).normal(size=WIDTH)


def embed(texts):
    """'de 3 x' means 3, a little off; so does 'en 3'."""
    return np.stack(
        [vector(int(t.split()[1])) + 0.3 * vector(10_000 + sum(t.encode()) * len(t)) for t in texts]
    )


def heap(meanings_source, meanings_target, name=""):
    """Rows of both sides; equal meanings are gold pairs."""
    target = {meaning: f"{name}en{i}" for i, meaning in enumerate(meanings_target)}
    rows = [
        {
            "id": f"{name}de{i}",
            "side": "source",
            "text": f"de {m}",
            "pairs": [target[m]] if m in target else [],
        }
        for i, m in enumerate(meanings_source)
    ]
    return rows + [
        {"id": id_, "side": "target", "text": f"en {m}", "pairs": []} for m, id_ in target.items()
    ]


DEV, TEST = heap(range(30), range(10, 45), "dev-"), heap(range(100, 140), range(125, 170))


def test_translations_are_found():
    predictions, facts = bitext_mining.predict(embed, TEST, task(), DEV)
    scored = mining_f1([FAMILIES["bitext_mining"].gold(row) for row in TEST], predictions)
    assert scored.main > 80 and scored.learned
    assert set(facts) == {"threshold", "candidates", "dev_f1"} and facts["dev_f1"] > 80
    assert all(predictions[i] == [] for i, row in enumerate(TEST) if row["side"] == "target")
    assert json.loads(json.dumps([predictions, facts])) == [predictions, facts]


@pytest.mark.slow
@quick
@given(shuffle=st.randoms(use_true_random=False), options=st.sampled_from(["drop", "all"]))
def test_the_gold_of_the_test_set_moves_nothing(shuffle, options):
    here = bitext_mining.predict(embed, TEST, task(duplicates=options), DEV)
    pairs = [row["pairs"] for row in TEST]
    shuffle.shuffle(pairs)
    other = [row | {"pairs": p} for row, p in zip(TEST, pairs, strict=True)]
    bare = [{key: value for key, value in row.items() if key != "pairs"} for row in TEST]
    assert bitext_mining.predict(embed, other, task(duplicates=options), DEV) == here
    assert bitext_mining.predict(embed, bare, task(duplicates=options), DEV) == here


def test_the_gold_of_dev_moves_the_threshold():
    few = [row | {"pairs": row["pairs"] if row["id"] == "dev-de12" else []} for row in DEV]
    _, facts = bitext_mining.predict(embed, TEST, task(), DEV)
    assert bitext_mining.predict(embed, TEST, task(), few)[1]["threshold"] != facts["threshold"]


@quick
@given(shuffle=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(shuffle):
    rows = list(TEST)
    shuffle.shuffle(rows)
    here, there = (bitext_mining.predict(embed, r, task(), DEV)[0] for r in (TEST, rows))
    by_id = {row["id"]: ids for row, ids in zip(rows, there, strict=True)}
    assert [by_id[row["id"]] for row in TEST] == here


def row(id_, side, text, *pairs):
    return {"id": id_, "side": side, "text": text, "pairs": list(pairs)}


TWICE = [
    row("s1", "source", "de 1", "t1"),
    row("s2", "source", "de 2", "t2"),
    row("s3", "source", "de 1", "t1"),
    row("t1", "target", "en 1"),
    row("t2", "target", "en 2"),
    row("t3", "target", "en 3"),
    row("t4", "target", "en 2 "),  # equal to t2's but for the blank
]


def test_a_text_that_occurs_twice_is_dropped_or_gives_all_its_ids():
    dev = [row("a", "source", "de 4", "b"), row("b", "target", "en 4")]
    dropped, facts = bitext_mining.predict(embed, TWICE, task(margin="absolute"), dev)
    assert dropped == [[]] * 7 and facts["candidates"] == 0
    every, facts = bitext_mining.predict(
        embed, TWICE, task(margin="absolute", duplicates="all"), dev
    )
    assert facts["candidates"] == 4
    kept = candidates_of(embed, TWICE, OPTIONS | {"margin": "absolute", "duplicates": "all"})
    assert {pair[:2] for pair in kept} == {("s1", "t1"), ("s3", "t1"), ("s2", "t2"), ("s2", "t4")}
    assert [set(ids) for ids in every] == [
        {
            target
            for source, target, score in kept
            if source == r["id"] and score >= facts["threshold"]
        }
        for r in TWICE
    ]


def test_a_pair_that_is_found_twice_has_its_higher_score():
    rows = [
        row("s1", "source", "de 1", "t1"),
        row("s2", "source", "de 1 "),
        row("t1", "target", "en 1"),
        row("t2", "target", "en 9"),
    ]
    texts = [["de 1", "de 1 "], ["en 1", "en 9"]]
    scores = [
        score
        for *_, score in mine(*(normalise(embed(side)) for side in texts), retrieval="forward")
    ]
    kept = candidates_of(embed, rows, OPTIONS | {"retrieval": "forward", "duplicates": "all"})
    assert kept == [("s1", "t1", scores[0]), ("s2", "t1", scores[0])] and scores[0] > scores[1]


def test_the_pair_at_the_threshold_is_kept():
    dev = [row("a", "source", "de 4", "b"), row("b", "target", "en 4")]
    assert bitext_mining.predict(embed, dev, task(), dev)[0] == [["b"], []]


def test_equal_texts_are_embedded_once():
    asked = []
    candidates_of(lambda texts: asked.append(list(texts)) or embed(texts), TWICE, OPTIONS)
    assert asked == [["de 1", "de 2"], ["en 1", "en 2", "en 3", "en 2 "]]


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_test_set_without_one_side_has_no_pairs(side):
    rows = [row for row in TEST if row["side"] == side]
    predictions, facts = bitext_mining.predict(embed, rows, task(), DEV)
    assert predictions == [[]] * len(rows) and facts["candidates"] == 0


def test_what_is_dev_and_test_is_embedded_once():
    calls = []

    def counted(texts):
        calls.append(len(texts))
        return embed(texts)

    predictions, _ = bitext_mining.predict(counted, TEST, task(), TEST)
    assert calls == [40, 45]
    apart, _ = bitext_mining.predict(counted, TEST[::-1], task(), TEST)
    assert apart == predictions[::-1] and len(calls) == 2 + 4


def test_dev_without_a_pair_is_refused():
    for dev in ([], [row | {"pairs": []} for row in DEV]):
        with pytest.raises(SpecError, match=f"none of the {len(dev)} dev rows has a pair"):
            bitext_mining.predict(embed, TEST, task(), dev)


# --- the score ------------------------------------------------------------------------------------


def test_mining_f1_by_hand():
    scored = mining_f1([["a"], ["b"], ["c", "d"], [], []], [["a"], [], ["c", "x", "x"], ["y"], []])
    assert scored.examples == {
        "tp": [1, 0, 1, 0, 0],
        "pred": [1, 0, 2, 1, 0],
        "gold": [1, 1, 2, 0, 0],
    }
    assert (
        scored.metrics == {"f1": 50, "precision": 50, "recall": 50}
        and scored.main == scored.above_null == 50
    )
    # 2 tp - F1 (pred + gold) of each row: 2 - 1, 0 - 0.5, 2 - 2, 0 - 0.5, 0; over 8 pairs in all
    assert scored.stderr == pytest.approx(100 * (1 + 0.25 + 0 + 0.25) ** 0.5 / 8)


def test_predicting_nothing_is_the_null():
    golds = [[str(i)] for i in range(50)]
    nothing = mining_f1(golds, [[]] * 50)
    assert (
        nothing.main == nothing.null == nothing.above_null == nothing.stderr == 0
        and not nothing.learned
    )
    assert mining_f1(golds, golds).learned
    assert not mining_f1(golds, [["0"]] * 50).learned
    assert not mining_f1(golds, [golds[0], *[["wrong"]] * 49]).learned


def test_without_a_gold_pair_there_is_nothing_to_score():
    with pytest.raises(ValueError, match="2 rows without a gold pair"):
        mining_f1([[], []], [["a"], []])
    with pytest.raises(ValueError, match="1 golds but 0 predictions"):
        mining_f1([["a"]], [])


ids = st.lists(st.integers(0, 5), max_size=4)
data_sets = st.lists(st.tuples(ids, ids), min_size=1, max_size=20).filter(
    lambda rows: any(gold for gold, _ in rows)
)


@quick
@given(rows=data_sets, shuffle=st.randoms(use_true_random=False))
def test_the_score_is_bounded_and_blind_to_order(rows, shuffle):
    golds, guesses = zip(*rows, strict=True)
    scored = mining_f1(list(golds), list(guesses))
    assert all(
        0 <= number <= 100 for number in (*scored.metrics.values(), scored.main, scored.stderr)
    )
    total = {name: sum(values) for name, values in scored.examples.items()}
    assert scored.main == pytest.approx(200 * total["tp"] / (total["pred"] + total["gold"]))
    pairs = [
        {(i, id_) for i, side in enumerate(sides) for id_ in side} for sides in (golds, guesses)
    ]
    assert pair_f1(*pairs) == scored.metrics
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    there = mining_f1([gold for gold, _ in shuffled], [guess for _, guess in shuffled])
    assert there._replace(examples={}) == scored._replace(examples={})
    assert mining_f1(list(golds), list(golds)).main == 100


@quick
@given(rows=data_sets, data=st.data())
def test_a_right_pair_more_never_lowers_a_number_and_a_wrong_one_never_raises_it(rows, data):
    golds, guesses = [gold for gold, _ in rows], [guess for _, guess in rows]
    before = mining_f1(golds, guesses).metrics
    i = data.draw(st.sampled_from([i for i, gold in enumerate(golds) if gold]))
    right = [*guesses[:i], [*guesses[i], golds[i][0]], *guesses[i + 1 :]]
    wrong = [*guesses[:i], [*guesses[i], 99], *guesses[i + 1 :]]
    for name, value in mining_f1(golds, right).metrics.items():
        assert value >= before[name] - 1e-12
    for name, value in mining_f1(golds, wrong).metrics.items():
        assert value <= before[name] + 1e-12
