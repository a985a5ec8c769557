"""Several processes that share one training, as torchrun starts them, without torchrun's seconds."""

import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.ports import free_run

SERVER = multiprocessing.get_context("forkserver")  # imports once, for all processes of all tests
SERVER.set_forkserver_preload(["fm.training.trainer", "fm.training.planning", "torch._dynamo", "tests.fm.conftest"])
LIMIT = 120  # seconds


def together(count: int, work: Callable[..., Any], *given: Any) -> list[Any]:
    """What `work(*given)` returns in each of `count` processes; the error of the first one that fails."""
    port = free_run(1)
    processes, ends = [], []
    for rank in range(count):
        ours, theirs = SERVER.Pipe(duplex=False)
        process = SERVER.Process(target=one_of, args=(rank, count, port, theirs, work, given))
        process.start()
        theirs.close()
        processes.append(process)
        ends.append(ours)
    try:
        results: dict[Connection, Any] = {}
        while len(results) < count:
            ready = wait([end for end in ends if end not in results], LIMIT)
            assert ready, "the processes do not answer"
            results |= {end: received(end) for end in ready}
        return [results[end] for end in ends]
    finally:
        for process in processes:
            process.kill()
            process.join()


def received(end: Connection) -> Any:
    try:
        result, error = end.recv()
    except EOFError:
        return None  # it has ended by itself
    assert error is None, error
    return result


def one_of(rank: int, count: int, port: int, end: Connection, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    import torch

    torch.set_num_threads(1)
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "test", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0",
        "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count),
    }  # fmt: skip
    try:
        end.send((work(*given), None))
    except BaseException:
        end.send((None, traceback.format_exc()))
