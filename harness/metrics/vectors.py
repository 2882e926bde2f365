"""A list of numbers as a short string, one string a list: how a release keeps what it knows of
every example.

    [0, 1, 1, 0]    "0110"            all integers from 0 to 9: a digit each
    [12, 0, 0.5]    "12,0,0.5,"       anything else: `repr`, each with a comma after it
    [7] and [12]    "7" and "12,"
    []              ""

A list has one such string, so that equal strings are equal lists and the other way round.
"""

import json
import math

# digits as bytes: 0 is "0", and back
_DIGITS = bytes.maketrans(bytes(range(10)), b"0123456789")
_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))


def pack(values: list[int | float]) -> str:
    """The string of a list; `unpack` gives the same values of the same types.

    raises  ValueError: a value that is no int or finite float (a bool, a numpy number, NaN); names
            its place
    """
    kinds = set(map(type, values))
    if not kinds <= {int, float} or not all(map(math.isfinite, values)):
        for i, value in enumerate(values):
            if type(value) not in (int, float) or not math.isfinite(value):
                raise ValueError(
                    f"value {i} of a vector is {value!r}; it holds integers and finite floats"
                )
    if float not in kinds and (not values or 0 <= min(values) <= max(values) <= 9):
        return bytes(map(int, values)).translate(_DIGITS).decode()
    return ",".join(map(repr, values)) + ","


def unpack(text: str) -> list[int | float]:
    """The list of a string that `pack` made.

    raises  ValueError: any other text, also one that only spells the same numbers in another way
            ("1,2,", "0.50,")
    """
    if not isinstance(text, str):
        raise ValueError(f"a vector is a string, not {text!r:.40}")
    if text.isascii() and (text.isdigit() or not text):
        return list(text.encode().translate(_VALUES))
    try:
        # JSON reads more than `pack` writes, and its reader is C
        values: list[int | float] = json.loads(f"[{text.removesuffix(',')}]")
        same = pack(values) == text
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise ValueError(f"not a vector of numbers: {text!r:.60}")
    return values
