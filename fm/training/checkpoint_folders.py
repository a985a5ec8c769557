"""Checkpoints as folders, which several processes write and read together, locally or in an object store.

A folder holds what torch.distributed.checkpoint writes, every process its part, so that another number of processes can
read it. In it:

    __0_0.distcp, ...   the tensors that process 0 wrote
    .metadata           which part of which tensor is where
    rest.pt             what are no tensors
    checkpoint.json     whose it is, and size and SHA-256 of the others; written last: without it there is no checkpoint
"""

import hashlib
import json
import pickle
import re
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import torch
import torch.distributed as dist
from fsspec.core import url_to_fs
from lightning.fabric.plugins import CheckpointIO
from torch import Tensor
from torch.distributed.checkpoint._fsspec_filesystem import FileSystem, FsspecReader, FsspecWriter
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from fm import s3
from fm.errors import TryLater, UserError
from fm.training.background import Background
from fm.training.staging import Copies

MARK, REST, METADATA, SUMS = "checkpoint.json", "rest.pt", ".metadata", ".sha256"
NAME = re.compile(r"step-(\d{9})")
KEPT = 2  # the last and the one before
CHUNK = 2**22
TENSOR = "the tensor of this name"


class Folders(CheckpointIO):
    """Keeps the last checkpoint of a training and the one before it; both are whole, or are not used.

    Args:
        place: a folder, or the URL of one as fsspec takes it (s3://bucket/prefix).
        key: names the training, so that no other takes its checkpoints for its own.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     folders = Folders(place, key="of these settings")
    ...     folders.save_checkpoint({"global_step": 4, "weight": torch.ones(3)})
    ...     folders.wait()
    ...     newest, wrong = folders.usable(set_aside=True)
    ...     folders.load_checkpoint(newest)
    {'global_step': 4, 'weight': tensor([1., 1., 1.])}
    """

    def __init__(self, place: Path | str, key: str) -> None:
        self.place = str(place).rstrip("/")
        self.key = key
        self.group: Any = None
        self._background = Background()
        self._copies = Copies()

    def meet(self) -> None:
        """Work together with all processes of the training, beside what they say to each other in its steps."""
        self.group = dist.new_group(backend="gloo")

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any = None, storage_options: Any = None) -> None:
        """Copy what `checkpoint` holds, and write it while the training goes on."""
        tensors: dict[str, Tensor] = {}
        rest = taken_apart(checkpoint, tensors)
        self.wait()
        folder = f"{self.place}/step-{checkpoint['global_step']:09d}"
        self._background.start(partial(self._write, self._copies.of(tensors), Writer(folder, rest, self.key)))

    def wait(self) -> None:
        """Until what is under way is written. Raises what kept it from being."""
        self._background.wait()

    def _write(self, tensors: dict[str, Tensor], writer: "Writer") -> None:
        with told(f"{writer.path} can't be written"):
            save(tensors, storage_writer=writer, process_group=self.group, no_dist=self.group is None)
        if writer.is_first:
            for old in self._found()[KEPT:]:
                files(old).rm(old, recursive=True)

    def usable(self, set_aside: bool) -> tuple[str | None, list[str]]:
        """The newest checkpoint that can be gone on from, and what is wrong with those that are newer. Whether its
        bytes are what was written is seen when they are read.

        Args:
            set_aside: mark those that cannot be used, so that nobody looks at them again.
        """
        wrong: list[str] = []
        for folder in self._found():
            why = self._problem(folder)
            if why is None:
                return folder, wrong
            wrong.append(f"{folder} {why}")
            if set_aside:
                put_aside(folder)
        return None, wrong

    def said(self, found: str) -> Mapping[str, Any]:
        """What is in a checkpoint besides tensors."""
        with files(found).open(f"{found}/{REST}", "rb") as file:
            return dict(torch.load(file, weights_only=True))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return self.load_into(str(path), {})

    def load_into(self, folder: str, live: Any) -> dict[str, Any]:
        """What was saved; tensors that `live` has too, in the same places of the same nested mappings and lists, are
        read where they are there, and may be divided among other processes than those that wrote them.

        Raises:
            UserError: neither this checkpoint nor one before it is what was written. They are put aside.
        """
        wrong: list[str] = []
        for candidate in self._found(until=folder):
            damaged = self._damaged(candidate)
            if not damaged:
                for line in wrong if self._is_first else []:
                    print(f"{line}; it goes on from the one before, {candidate}", flush=True)
                return self._read(candidate, live)
            wrong.append(f"{candidate} is damaged: not what was written: {', '.join(damaged)}")
            if self._is_first:
                put_aside(candidate)
        raise UserError(f"{'; '.join(wrong)}. Put aside; start again, and the training begins anew")

    def remove_checkpoint(self, path: Any) -> None:
        files(str(path)).rm(str(path), recursive=True)

    @property
    def _is_first(self) -> bool:
        return self.group is None or dist.get_rank(self.group) == 0

    def _found(self, until: str | None = None) -> list[str]:
        """The checkpoints there are, the newest first; those that are not whole are none."""
        with reached(self.place):
            system = files(self.place)
            if not system.isdir(self.place):
                return []
            names = sorted((Path(found).name for found in system.ls(self.place, detail=False)), reverse=True)
            folders = [f"{self.place}/{name}" for name in names if NAME.fullmatch(name)]
            return [one for one in folders if (until is None or one <= until) and system.exists(f"{one}/{MARK}")]

    def _problem(self, folder: str) -> str | None:
        """Why it cannot be gone on from, if so. Raises what `reached` does."""
        try:
            with reached(folder):
                mark = marked(folder)
                if mark["key"] != self.key:
                    return "is another training's"
                system = files(folder)
                for name, (size, _) in mark["files"].items():
                    if system.size(f"{folder}/{name}") != size:
                        return f"is damaged: {name} is not whole"
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"is damaged: {error}"
        return None

    def _damaged(self, folder: str) -> list[str]:
        """The files that are not what was written; each is read by one of the processes."""
        rank, count = (0, 1) if self.group is None else (dist.get_rank(self.group), dist.get_world_size(self.group))
        written = sorted(marked(folder)["files"].items())
        found = [name for name, (_, sum) in written[rank::count] if sum_of(f"{folder}/{name}") != sum]
        if self.group is None:
            return found
        everywhere: list[list[str]] = [[] for _ in range(count)]
        dist.all_gather_object(everywhere, found, self.group)
        return [name for names in everywhere for name in names]

    def _read(self, folder: str, live: Any) -> dict[str, Any]:
        there: dict[str, Tensor] = {}
        taken_apart(live, there)
        reader = Reader(folder)
        kept = reader.read_metadata().state_dict_metadata
        tensors = {name: there[name] if name in there else empty_like(one) for name, one in kept.items()}
        with told(f"{folder} can't be read"):
            load(tensors, storage_reader=reader, process_group=self.group, no_dist=self.group is None)
        return {key: put_together(value, tensors) for key, value in self.said(folder).items()}


class Summed:
    """A file that is written, with the SHA-256 of what it is given.

    >>> import io
    >>> file = Summed(io.BytesIO())
    >>> file.write(b"abc"), file.size, file.sum.hexdigest()[:6]
    (3, 3, 'ba7816')
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self.sum = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        self.sum.update(data)
        self.size += memoryview(data).nbytes
        return int(self.file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


class SummingFiles(FileSystem):
    """PyTorch's file system over fsspec's, which remembers size and sum of each file by its name.

    >>> SummingFiles().sums
    {}
    """

    def __init__(self) -> None:
        super().__init__()
        self.sums: dict[str, tuple[int, str]] = {}

    @contextmanager
    def create_stream(self, path: Any, mode: str) -> Iterator[Any]:
        with super().create_stream(path, mode) as file:
            stream = Summed(file)
            yield stream
        self.sums[Path(path).name] = stream.size, stream.sum.hexdigest()


class Writer(FsspecWriter):
    """Writes one checkpoint. Every process notes the sums of its files, and the first one puts them together last.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = save({"weight": torch.ones(2)}, storage_writer=Writer(folder, {"step": 3}, "mine"), no_dist=True)
    ...     marked(folder)["key"], sorted(marked(folder)["files"])
    ('mine', ['.metadata', '__0_0.distcp', 'rest.pt'])
    """

    def __init__(self, folder: str, rest: Any, key: str) -> None:
        super().__init__(folder, sync_files="://" not in folder)
        self.summing = SummingFiles()
        self.fs = self.summing  # type: ignore[assignment]  # FsspecWriter's own would do, says its base class
        self.fs.init_path(folder)
        self.rest = rest
        self.key = key
        self.is_first = False

    def set_up_storage_writer(self, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:
        super().set_up_storage_writer(is_coordinator, *args, **kwargs)
        self.is_first = is_coordinator
        if is_coordinator and files(str(self.path)).exists(self.path):  # of a training that was killed while it wrote
            files(str(self.path)).rm(self.path, recursive=True)

    def write_data(self, plan: Any, planner: Any) -> Any:
        written = super().write_data(plan, planner)
        with files(str(self.path)).open(f"{self.path}/{plan.storage_data.prefix}{SUMS}", "w", encoding="utf-8") as file:
            json.dump(self.summing.sums, file)
        return written

    def finish(self, metadata: Any, results: Any) -> None:
        super().finish(metadata, results)
        system = files(str(self.path))
        with self.summing.create_stream(f"{self.path}/{REST}", "wb") as file:
            torch.save(self.rest, file)
        sums = {REST: self.summing.sums[REST], METADATA: self.summing.sums[f"{METADATA}.tmp"]}
        for name in system.glob(f"{self.path}/*{SUMS}"):
            sums |= json.loads(system.cat_file(name))
        with system.open(f"{self.path}/{MARK}", "w", encoding="utf-8") as file:
            json.dump({"key": self.key, "files": sums}, file)


class Reader(FsspecReader):
    """Reads what `Writer` wrote, and runs none of it, whoever put it there.

    >>> from tempfile import TemporaryDirectory
    >>> read = {"weight": torch.zeros(2)}
    >>> with TemporaryDirectory() as folder:
    ...     _ = save({"weight": torch.ones(2)}, storage_writer=Writer(folder, {}, "mine"), no_dist=True)
    ...     load(read, storage_reader=Reader(folder), no_dist=True)
    >>> read
    {'weight': tensor([1., 1.])}
    """

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        with self.fs.create_stream(self._get_metadata_path(), "rb") as file:
            metadata = Plain(file).load()
        if not all(isinstance(one, TensorStorageMetadata) for one in metadata.state_dict_metadata.values()):
            raise UserError(f"{self.path} holds what is no tensor")
        assert isinstance(metadata, Metadata)
        assert metadata.storage_meta is not None
        metadata.storage_meta.load_id = self.load_id
        return metadata


class Plain(pickle.Unpickler):
    """Makes what describes tensors in files, and nothing else.

    >>> import io
    >>> Plain(io.BytesIO(pickle.dumps(print))).load()
    Traceback (most recent call last):
    _pickle.UnpicklingError: builtins.print is not of a checkpoint
    """

    # By whole names: what a module has imported is among its names too, and `os.system` would be one of them.
    KNOWN: ClassVar[Mapping[str, Set[str]]] = {
        "torch.distributed.checkpoint.metadata": {
            "BytesStorageMetadata",
            "ChunkStorageMetadata",
            "Metadata",
            "MetadataIndex",
            "StorageMeta",
            "TensorProperties",
            "TensorStorageMetadata",
            "_MEM_FORMAT_ENCODING",
        },
        "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
        "torch": {"Size", *(name for name, one in vars(torch).items() if isinstance(one, torch.dtype))},
        "torch.serialization": {"_get_layout"},
        "pathlib": {"PosixPath"},
    }

    def find_class(self, module: str, name: str) -> Any:
        if name in self.KNOWN.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not of a checkpoint")


def taken_apart(content: Any, tensors: dict[str, Tensor], name: str = "") -> Any:
    """The same nested mappings and lists with the name of each tensor in its place, and the tensors by name.

    >>> found = {}
    >>> taken_apart({"step": 3, "weights": [torch.ones(2)]}, found), found
    ({'step': 3, 'weights': [{'the tensor of this name': 'weights/0'}]}, {'weights/0': tensor([1., 1.])})
    """
    if isinstance(content, Tensor):
        tensors[name] = content
        return {TENSOR: name}
    below = f"{name}/" if name else ""
    if isinstance(content, Mapping):
        return {key: taken_apart(value, tensors, f"{below}{key}") for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [taken_apart(value, tensors, f"{below}{place}") for place, value in enumerate(content)]
    return content


def put_together(rest: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What was taken apart; tuples are lists now."""
    match rest:
        case dict() if rest.keys() == {TENSOR}:
            return tensors[rest[TENSOR]]
        case dict():
            return {key: put_together(value, tensors) for key, value in rest.items()}
        case list():
            return [put_together(value, tensors) for value in rest]
    return rest


@contextmanager
def told(what: str) -> Iterator[None]:
    """What went wrong in whichever process, in a line."""
    try:
        yield
    except CheckpointException as error:  # no Exception, and every process's traceback
        causes = {f"{type(cause).__name__}: {cause}" for cause, _ in error.failures.values()}
        raise UserError(f"{what}: {'; '.join(sorted(causes))}") from None


@contextmanager
def reached(place: str) -> Iterator[None]:
    """What keeps a store from being looked into, in a line; that something is not there is no such thing.

    Raises:
        TryLater: it can pass by itself.
        UserError: it cannot.
    """
    if not place.startswith(s3.SCHEME):
        yield
        return
    try:
        with s3.translated(place):
            yield
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise UserError(
            f"{place}: these keys may not do that ({error}); take those of a user who may, or another bucket"
        ) from None
    except OSError as error:
        raise TryLater(f"{place}: the store cannot now: {error}") from None


def require_writable(place: str, given_by: str) -> None:
    """That checkpoints can be kept there: a file is written and removed, so that no training finds out at its first.

    Args:
        place: a folder, or the URL of one as fsspec takes it.
        given_by: what names the place, for people.

    Raises:
        UserError: they can't, and it says why.
        TryLater: they can't now.

    >>> require_writable("/dev/null", "here")
    Traceback (most recent call last):
    fm.errors.UserError: here = /dev/null: must be a folder
    """
    file = f"{place}/.{uuid4().hex}"
    try:
        with reached(place):
            system = files(place)
            if not place.startswith(s3.SCHEME):  # where it would make a bucket
                system.makedirs(place, exist_ok=True)
            system.pipe_file(file, b"")
            system.rm_file(file)
    except UserError as error:
        raise type(error)(f"{given_by} = {error}") from None
    except FileExistsError:
        raise UserError(f"{given_by} = {place}: must be a folder") from None
    except (OSError, ValueError, ImportError) as error:  # fsspec's words for a scheme that there is not, or not here
        why = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())
        raise UserError(f"{given_by} = {place}: checkpoints can't be written there: {why}") from None


def empty_like(kept: Any) -> Tensor:
    """A tensor to read a saved one into, on the CPU."""
    return torch.empty(kept.size, dtype=kept.properties.dtype)


def files(place: str) -> Any:
    """fsspec's file system for a path or URL, which looks anew at what is there."""
    system, _ = url_to_fs(place)
    system.invalidate_cache()
    return system


def marked(folder: str) -> dict[str, Any]:
    found = json.loads(files(folder).cat_file(f"{folder}/{MARK}"))
    if not isinstance(found, dict):
        raise ValueError(f"{MARK} is not what was written")
    return found


def sum_of(path: str) -> str:
    """SHA-256 of a file's bytes."""
    found = hashlib.sha256()
    with files(path).open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def put_aside(folder: str) -> None:
    """Take what makes a folder a checkpoint out of the way, so that it is none."""
    files(folder).mv(f"{folder}/{MARK}", f"{folder}/{MARK}.damaged")


def remove(place: str) -> None:
    """All checkpoints of a training, or nothing where there are none. Raises TryLater, UserError: the store does not
    answer, or refuses."""
    with reached(place):
        system = files(place)
        if system.exists(place):
            system.rm(place, recursive=True)
