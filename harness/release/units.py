"""What was sampled as one: a row, or a paragraph with all its questions; of parallel test sets the
same in every language.

A unit that holds several rows, or one row in several languages, goes right or wrong together;
taking its parts for independent would make every interval too narrow.
"""

from collections.abc import Hashable, Mapping, Sequence

# units a language keeps in a release; more are summed by number, so that a release stays small
BLOCKS = 1000
Node = tuple[Hashable, ...]


def joint_units(
    examples: Mapping[str, Mapping[str, Sequence[Hashable]]], parallel: bool
) -> dict[str, list[int]]:
    """language → the unit of each row, from 0.

    examples  language → {"id": row ids, "group": paragraph numbers (QA only)}
    parallel  an id means the same row in every language: rows are one unit if they share an id, or
              a paragraph in one of the languages. Otherwise each language numbers its own
    """
    ordered = {language: examples[language] for language in sorted(examples)}
    if parallel:
        return _numbered(ordered)
    found: dict[str, list[int]] = {}
    for language, vectors in ordered.items():
        found |= _numbered({language: vectors})
    return found


def _numbered(
    examples: Mapping[str, Mapping[str, Sequence[Hashable]]],
) -> dict[str, list[int]]:
    """Of languages that are numbered together. Rows and paragraphs are nodes; those of one unit
    hang on one root (union-find, with path halving)."""
    parent: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    for language, vectors in examples.items():
        for row, name in enumerate(vectors["id"]):
            if "group" in vectors:
                parent[root(("row", name))] = root(("group", language, vectors["group"][row]))

    number: dict[Node, int] = {}
    units = {}
    for language, vectors in examples.items():
        roots = [root(("row", name)) for name in vectors["id"]]
        units[language] = [number.setdefault(node, len(number)) for node in roots]
    return units


def of_blocks(units: dict[str, list[int]]) -> dict[str, list[int]] | None:
    """language → the block of each row, if some language has more than BLOCKS units; else None."""
    if all(len(set(numbers)) <= BLOCKS for numbers in units.values()):
        return None
    blocks = {}
    for language, numbers in units.items():
        blocks[language] = [number % BLOCKS for number in numbers]
    return blocks
