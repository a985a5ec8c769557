"""params.schema.json: what people may write into params.yaml, for editors that complete and check it as one types.

It is made of the settings and the components (`python -m pipelines.params` writes it), and says less than the check
itself: nothing of what settings must be to each other.
"""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from pipelines.params.params import Params

FILE = Path("params.schema.json")


class WithoutTitles(GenerateJsonSchema):
    """Pydantic's titles repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    made = Params.model_json_schema(by_alias=True, schema_generator=WithoutTitles)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "The settings in params.yaml"}


def text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
