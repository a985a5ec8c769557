"""A file that stages exchange: JSON with a fixed form."""

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

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
