"""A module that is imported when it is first used, not where it is named.

Every command reads the table of metrics, and few compute one: numpy, a fifth of a command's start,
is for those. A type checker is shown the module itself:

    if TYPE_CHECKING:
        import numpy as np
    else:
        np = Late("numpy")
"""

from importlib import import_module
from typing import Any


class Late:
    """Stands for the module of that name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(import_module(self._name), attribute)
        setattr(self, attribute, found)  # the next who asks finds it here
        return found
