"""Register the better method's generator, and say whether it is the new champion. `python -m pipelines.register`.

The versions of the registered model carry what the gate needs to know as tags: the protocol they were measured
by, and the value of each sample set. A version's tags are written with it; the aliases follow, and the tag
`gate.decision` last, so that a registration that was cut short is completed by the next.

Every run of the pipeline ends here, and mostly to be told that there is such a version already. That is found out
without PyTorch and MLflow, which take seconds to import.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fm import generator_files, images, sheets
from fm.pictures import pictures
from pipelines import further_stages, params, snapshots
from pipelines.lineage.traced import EVALUATION, KEPT, LOCK, TRAINING
from pipelines.params import Params
from pipelines.program import run
from pipelines.project import METRICS, MODELS, PREPARED
from pipelines.records import provenance, tracking
from pipelines.registry import model_version, promotion
from pipelines.registry.gate import AGAIN, SET_VALUES, Winner, by_set, choose
from pipelines.registry.model_card import Facts, card, shortened
from pipelines.registry.model_version import FINGERPRINT, fingerprint
from pipelines.registry.promotion import CANDIDATE
from pipelines.registry.settled import DECISION, is_same, must_be_measured, settled
from pipelines.registry.versions import asking
from pipelines.schemas.prepare import PrepareMetrics
from pipelines.schemas.train import TrainMetrics
from pipelines.stage import Stage, StageChanged, are_as_recorded, changes, declared, recorded
from pipelines.words import number

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from fm.generator import Generator

LOCK_FILE = Path("dvc.lock")
CARD, SAMPLES, FILM = "MODEL_CARD.md", "samples.png", "samples.webp"
SHEET_WIDTH = 600  # pixels at most, where images are small


def main() -> None:
    settings = params.load()
    winner = choose(settings)
    require_made_so(winner.method)
    print(
        f"best at {winner.row.nfe} network evaluations by {winner.protocol.metric}: {winner.method} "
        f"({winner.row.solver}, {winner.row.steps} steps), {number(winner.value)}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "generator"
        sampler = winner.row.sampler
        generator_files.copy(MODELS / winner.method, folder, sampler, snapshots.weaker(winner.method, [sampler]))
        tags = winner.tags() | {FINGERPRINT: fingerprint(folder)}
        if (version := settled(settings.register_.model_name, winner, tags)) is not None:
            print(f"unchanged: version {version} of {settings.register_.model_name}")
        else:
            settle(settings, winner, folder, tags)


@asking()
def settle(settings: Params, winner: Winner, folder: Path, tags: Mapping[str, str]) -> None:
    """Register it unless it is, measure the champion again if need be, and let the gate decide."""
    name = settings.register_.model_name
    version = find_version(name, tags)
    if version is not None and by_set(version.tags) != winner.sets:  # it was registered before there were any
        tracking.client().set_model_version_tag(name, version.version, SET_VALUES, tags[SET_VALUES])
        version = fresh(version)
    if version is None:
        version = register(settings, winner, folder, tags)
        print(f"registered: {name}, version {version.version}")
    elif DECISION in version.tags:
        print(f"unchanged: version {version.version} of {name}")
        if measure_champion(settings, winner, name, version):
            print(f"the gate: {promotion.judge_version(promotion.registered(name), fresh(version)).why}")
        return
    else:
        print(f"unchanged: version {version.version} of {name}, whose registration was cut short")
    measure_champion(settings, winner, name, version)
    set_aliases(name, fresh(version))


def measure_champion(settings: Params, winner: Winner, name: str, version: "ModelVersion") -> bool:
    """Measure the champion again if it was measured otherwise than `version`; keep what is found with that. Whether it
    was measured."""
    store, champion = tracking.client(), promotion.champion_of(promotion.registered(name))
    if champion is None:
        return False
    theirs = store.get_model_version(name, champion).tags
    if not must_be_measured(champion, theirs, str(version.version), version.tags):
        return False
    from pipelines.registry.champion import measured_again

    found = measured_again(settings, winner.evaluation, winner.protocol.metric, winner.protocol.nfe, name, champion)
    store.set_model_version_tag(name, version.version, AGAIN, found.model_dump_json())
    return True


def fresh(version: "ModelVersion") -> "ModelVersion":
    return tracking.client().get_model_version(version.name, version.version)


def require_made_so(method: str) -> None:
    """That settings, code and data are those that DVC has recorded for what is to be registered: its card and its
    lineage are of what lies here now.

    Raises:
        StageChanged: they are others; the message names them.
    """
    further = further_stages.asked(params.load())
    names = ("prepare", "features", *further, f"train@{method}", f"evaluate@{method}", "compare")
    if are_as_recorded(names):
        return
    for name in names:
        made = recorded(name)
        if made is not None and (changed := changes(made)):
            raise StageChanged(f"{name}: changed since it ran, so run the pipeline again first: {'; '.join(changed)}")


def find_version(name: str, tags: Mapping[str, str]) -> "ModelVersion | None":
    """The version of the same generator that was measured by the same protocol."""
    versions = tracking.client().search_model_versions(
        f"name = '{name}' and tags.`{FINGERPRINT}` = '{tags[FINGERPRINT]}'"
    )
    return next((one for one in versions if is_same(one.tags, tags)), None)


def register(settings: Params, winner: Winner, folder: Path, tags: Mapping[str, str]) -> "ModelVersion":
    """Log the generator of a folder to a run of its own and make it a version, tags included, in one step."""
    from fm.generator import Generator

    generator = Generator.load(folder)
    experiment = settings.dataset.name
    stage = Stage(
        "register",
        settings.model_dump(mode="json"),
        {str(PREPARED): winner.protocol.data_md5, str(MODELS / winner.method): tags[FINGERPRINT]},
    )
    with tracking.stage_run(stage, experiment) as tracked:
        origin = {
            **provenance.tags(stage),
            **stage_run_of(experiment, f"train@{winner.method}", TRAINING),
            **stage_run_of(experiment, f"evaluate@{winner.method}", EVALUATION),
            **keep_making(tracked),
            FINGERPRINT: tags[FINGERPRINT],
        }
        known = {**tags, **origin}
        tracked.dataset_input(experiment, winner.protocol.data_md5, str(PREPARED))
        log_version(tracked, winner, known)
        facts = gather(settings, winner, generator, origin)
        pages = write_pages(folder.with_name("pages"), facts, generator)
        tracked.artifact(pages)
        shown = FILM if (pages / FILM).exists() else SAMPLES
        description = shortened(card(facts, model_version.run_artifact(tracked.run_id, shown)), CARD)
        return model_version.create(
            settings.register_.model_name, tracked.run_id, generator, folder, pages, known, description
        )


def keep_making(tracked: tracking.StageRun) -> dict[str, str]:
    """Put the settings and the lock file with the run, as they are now; the lock file's hash as a tag."""
    for file in (Path(params.FILE), LOCK_FILE):
        if file.exists():
            tracked.artifact(file, KEPT)
    return {LOCK: hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()} if LOCK_FILE.exists() else {}


def gather(settings: Params, winner: Winner, generator: "Generator", origin: dict[str, str]) -> Facts:
    prepared, trained = METRICS / "prepare.json", METRICS / "train" / f"{winner.method}.json"
    return Facts(
        settings=settings,
        method=winner.method,
        config=generator.config,
        parameters=sum(weight.numel() for weight in generator.network.parameters()),
        prepared=PrepareMetrics.load(prepared) if prepared.exists() else None,
        trained=TrainMetrics.load(trained) if trained.exists() else None,
        evaluation=winner.evaluation,
        row=winner.row,
        decided_by=winner.protocol.metric,
        lineage=origin,
    )


def write_pages(folder: Path, facts: Facts, generator: "Generator") -> Path:
    """The card and the picture that it shows, side by side; what moves is a film beside it."""
    folder.mkdir()
    made, columns = sheets.made(generator, seed=0), sheets.columns_of(generator)
    sheet = sheets.laid_out(pictures(made, generator.codec), columns)
    images.save_png(enlarged(sheet), folder / SAMPLES)
    if (film := sheets.film(made, generator.codec, columns)) is not None:
        (folder / FILM).write_bytes(film)
    (folder / CARD).write_text(card(facts, SAMPLES if film is None else FILM), encoding="utf-8")
    return folder


def enlarged(sheet: images.Images) -> images.Images:
    """As many whole times as it stays within SHEET_WIDTH: uint8 (H, W, C)."""
    times = max(1, SHEET_WIDTH // sheet.shape[1])
    return sheet.repeat(times, axis=0).repeat(times, axis=1)


def stage_run_of(experiment: str, stage: str, tag: str) -> dict[str, str]:
    found = tracking.find_run(tracking.experiment_id(experiment), declared(stage).key, finished=True)
    return {tag: found.info.run_id} if found else {}


def log_version(tracked: tracking.StageRun, winner: Winner, tags: Mapping[str, str]) -> None:
    for name, value in tags.items():
        tracking.client().set_tag(tracked.run_id, name, value)
    tracked.params({"method": winner.method, "solver": winner.row.solver, "steps": winner.row.steps})
    tracked.metrics({winner.protocol.metric: winner.value, "nfe": float(winner.row.nfe)}, step=0)


def set_aliases(name: str, version: "ModelVersion") -> None:
    """The new version is the candidate; the gate says whether it is the champion too."""
    store = tracking.client()
    store.set_registered_model_alias(name, CANDIDATE, version.version)
    model = promotion.registered(name)
    champion = promotion.champion_of(model)
    if champion == str(version.version):
        outcome, why = f"champion: version {champion}", "it is the champion already"
    else:
        verdict = promotion.judge_version(model, version)
        why = verdict.why
        if verdict.promoted:
            promotion.change(model, "promotion", str(version.version), "registered", why, by="registration")
            outcome = f"champion: version {version.version}"
        else:
            outcome = f"champion: version {champion} stays, version {version.version} is the candidate"
    store.set_model_version_tag(name, version.version, DECISION, f"{outcome}; {why}")
    print(f"{outcome}; {why}")


if __name__ == "__main__":
    run(main)
