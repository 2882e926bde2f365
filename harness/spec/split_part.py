"""A part of a split, by row numbers or shares. A file of its own: jobs need no more of a task."""

from harness.common.strict import Strict


class SplitPart(Strict):
    """One summand of a split expression: rows [start, stop) of split `name`, in rows or in
    percent."""

    name: str
    start: str | None = None
    stop: str | None = None

    def bounds(self, rows: int) -> tuple[int, int]:
        """The half-open row range this part selects out of `rows` rows; percents round down."""

        def at(bound: str | None, default: int) -> int:
            if bound is None:
                return default
            return min(rows, rows * int(bound[:-1]) // 100 if bound.endswith("%") else int(bound))

        return at(self.start, 0), at(self.stop, rows)
