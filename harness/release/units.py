"""What a bootstrap may draw anew: rows, or paragraphs with all their questions; of parallel test
sets the same in every language.

A unit that holds several rows, or one row in several languages, goes right or wrong together;
drawing its parts apart would make every interval too narrow.
"""

# units a language keeps in a release; more are summed by number, so that a release stays small
BLOCKS = 1000


def joint_units(examples: dict[str, dict], parallel: bool) -> dict[str, list[int]]:
    """language → the unit of each row, from 0.

    examples  language → {"id": row ids, "group": paragraph numbers (QA only)}
    parallel  an id means the same row in every language: rows are one unit if they share an id, or
              a paragraph in one of the languages. Otherwise each language numbers its own
    """
    found: dict[str, list[int]] = {}
    for some in [sorted(examples)] if parallel else [[language] for language in sorted(examples)]:
        found |= _numbered({language: examples[language] for language in some})
    return found


def _numbered(examples: dict[str, dict]) -> dict[str, list[int]]:
    parent: dict[tuple, tuple] = {}

    def root(node: tuple) -> tuple:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    for language, vectors in examples.items():
        for row, name in enumerate(vectors["id"]):
            if "group" in vectors:
                parent[root(("row", name))] = root(("group", language, vectors["group"][row]))
    number: dict[tuple, int] = {}
    return {
        language: [number.setdefault(root(("row", name)), len(number)) for name in vectors["id"]]
        for language, vectors in examples.items()
    }


def of_blocks(units: dict[str, list[int]]) -> dict[str, list[int]] | None:
    """language → the block of each row, if some language has more than BLOCKS units; else None."""
    if max((len(set(numbers)) for numbers in units.values()), default=0) <= BLOCKS:
        return None
    return {
        language: [number % BLOCKS for number in numbers] for language, numbers in units.items()
    }
