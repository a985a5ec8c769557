"""Processes that share the work of making data, and end with the one that began them."""

import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor


def processes(count: int) -> ProcessPoolExecutor:
    """So many, which begin with nothing of this one's: a fork would take along the locks of threads that it has not.

    The program that is run has to begin behind `if __name__ == "__main__":`, as each of them imports it.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=end_with, initargs=(os.getpid(),))


def end_with(parent: int) -> None:
    """End this process when its parent is gone: killed, it could not say so."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
