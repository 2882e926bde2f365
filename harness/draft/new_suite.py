"""A suite's YAML from the options of `eval`."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.common.text import as_yaml
from harness.draft import yaml_text

WIDEST = 100  # a value on one line
HELP = {
    "version": "raised when its meaning changes",
    "arms": "conditions: the baseline, and what is trained on first",
    "seeds": "of fewer than three nothing is called an effect",
    "protocol": "recipes and settings: `xstilts-harness list protocols`",
}
# What many want next, out of use.
REMARKS = (
    ("changes", "{target: {learning_rate: 2e-5}}", "what differs from the protocol's recipes"),
    ("caps", "{train: 1000, test: 500}", "at most so many rows a split"),
    ("split_rule", "{by: median}", "how easy and hard intermediates are told"),
)


def page(written: Mapping[str, Any], schema: str, command: str) -> str:
    """The YAML of a suite that is `written` as its file would say it."""
    return "\n".join(_lines(written, schema, command)) + "\n"


def _lines(written: Mapping[str, Any], schema: str, command: str) -> Iterator[str]:
    yield from yaml_text.head(schema, command, "docs/suites.md")
    for key, value in written.items():
        line = yaml_text.field(key, value, HELP.get(key, ""))
        yield line if len(line) <= WIDEST else as_yaml({key: value}).rstrip("\n")
    for key, example, comment in REMARKS:
        if key not in written:
            yield yaml_text.remark(key, example, comment)
