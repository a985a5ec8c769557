"""Closed lists for the forms on Prefect's pages, which come from the types of a flow's parameters."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.project import ROOT

RECIPES = sorted(file.stem for file in (ROOT / "recipes").glob("*.yaml"))

# In the schema alone: a mistake on a command line is answered with one line that says what there is.
Recipe = Annotated[str, Field(json_schema_extra={"enum": [*RECIPES]} if RECIPES else None)]
Queue = Literal["cpu", "gpu"]
