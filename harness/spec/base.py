"""What every spec model shares: unknown keys are errors, and a spec never changes after it is
read."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=80)]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys; `strict` so that "3" is not a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
