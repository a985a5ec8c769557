"""Register the better method's generator, and say whether it is the new champion. `python -m pipelines.register`.

The versions of the registered model carry what the gate needs to know as tags: the protocol they were measured
by, and the value of each sample set. A version's tags are written with it; the aliases follow, and the tag
`gate.decision` last, so that a registration that was cut short is completed by the next.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fm import images
from fm.errors import UserError
from fm.generator import Generator
from pipelines import lineage, params, tracking
from pipelines.gate import PROTOCOL, Verdict, Winner, choose, judge
from pipelines.model_card import Facts, card
from pipelines.params import Params
from pipelines.program import run
from pipelines.project import MODELS, PREPARED, ROOT
from pipelines.stage import Stage, declared

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CANDIDATE, CHAMPION = "candidate", "champion"
FINGERPRINT, DECISION = "generator.sha256", "gate.decision"
NEEDED_BY_FM = ("torch", "numpy", "safetensors", "pydantic", "pillow")
CARD, SHEET = "MODEL_CARD.md", "samples.png"


def main() -> None:
    settings = params.load()
    winner = choose(settings)
    print(
        f"best at {winner.row.nfe} network evaluations by {winner.protocol.metric}: {winner.method} "
        f"({winner.row.solver}, {winner.row.steps} steps), {winner.value:.4g}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "generator"
        generator = Generator.load(MODELS / winner.method).with_sampler(winner.row.sampler)
        generator.save(folder)
        tags = winner.tags() | {FINGERPRINT: fingerprint(folder)}
        name = model_name(settings)
        version = find_version(name, tags)
        if version is None:
            version = register(settings, winner, generator, folder, tags)
            print(f"registered: {name}, version {version.version}")
        elif DECISION in version.tags:
            print(f"unchanged: version {version.version} of {name}")
            return
        else:
            print(f"unchanged: version {version.version} of {name}, whose registration was cut short")
    set_aliases(name, version, winner)


def model_name(settings: Params) -> str:
    if settings.register_.model_name is None:
        raise UserError("params.yaml: register.model_name: there is no default for this dataset")
    return settings.register_.model_name


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def find_version(name: str, tags: Mapping[str, str]) -> "ModelVersion | None":
    """The version of the same generator that was measured by the same protocol."""
    same = {key: value for key, value in tags.items() if key == FINGERPRINT or key.startswith(PROTOCOL)}
    versions = tracking.client().search_model_versions(
        f"name = '{name}' and tags.`{FINGERPRINT}` = '{tags[FINGERPRINT]}'"
    )
    return next((one for one in versions if same.items() <= one.tags.items()), None)


def register(
    settings: Params, winner: Winner, generator: Generator, folder: Path, tags: Mapping[str, str]
) -> "ModelVersion":
    """Log the model to a run of its own and make it a version, tags included, in one step."""
    experiment = settings.dataset.name
    stage = Stage(
        "register",
        settings.model_dump(mode="json"),
        {str(PREPARED): winner.protocol.data_md5, str(MODELS / winner.method): tags[FINGERPRINT]},
    )
    with tracking.stage_run(stage, experiment) as tracked:
        origin = {**lineage.tags(stage), **training_run(experiment, winner.method), FINGERPRINT: tags[FINGERPRINT]}
        known = {**tags, **origin}
        tracked.dataset_input(experiment, winner.protocol.data_md5, str(PREPARED))
        describe(tracked, winner, generator, known)
        parameters = sum(weight.numel() for weight in generator.network.parameters())
        facts = Facts(
            settings, winner.method, generator.config, winner.evaluation, winner.row, origin, parameters, SHEET
        )
        path = folder.with_name(CARD)
        path.write_text(card(facts))
        tracked.artifact(path)
        # The description is shown on a page of its own, from where MLflow's server gives the sheet by this address.
        description = card(replace(facts, samples=f"get-artifact?path={SHEET}&run_uuid={tracked.run_id}"))
        return create_version(model_name(settings), tracked.run_id, generator, folder, path, description, known)


def training_run(experiment: str, method: str) -> dict[str, str]:
    found = tracking.find_run(tracking.experiment_id(experiment), declared(f"train@{method}").key, finished=True)
    return {"training.run_id": found.info.run_id} if found else {}


def describe(tracked: tracking.StageRun, winner: Winner, generator: Generator, tags: Mapping[str, str]) -> None:
    for name, value in tags.items():
        tracking.client().set_tag(tracked.run_id, name, value)
    tracked.params({"method": winner.method, "solver": winner.row.solver, "steps": winner.row.steps})
    tracked.metrics({winner.protocol.metric: winner.value, "nfe": float(winner.row.nfe)}, step=0)
    columns = images.columns(len(generator.config.label_names))
    sheet = images.grid(generator.sample(images.ROWS * columns, seed=0), columns)
    tracked.image("samples", sheet, step=0)
    with tempfile.TemporaryDirectory() as scratch:
        images.save_png(sheet, Path(scratch) / SHEET)
        tracked.artifact(Path(scratch) / SHEET)


def create_version(
    name: str,
    run_id: str,
    generator: Generator,
    folder: Path,
    page: Path,
    description: str,
    tags: Mapping[str, str],
) -> "ModelVersion":
    store = tracking.client()
    model = log_model(run_id, generator, folder, page)
    ensure_registered(name)
    version = store.create_model_version(
        name,
        source=f"models:/{model.model_id}",
        run_id=run_id,
        model_id=model.model_id,
        tags=dict(tags),
        description=description,
    )
    # By this the model's own page links to the version.
    versions = json.dumps([{"name": name, "version": version.version}])
    store.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": versions})
    return version


def log_model(run_id: str, generator: Generator, folder: Path, page: Path) -> Any:
    """Log the generator as code and safetensors: no pickle, and no need of this project to load it."""
    import mlflow
    import pandas

    from pipelines import served_model

    image = generator.config.image
    label = generator.config.label_names[0] if generator.config.label_names else served_model.ALL_LABELS
    mlflow.set_tracking_uri(tracking.uri())
    # MLflow's active run is good enough here: this command has one thread.
    with mlflow.start_run(run_id=run_id):
        return mlflow.pyfunc.log_model(
            name="generator",
            python_model=str(ROOT / "pipelines" / "served_model.py"),
            artifacts={served_model.GENERATOR: str(folder), "card": str(page)},
            code_paths=[str(ROOT / "fm")],
            signature=served_model.signature(image.channels, image.size),
            input_example=(pandas.DataFrame({"label": [label]}), {"num_samples": 2, "seed": 0}),
            pip_requirements=requirements(),
        )


def requirements() -> list[str]:
    """What `fm` and MLflow need to load the model, as it is installed here."""
    return [f"{name}=={installed(name).split('+')[0]}" for name in ("mlflow", *NEEDED_BY_FM)]


def ensure_registered(name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        tracking.client().create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def set_aliases(name: str, version: "ModelVersion", winner: Winner) -> None:
    """The new version is the candidate; the gate says whether it is the champion too."""
    store = tracking.client()
    store.set_registered_model_alias(name, CANDIDATE, version.version)
    champion = store.get_registered_model(name).aliases.get(CHAMPION)
    if champion is None:
        verdict = Verdict(True, "there is no champion yet")
    elif str(champion) == str(version.version):
        verdict = Verdict(True, "it is the champion already")
    else:
        verdict = judge(winner, store.get_model_version(name, champion).tags)
    if verdict.promoted:
        store.set_registered_model_alias(name, CHAMPION, version.version)
        outcome = f"champion: version {version.version}"
    else:
        outcome = f"champion: version {champion} stays, version {version.version} is the candidate"
    store.set_model_version_tag(name, version.version, DECISION, f"{outcome}; {verdict.why}")
    print(f"{outcome}; {verdict.why}")


if __name__ == "__main__":
    run(main)
