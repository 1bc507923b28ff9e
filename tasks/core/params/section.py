"""What the sections of params.yaml have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        json_schema_extra={"format": "name of up to 40 lower-case letters, digits and _, a letter first"},
    ),
]
ClassName = Annotated[  # names a folder
    str,
    Field(
        pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,59}$",
        json_schema_extra={"format": "class name of up to 60 characters, no slashes, no dot first"},
    ),
]


class Section(BaseModel):
    """A section. The text below a field describes it in docs/parameters.md."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)
