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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

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
        rates: dict[str, list[float]] = {"map": [], "shards": []}
        for _ in range(ROUNDS):
            for source, found in rates.items():
                shutil.rmtree(folder / "cache", ignore_errors=True)
                job = run("read", "--folder", folder, "--source", source, "--steps", steps * 3 // 2)
                said = json.loads(job.communicate()[0])
                found.append(said["rate"])
                print(f"{source}: at a quarter, a half, three quarters, the end: {'; '.join(said['along'])}")
                print(f"{source}: at most {said['disk'] / 1e6:.0f} MB in the cache")
        for source, found in rates.items():
            print(f"{source}: {statistics.median(found):,.0f} images/s, {', '.join(f'{one:,.0f}' for one in found)}")
        ratios = [mine / its for mine, its in zip(rates["shards"], rates["map"], strict=True)]
        print(f"ratio {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")
        resumed(folder, steps)


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
        with tarfile.open(folder / f"{start // IN_A_TAR:05}.tar", "w") as tar:
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
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


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
        started = time.perf_counter()
        for step in steps:
            batch = batches[step]
            if chosen.sums:
                print(json.dumps([zlib.crc32(image.tobytes()) for image in batch.data.numpy()]), flush=True)
            if step in quarters:
                along.append(memory())
        seconds = time.perf_counter() - started
    print(json.dumps({"rate": len(steps) * BATCH / seconds, "along": along, "disk": max(disk)}))


def memory() -> str:
    """Of this process: what is its own, and what is mapped of files."""
    said = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    own, mapped = (int(said[name].split()[0]) / 1000 for name in ("RssAnon", "RssFile"))
    return f"{own:.0f} MB of its own and {mapped:.0f} MB of mapped files"


@contextmanager
def watched(folder: Path) -> Iterator[list[int]]:
    """How many bytes lie in a folder, looked at again and again."""
    sizes, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            with suppress(FileNotFoundError):
                sizes.append(sum(file.stat().st_size for file in folder.iterdir()))

    watcher = threading.Thread(target=look)
    watcher.start()
    yield sizes
    ended.set()
    watcher.join()


if __name__ == "__main__":
    main()
