"""xstilts-harness: does English intermediate-task training help zero-shot cross-lingual
transfer?

from harness import evaluate, load_release     the library (`harness.api`)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import Release, evaluate, load_release

__version__ = "0.1.0"
__all__ = ["Release", "evaluate", "load_release"]


def __getattr__(name: str) -> Any:
    """What the library has, once it is asked for: every command imports this package first."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness import api

    return getattr(api, name)
