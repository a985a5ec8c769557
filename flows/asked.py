"""What a run of the pipeline is asked for, and its refusal before anything runs. Without Prefect."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows import settings
from pipelines import params, starts
from pipelines.project import ROOT


def asked(overrides: Mapping[str, Any] | None, dataset: str | None, rows: Sequence[str] | None) -> dict[str, Any]:
    """All of it as overrides; what they say themselves stands above the rest."""
    chosen = {} if dataset is None else {"dataset.name": dataset}
    added = {f"methods.{row}": f"@methods/{row}.yaml" for row in rows or []}
    return {**chosen, **added, **(overrides or {})}


def change_settings(place: Path, overrides: Mapping[str, Any], recipe: str | None) -> None:
    """Write the run's settings. Raises UserError, and writes nothing, where they say what cannot be."""
    settings.write(place / params.FILE, planned(place, overrides, recipe))


def planned(place: Path, overrides: Mapping[str, Any], recipe: str | None) -> str:
    """The text of the run's params.yaml. Raises UserError for all that is known to fail before a stage has run."""
    text, chosen = settings.planned(place / params.FILE, overrides, recipe, place)
    path = chosen.dataset.path
    if place != ROOT and not (place / path).exists():
        # A folder of images that git does not have lies in the user's checkout alone.
        here = {**overrides, "dataset.path": str(ROOT / path)}
        text, chosen = settings.planned(place / params.FILE, here, recipe, place)
    params.require_path(chosen.dataset, place)
    params.require_clip(chosen.evaluate, place)
    params.require_nfe(chosen)
    starts.require_all(chosen, place)
    return text
