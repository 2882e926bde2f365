"""YAML as a person writes it: comments at the end of lines, flow style for what fits on one."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

# Text that no reader of YAML takes for anything else. The rest stands in double quotes.
PLAIN = re.compile(r"[A-Za-z_][\w./+@-]*( [\w./+@()-]+)*")
TAKEN = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
COMMENT_AT = 40


def inline(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{inline(key)}: {inline(one)}" for key, one in value.items())
        return f"{{{inside}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(inline, value))}]"
    if isinstance(value, str):
        plain = PLAIN.fullmatch(value) and value.lower() not in TAKEN and value.isascii()
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def head(schema: str, command: str, docs: str) -> list[str]:
    """What stands above every written spec."""
    return [
        f"# yaml-language-server: $schema={schema}",
        f"# Written by `{command}`. Every field: {docs}",
    ]


def field(key: str, value: Any, comment: str = "") -> str:
    """A line `key: value   # comment`."""
    return _with(f"{key}: {inline(value)}", comment)


def remark(key: str, example: str, comment: str = "") -> str:
    """A line that is out of use until somebody fills it in; as far in as the key is."""
    name = key.lstrip()
    return _with(f"{key.removesuffix(name)}# {name}: {example}", comment)


def _with(line: str, comment: str) -> str:
    return f"{line:<{COMMENT_AT - 2}}  # {comment}" if comment else line
