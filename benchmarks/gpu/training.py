"""The training step: against the bare loop, and against what the device can do (model FLOP utilisation)."""

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu import limits
from benchmarks.gpu.agreement import attempted
from benchmarks.gpu.made_up import batch_of, network_of
from benchmarks.gpu.rows import Fault, Figure, Row
from benchmarks.gpu.sizes import Case, Sizes
from benchmarks.gpu.steps import Bare, Ours
from benchmarks.gpu.timing import Job, alternate, burst
from fm.batches import Batch

NOT_HERE = Fault("compiled", "not on a CPU")


def rows(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    peak = limits.products(device, sizes)[precision(device)]
    as_trained()
    for case in sizes.cases:
        yield from attempted(case.what, partial(of_a_case, case, device, sizes, peak))


def compiled(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    as_trained()
    if not sizes.compiled:
        yield NOT_HERE
    for number in sizes.compiled:
        case = sizes.cases[number]
        yield from attempted(f"{case.what}, compiled", partial(compiled_case, case, device, sizes))


def precision(device: torch.device) -> str:
    """In which steps are taken: bf16 autocast on a GPU."""
    return "float32" if device.type == "cpu" else "bf16"


def as_trained() -> None:
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True


def of_a_case(case: Case, device: torch.device, sizes: Sizes, peak: float) -> Iterator[Row]:
    batch = batch_of(case.shape, case.batch, device)
    bare = Bare(network_of(case.shape, case.options).to(device), batch.data, batch.given["label"])
    work = operations(bare.step)
    ours, memory = measured_memory(case, batch, device)
    seconds = alternate({"bare": bare.step, "ours": lambda: ours.step(ahead(batch))}, device, 2 * sizes.seconds)
    yield Figure(
        case.what,
        {
            "batch": case.batch,
            "parameters": sum(weight.numel() for weight in ours.network.parameters()),
            "GFLOP an image": work / case.batch / 1e9,
            "images/s": case.batch / seconds["ours"],
            "of the bare loop": seconds["bare"] / seconds["ours"],
            "of the matrix product": work / seconds["ours"] / peak,
            **({"peak GiB": memory / 2**30, "waits": waits(lambda: ours.step(ahead(batch)))} if memory else {}),
        },
    )


def operations(job: Job) -> float:
    """Floating-point operations of matrix products, convolutions and attention, by PyTorch's counter."""
    counter = FlopCounterMode(display=False)
    with counter:
        job()
    return float(counter.get_total_flops())


def measured_memory(case: Case, batch: Batch, device: torch.device) -> tuple[Ours, int]:
    """Our step, and the most that the device has held during two; nothing on a CPU."""
    if device.type != "cuda":
        return Ours(network_of(case.shape, case.options).to(device)), 0
    torch.cuda.empty_cache()
    held = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    ours = Ours(network_of(case.shape, case.options).to(device))
    for _ in range(2):
        ours.step(ahead(batch))
    return ours, torch.cuda.max_memory_allocated(device) - held


def waits(job: Job) -> str:
    """How often a GPU is waited for in one call, and where: a step should not do so at all."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            job()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    places = [f"{Path(one.filename).name}:{one.lineno}" for one in seen if "synchroniz" in str(one.message)]
    return " ".join([str(len(places)), *places])


def ahead(batch: Batch) -> Batch:
    """With noise of its own on the device: what the bare loop draws too."""
    return batch._replace(source=torch.randn_like(batch.data))


def compiled_case(case: Case, device: torch.device, sizes: Sizes) -> Iterator[Row]:
    batch = batch_of(case.shape, case.batch, device)
    plain = Ours(network_of(case.shape, case.options).to(device))
    network = network_of(case.shape, case.options).to(device)
    faster = Ours(network, called=torch.compile(network))
    first = burst(lambda: faster.step(ahead(batch)), 1, device)
    jobs = {"plain": lambda: plain.step(ahead(batch)), "compiled": lambda: faster.step(ahead(batch))}
    seconds = alternate(jobs, device, 2 * sizes.seconds)
    yield Figure(
        f"{case.what}, compiled",
        {
            "images/s": case.batch / seconds["compiled"],
            "times as fast": seconds["plain"] / seconds["compiled"],
            "seconds to compile": first,
        },
    )
