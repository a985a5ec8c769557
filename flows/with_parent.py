"""Run a command that ends with whoever started this, in whatever way: `python flows/with_parent.py COMMAND ...`.

The starter holds the other end of the standard input. However it ends, by kill -9 too, the operating system closes that
end, on Linux and macOS alike.
"""

import os
import signal
import subprocess
import sys
import threading

STOP_SECONDS = 10


def main() -> int:
    """The command's exit code. SIGTERM is passed on to it."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    threading.Thread(target=end_with_parent, args=(process,), daemon=True).start()
    return process.wait()


def end_with_parent(process: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 4096):  # unbuffered: Python cannot end while a thread is in a buffer's read
        pass
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
