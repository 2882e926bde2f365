"""What every spec model shares: unknown keys are errors, and a spec never changes after it is
read."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=80)]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys; `strict` so that "3" is not a number.

    `defer_build`: a model's validator is made when it is first used; most commands use few.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def later(default: Any, **more: Any) -> Any:
    """A field that its model did not always have: left out wherever the model is written, while it
    has its default. So what was keyed or released before knows nothing of it, and stays as it is.

    Every field that is added to a spec, or to a part of a job, comes by this function; what it
    does by default must be what was done before.
    """
    more["exclude_if"] = lambda value: bool(value == default)
    if default in ([], {}):  # made anew for each model: pydantic would copy one, which takes longer
        return Field(default_factory=type(default), json_schema_extra={"default": default}, **more)
    return Field(default, **more)
