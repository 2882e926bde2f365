"""Result versions: they stand for code in keys, and are raised when that code moves a result."""

from pydantic import PositiveInt

from harness.common.strict import Strict


class ResultVersions(Strict):
    """The result versions by which results are keyed: of this code, or those that a release was
    made with. Raising one here leaves a release's own as they are."""

    jobs: dict[str, PositiveInt]
    families: dict[str, PositiveInt]
    metrics: dict[str, PositiveInt]
    readers: dict[str, PositiveInt]  # by format; one that is not here has no version
    world_size: PositiveInt  # processes that share one training job
