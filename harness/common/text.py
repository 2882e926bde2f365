"""Text that others wrote (data, specs, file names, releases), made harmless for the place where it
is shown.

One function per channel: `neutral` for a terminal, `line` for one line of it, `markdown` for
Markdown. What is stored, hashed or written as an artefact is never changed: a file keeps its
characters, only the eye is protected.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaml import ScalarNode

# What a reader cannot see, or what changes how the rest is shown: C0 and C1 controls (but not the
# ends of lines and tabs), the controls of writing direction (Trojan Source, CVE-2021-42574), marks
# without a width, fillers that look like a space, separators that look like a line's end, tags, and
# halves of surrogate pairs. U+200C and U+200D belong to the spelling of words in scripts from
# Arabic to Khmer, so they stand after a letter of those, and nowhere else.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff]"
    "|(?<![\u0600-\u109f\u1780-\u18af])[\u200c\u200d]"
)
# characters of a line of an error: a path has at most 4096, a name 255, and what is longer is no
# message
MAX_LINE = 2000
LONGEST_PART = 24  # characters of a part of a name


def escaped(text: str) -> str:
    """Each character as JSON writes it: \\u001b, \\u202e; two of these above U+FFFF."""
    raw = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[i]:02x}{raw[i + 1]:02x}" for i in range(0, len(raw), 2))


def neutral(text: str) -> str:
    """The text with what is hidden in it made visible. JSON stays the same JSON: inside its strings
    these are escapes."""
    return HIDDEN.sub(lambda found: escaped(found[0]), text)


def line(text: Any) -> str:
    """The text on one line: a title of two lines forges no second row, a file name no second
    message."""
    return neutral(str(text).strip()).replace("\n", "\\n").replace("\t", "\\t")


def some(names: Sequence[object], most: int = 8) -> str:
    """The first of some names, and how many there are beside them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def as_label(text: str, otherwise: str) -> str:
    """Text as a part of a name: as it is, or, where it is long or has signs that names do without,
    `otherwise` and a digest of it."""
    if re.fullmatch(rf"[\w+-]{{1,{LONGEST_PART}}}", text, re.ASCII):
        return text
    return f"{otherwise}-{hashlib.sha256(text.encode()).hexdigest()[:4]}"


def short(text: str, most: int = MAX_LINE) -> str:
    """The text with each of its lines cut in the middle to at most `most` characters."""

    def cut(one: str) -> str:
        half = (most - 5) // 2
        return one if len(one) <= most else f"{one[:half]} ... {one[-half:]}"

    return "\n".join(map(cut, text.split("\n")))


def neutral_values(value: Any) -> Any:
    """Plain data (mappings, lists, text, numbers) with every text in it neutral, the names of a
    mapping too."""
    if isinstance(value, str):
        return neutral(value)
    if isinstance(value, dict):
        return {neutral_values(name): neutral_values(of) for name, of in value.items()}
    return [neutral_values(item) for item in value] if isinstance(value, (list, tuple)) else value


def markdown(text: Any) -> str:
    """The text inside a paragraph, a list's item or a table's cell: no HTML, no link but what
    http(s) addresses become by themselves, no second line, no further column, no block of code
    (GitHub Flavored Markdown 0.29).

    A link needs `](`, `][` or a definition `]:`; HTML needs a letter or one of `/!?` after `<`. The
    rest of Markdown's signs is left alone, since scores are full of them.
    """
    text = re.sub(r"\s*\n\s*", " ", neutral(str(text)).strip())
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text)
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
    text = re.sub(r"[\\|]|^[#>=~]|^`(?=``)", lambda found: "\\" + found[0], text)
    return re.sub(r"\](?=[(\[:])", "]\\\\", text)


def as_yaml(data: dict[str, Any], flow: bool = False) -> str:
    """The data as YAML; text with hidden characters in quotes, where the escapes that show them
    mean these characters. `flow`: the innermost lists and mappings take a line each."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def represent_str(self, text: str) -> "ScalarNode":
            # a prompt of two lines shows as one, with its line's end
            odd = HIDDEN.search(text) or ("\n" in text and len(text) < 80)
            quotes = '"' if odd else None
            return self.represent_scalar("tag:yaml.org,2002:str", text, style=quotes)

    Dumper.add_representer(str, Dumper.represent_str)
    made: str = yaml.dump(
        data,
        Dumper=Dumper,
        default_flow_style=None if flow else False,
        sort_keys=False,
        allow_unicode=True,
        width=110,
    )
    return made


def signed(value: float | None) -> str:
    """One decimal with its sign, a minus as wide as the plus; a dash for no number."""
    if value is None:
        return "–"
    return "0.0" if abs(value) < 0.05 else f"{value:+.1f}".replace("-", "−")
