"""Training data that do not fit: 200,000 images in an S3 store, through a cache of 200 MB, against a memory map.

    .venv/bin/python -m benchmarks.streaming

Tar files of generated images are prepared as shards in a SeaweedFS that is started for it: by two processes, once
undisturbed and once killed in the middle and gone on with. Then batches are drawn as a training draws them, without the
network, from the memory map and from the shards in turn: rate, memory, disk. A reader that is killed in mid-epoch goes
on where it was, and the parts of several processes are put together.
"""

import argparse
import io
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fm.data.prepared import Prepared

SIZE, BATCH = 32, 128
IN_A_TAR = 10_000
SHARD, WINDOW, CACHE = 4_000_000, 88_000_000, 200_000_000
ROUNDS = 3
PLACE = "streaming-samples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", nargs="?", choices=["prepare", "read"], help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--source", choices=["map", "shards"])
    parser.add_argument("--from-step", type=int, default=0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world-size", type=int, default=1)
    parser.add_argument("--sums", action="store_true")
    chosen = parser.parse_args()
    if chosen.job == "prepare":
        prepare(chosen.folder)
    elif chosen.job == "read":
        read(chosen)
    else:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), chosen.images)


def compare(folder: Path, images: int) -> None:
    from tests.store import running

    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    (folder / "store").mkdir()
    with running(folder / "store") as store:
        os.environ |= store.variables(store.set_up("streaming", {})["training"])
        generate(folder / "tars", images)
        print(f"{images:,} images of {SIZE}x{SIZE}x3, {os.cpu_count()} cores")
        seconds = prepared(folder, "prepared")
        print(f"prepared in {seconds:.0f} s, {images / seconds:,.0f} images/s")
        killed(folder, seconds / 2)
        as_arrays(folder)
        steps = images * 4 // 5 // BATCH
        found: dict[str, list[dict[str, Any]]] = {"map": [], "shards": []}
        for _ in range(ROUNDS):
            for source, runs in found.items():
                shutil.rmtree(folder / "cache", ignore_errors=True)
                job = run("read", "--folder", folder, "--source", source, "--steps", steps * 3 // 2)
                runs.append(json.loads(job.communicate()[0]))
        for source, runs in found.items():
            tell(source, runs)
        for what in ("rate", "processor"):
            ratios = sorted(its[what] / mine[what] for its, mine in zip(found["shards"], found["map"], strict=True))
            print(f"{what}, shards by map: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
        resumed(folder, steps)


def tell(source: str, runs: Sequence[dict[str, Any]]) -> None:
    rates = ", ".join(f"{one['rate']:,.0f}" for one in runs)
    processor = statistics.median(one["processor"] for one in runs)
    print(f"{source}: {rates} images/s, {processor * 1e6:.0f} us of the processor an image")
    print(f"  memory of its own after each quarter of an epoch and a half: {runs[-1]['memory']} MB")
    print(f"  at most {max(one['disk'] for one in runs) / 1e6:.0f} MB in the cache")


def generate(folder: Path, images: int) -> None:
    """Squares of random colours and a disc on them, in PNG files, with the disc's grey level as class."""
    from PIL import Image

    folder.mkdir()
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE]
    for start in range(0, images, IN_A_TAR):
        numbers = np.arange(start, min(start + IN_A_TAR, images))
        squares = random.integers(0, 256, (len(numbers), 4, 4, 3), dtype=np.uint8)
        made = squares.repeat(SIZE // 4, 1).repeat(SIZE // 4, 2)
        centres = random.integers(0, SIZE, (2, len(numbers), 1, 1))
        disc = (x - centres[0]) ** 2 + (y - centres[1]) ** 2 < 40
        made[disc] = (numbers % 10 * 25).astype(np.uint8)[np.nonzero(disc)[0], None]
        with tarfile.TarFile(folder / f"{start // IN_A_TAR:05}.tar", "w") as tar:
            for number, image in zip(numbers.tolist(), made, strict=True):
                content = io.BytesIO()
                Image.fromarray(image).save(content, format="PNG", compress_level=0)
                for ending, file in (("png", content.getvalue()), ("cls", str(number % 10).encode())):
                    entry = tarfile.TarInfo(f"{number:09}.{ending}")
                    entry.size = len(file)
                    tar.addfile(entry, io.BytesIO(file))


def prepare(folder: Path) -> None:
    from fm.data.assembling import sharded
    from fm.data.dataset import Request
    from fm.data.sharding import Plan
    from fm.data.webdataset import WebDataset
    from fm.data.writing import write_sharded
    from fm.s3 import Place

    asked = Request(Path(), folder.parent / "tars", SIZE, 3, 0.2, skip_bad=False)
    plan = Plan(asked, SHARD, folder / "work", Place(PLACE, "images/"))
    write_sharded(folder / "data", "discs", sharded(WebDataset().listing(asked.path), plan, 2), plan, WINDOW)


def run(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.streaming", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True)


def prepared(folder: Path, name: str) -> float:
    started = time.perf_counter()
    if run("prepare", "--folder", folder / name).wait() != 0:
        raise SystemExit("the preparation failed")
    return time.perf_counter() - started


def killed(folder: Path, after: float) -> None:
    job = run("prepare", "--folder", folder / "again")
    time.sleep(after)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    there = len(list((folder / "again" / "work").glob("*.json")))
    parts = len(list((folder / "tars").iterdir()))
    prepared(folder, "again")
    whole, again = ((folder / name / "data" / "manifest.json").read_bytes() for name in ("prepared", "again"))
    print(f"killed when {there} of {parts} parts were there, gone on with: the same bytes: {whole == again}")


def as_arrays(folder: Path) -> None:
    """The same rows as files that are mapped into memory."""
    rows = opened(folder).train
    images = np.lib.format.open_memmap(folder / "data.npy", "w+", np.uint8, (len(rows), *rows.stored))
    for start in range(0, len(rows), 1000):
        some = np.arange(start, min(start + 1000, len(rows)))
        images[some] = rows[some]["data"]
    np.save(folder / "label.npy", rows.column("label"))


def resumed(folder: Path, steps: int) -> None:
    """A reader that is killed in the first epoch and begins again at the next step; and several at once."""
    shutil.rmtree(folder / "cache")
    whole = lines(folder, steps)
    job = run("read", "--folder", folder, "--source", "shards", "--steps", steps, "--sums")
    assert job.stdout is not None
    before = [json.loads(job.stdout.readline()) for _ in range(steps // 2)]
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    after = lines(folder, steps - len(before), "--from-step", len(before))
    print(f"killed after {len(before)} of {steps} steps and gone on with: the same bytes: {before + after == whole}")
    for world_size in (2, 4):
        jobs = [
            run("read", "--folder", folder, "--source", "shards", "--steps", steps, "--sums", "--rank", rank,
                "--world-size", world_size) for rank in range(world_size)
        ]  # fmt: skip
        parts = [[json.loads(line) for line in job.communicate()[0].splitlines()[:-1]] for job in jobs]
        together = [[one for group in zip(*step, strict=True) for one in group] for step in zip(*parts, strict=True)]
        print(f"{world_size} processes at once, one cache: the same bytes: {together == whole}")


def lines(folder: Path, steps: int, *more: object) -> list[list[int]]:
    job = run("read", "--folder", folder, "--source", "shards", "--steps", steps, "--sums", *more)
    return [json.loads(line) for line in job.communicate()[0].splitlines()[:-1]]


def opened(folder: Path) -> "Prepared":
    from fm.data.prepared import CacheFolder, Prepared

    return Prepared.open(folder / "prepared" / "data", CacheFolder(folder / "cache", CACHE))


def read(chosen: argparse.Namespace) -> None:
    """Draw batches; print a line for each with a sum of each image if asked for, and at the end what it took."""
    import torch

    from fm.batches import Batches, Budget, Examples
    from fm.data.rows import Arrays

    torch.set_num_threads(1)
    dataset = opened(chosen.folder)
    rows = dataset.train
    if chosen.source == "map":
        rows = Arrays({name: np.load(chosen.folder / f"{name}.npy", mmap_mode="r") for name in ("data", "label")})
    budget = Budget(images_seen=10 * len(rows), batch_size=BATCH, learning_rate=1e-3, seed=1)
    batches = Batches(Examples(rows, dataset.codec, dataset.conditioner), budget, chosen.rank, chosen.world_size)
    steps = range(chosen.from_step, chosen.from_step + chosen.steps)
    quarters = {steps[len(steps) * quarter // 4 - 1] for quarter in range(1, 5)}
    along = []
    batches[steps[0]]
    with watched(chosen.folder / "cache") as disk:
        started, computed = time.perf_counter(), time.process_time()
        for step in steps:
            batch = batches[step]
            if chosen.sums:
                print(json.dumps([zlib.crc32(image.tobytes()) for image in batch.data.numpy()]), flush=True)
            if step in quarters:
                along.append(memory())
        seconds, computed = time.perf_counter() - started, time.process_time() - computed
    images = len(steps) * BATCH
    print(json.dumps({"rate": images / seconds, "processor": computed / images, "memory": along, "disk": max(disk)}))


def memory() -> int:
    """Megabytes of this process's own, without mapped files, which the system takes back when it needs them."""
    said = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return int(said["RssAnon"].split()[0]) // 1000


@contextmanager
def watched(folder: Path) -> Iterator[list[int]]:
    """How many bytes lie in a folder, looked at again and again."""
    sizes, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            with suppress(FileNotFoundError):
                found = [file.stat() for file in folder.iterdir()]
                sizes.append(sum({one.st_ino: one.st_size for one in found}.values()))  # one may have been renamed

    watcher = threading.Thread(target=look)
    watcher.start()
    yield sizes
    ended.set()
    watcher.join()


if __name__ == "__main__":
    main()
