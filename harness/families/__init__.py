"""Families of tasks: code, where tasks are data. One file a family, without torch; all that is
known of a family stands there, or in its other half, a file of `harness.models`.

Adding one: a file with a `Family` (harness.families.family) here, a file with what
`harness.models.half` asks for there, a line in FAMILIES. A package outside adds one by an entry
point of the same form, in the group `xstilts_harness.families`.
"""

from harness.common.plugins import Table
from harness.families.family import Family


def _sound(name: str, found: object) -> str | None:
    if not isinstance(found, Family):
        return f"it is a {type(found).__name__}, not an instance of harness.families.Family"
    if found.name != name:
        return f"the family is named {found.name!r}; the two names must be one"
    return None


FAMILIES: Table[Family] = Table(
    "families",
    {
        "classification": "harness.families.classification:CLASSIFICATION",
        "multiple_choice": "harness.families.multiple_choice:MULTIPLE_CHOICE",
        "tagging": "harness.families.tagging:TAGGING",
        "span_qa": "harness.families.span_qa:SPAN_QA",
        "retrieval": "harness.families.retrieval:RETRIEVAL",
        "bitext_mining": "harness.families.bitext_mining:BITEXT_MINING",
        "answer_retrieval": "harness.families.ranking:ANSWER_RETRIEVAL",
        "entity_linking": "harness.families.ranking:ENTITY_LINKING",
        "mlm": "harness.families.mlm:MLM",
    },
    _sound,
)

__all__ = ["FAMILIES", "Family"]
