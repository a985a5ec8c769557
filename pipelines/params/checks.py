"""What settings must be beside what lies on disk, and what only some of the commands ask for."""

from pathlib import Path

from fm.errors import shown
from fm.extractor_names import dimensions_of, is_of_pictures
from fm.s3 import parse
from pipelines.params.mistakes import MOST_MISTAKES, ParamsError
from pipelines.params.params import Params, too_few
from pipelines.params.reading import FILE, load
from pipelines.params.sections import FOLDERS, Dataset, Evaluate, Roles

NO_IMAGES = "data/README.md"
MISSED = {
    "stronger": "whether the baseline is weak will not be told",
    "over": "the claim migration will not be measured",
    "further": "the claim migration will have no control",
}
"""What a comparison goes without where no method has a role."""


def require_method(name: str, path: Path = FILE) -> None:
    """Raise ParamsError, with those there are, unless params.yaml has a method of this name."""
    known = load(path).methods
    if name not in known:
        raise ParamsError(f"{path} has no method {name!r}: there are {', '.join(known)}")


def require_path(dataset: Dataset, root: Path) -> None:
    """That dataset.path is there: DVC has it as a dependency whatever the dataset, and says little if it is missing.

    Raises:
        ParamsError: there is no such path below `root`, or it is no folder and the dataset is one.
    """
    path = root / dataset.path
    if dataset.name in FOLDERS and not path.is_dir():
        what = FOLDERS[dataset.name]
        raise ParamsError(f"{FILE}: dataset.path = {shown(dataset.path)}: must be the folder with your {what}")
    if not path.exists():
        raise ParamsError(
            f"{FILE}: dataset.path = {shown(dataset.path)}: must exist; {NO_IMAGES} does, where none is needed"
        )


def require_clip(chosen: Evaluate, root: Path) -> None:
    """That evaluate.clip is there, where it is given. Raises ParamsError."""
    if chosen.clip is not None and not (root / Path(chosen.clip).expanduser()).is_dir():
        raise ParamsError(
            f"{FILE}: evaluate.clip = {shown(chosen.clip)}: must be a folder with a CLIPModel as transformers saves it"
        )


def require_keys(dataset: Dataset) -> None:
    """That this machine has keys for the store that shards surely go to. Raises UserError."""
    if dataset.storage == "shards" and dataset.store is not None:
        parse(dataset.store).require_keys()


def require_enough(chosen: Evaluate, num_train: int, num_test: int, dimensions: int | None = None) -> None:
    """That sample sets and splits have more images than features, so that a distance means something.

    Args:
        dimensions: of the extractor's features; None is what is known of them before it is made.

    Raises:
        ParamsError: one of them has too few, or a sample set has more than the test split, the floor.
    """
    least = dimensions_of(chosen.extractor) if dimensions is None else dimensions
    count = chosen.count(num_test)
    small = [(split, have) for split, have in (("training", num_train), ("test", num_test)) if have <= least]
    if small:
        have = " and ".join(f"the {split} split has {have} data" for split, have in small)
        raise ParamsError(
            f"{too_few(have, least, chosen.extractor)}; of one's own data dataset.test_fraction are held out"
        )
    if count <= least:
        raise ParamsError(f"{FILE}: {too_few(f'evaluate.images = {count}', least, chosen.extractor)}")
    if count > num_test:
        raise ParamsError(
            f"{FILE}: evaluate.images = {count}: the test split, the floor, has {num_test}; test_split means all of it"
        )


def require_seen(chosen: Evaluate, name: str, stored: tuple[int, ...], dtype: str) -> None:
    """That the extractor looks at such data: known before it is made, so that nothing is trained in vain.

    Args:
        name: of the dataset.
        stored: shape of a datum.

    Raises:
        ParamsError: it is of pictures, and they are none.
    """
    if is_of_pictures(chosen.extractor) and (dtype != "uint8" or len(stored) != 3 or stored[-1] not in (1, 3)):
        raise ParamsError(
            f"{FILE}: evaluate.extractor = {shown(chosen.extractor)}: looks at pictures, uint8 (height, width, 1 or "
            f"3), and each datum of {name} is {dtype} {stored}: take space_time, which looks along one to three axes"
        )


def require_nfe(settings: Params) -> None:
    """That every method has a row by which register.nfe can decide. Raises ParamsError, with those there are."""
    for name, method in settings.methods.items():
        there = set().union(*(sampler.evaluations() for sampler in method.samplers))
        if settings.register_.nfe not in there:
            raise ParamsError(
                f"{FILE}: register.nfe = {settings.register_.nfe}: {name} has no row with that many evaluations; it "
                f"has rows with {', '.join(map(str, sorted(there)[:MOST_MISTAKES]))} (methods.{name}.samplers)"
            )


def absent_roles(settings: Params) -> list[str]:
    """What to say of the methods that the claims mean and that are not there: without them claims are not measured.

    The other roles may have no method, but not one that a person named.
    """
    known, roles = ", ".join(settings.methods), settings.compare
    of_most = dict.fromkeys(("ours", "baseline"), "most claims will not be measured")
    by_hand = {role: missed for role, missed in MISSED.items() if getattr(roles, role) != getattr(Roles(), role)}
    return [
        f"warning: compare.{role} = {method}: there is no such method, so {missed}; there are {known}"
        for role, missed in {**of_most, **by_hand}.items()
        if (method := getattr(roles, role)) not in settings.methods
    ]
