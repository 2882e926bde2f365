"""Numbers in points as the board writes them: rounded once, here."""

from harness.common.text import signed
from harness.page.sheet import Field, Tone
from harness.release.schema_derived import Estimate, Interval, Tested

ARROWS = {"up": " ▲", "down": " ▼", None: ""}
TONES: dict[str | None, Tone] = {"up": "help", "down": "hurt", None: "unsure"}
DASH = "–"


def half(number: Estimate) -> str:
    """Half its 95% interval, behind the number; nothing for none."""
    if number.interval is None:
        return ""
    low, high = number.interval
    return f" ±{(high - low) / 2:.1f}"


def between(interval: Interval | None) -> str:
    """A 95% interval in brackets, behind the number; nothing for none."""
    return f" [{signed(interval[0])}, {signed(interval[1])}]" if interval else ""


def arrow(number: Estimate) -> str:
    return ARROWS[number.arrow] if isinstance(number, Tested) else ""


def plain(value: float | None) -> str:
    """A score: one decimal, no sign."""
    return DASH if value is None else f"{value:.1f}"


def plain_cell(value: float | None) -> Field:
    """A score alone."""
    return Field(plain(value), value)


def count_cell(number: int | None) -> Field:
    return Field(f"{number:,}" if number else DASH, number)


def score_cell(number: Estimate) -> Field:
    """A score with its interval."""
    text = plain(number.value) + half(number)
    return Field(text, number.value, short=text.replace(" ", ""))


def gain_cell(number: Estimate, mark: str = "", brackets: bool = False) -> Field:
    """A gain or a difference with its interval, its arrow and what qualifies it; `brackets`: the
    limits of the interval, where there is room."""
    short = f"{signed(number.value)}{half(number)}"
    end = arrow(number) + (f" {mark}" if mark else "")
    text = f"{signed(number.value)}{between(number.interval)}" if brackets else short
    tone: Tone = "none"
    if number.value is not None:
        tone = TONES[number.arrow] if isinstance(number, Tested) else "unsure"
    return Field(text + end, number.value, tone, short=(short + end).replace(" ", ""))
