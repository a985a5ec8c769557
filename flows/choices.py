"""Closed lists for the forms on Prefect's pages, which come from the types of a flow's parameters."""

from typing import Annotated, Any, Literal

from pydantic import Field

from pipelines.project import ROOT


def file_of(folder: str) -> Any:
    """A file of a folder of this checkout, by its name without the suffix."""
    names: list[Any] = sorted(file.stem for file in (ROOT / folder).glob("*.yaml"))
    # In the schema alone: a mistake on a command line is answered with one line that says what there is.
    return Field(json_schema_extra={"enum": names} if names else None)


Recipe = Annotated[str, file_of("recipes")]
Row = Annotated[str, file_of("methods")]
Dataset = Annotated[str, file_of("pipelines/defaults")]
Queue = Literal["cpu", "gpu"]
