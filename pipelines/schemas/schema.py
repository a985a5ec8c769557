"""A file that stages exchange: JSON with a fixed form."""

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from fm.errors import UserError
from pipelines.project import whole_file


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def save(self, path: Path) -> None:
        with whole_file(path) as partial:
            partial.write_text(
                json.dumps(self.model_dump(mode="json"), indent=2, allow_nan=False) + "\n", encoding="utf-8"
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls.model_validate_json(path.read_text(encoding="utf-8"))

    @classmethod
    def of_stage(cls, path: Path) -> Self:
        """As `load`, of a file that a stage makes. Raises UserError where that stage has to run."""
        try:
            return cls.load(path)
        except FileNotFoundError:
            raise UserError(f"{path} is missing: `dvc repro` makes it") from None
        except (ValidationError, json.JSONDecodeError, KeyError) as error:
            first = " ".join(str(error).split())
            raise UserError(f"{path} is not what this version writes ({first}): `dvc repro` makes it anew") from None
