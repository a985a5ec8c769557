"""Whether the same noise gives the same image."""

from pipelines.claims.claim import Definition
from pipelines.claims.measurement import Measurement
from pipelines.claims.results import Results
from pipelines.claims.side_by_side import machine
from pipelines.claims.units import BYTES
from pipelines.words import capital


def determinism(results: Results) -> Measurement:
    """Bytes that differ between repeated samplings."""
    ours, theirs = results.probed
    _, baseline = results.names
    differing = sum(one.differing for one in ours.repetitions)
    total = sum(one.bytes for one in ours.repetitions)
    others = sum(one.differing for one in theirs.repetitions)
    solvers = ", ".join(one.solver for one in theirs.repetitions)
    return Measurement(
        differing,
        differing,
        differing,
        f"{total:,} bytes of images by {', '.join(one.solver for one in ours.repetitions)}, drawn again in the same "
        f"process and in a fresh one with as many threads; counted, so there is no interval{machine(results.probes)}",
        f"{capital(baseline)} differs in {others:,} bytes ({solvers}): with noise that is a function of seed and image "
        "number, a stochastic sampler repeats itself too, so this tells the methods apart only where noise is drawn "
        "anew.",
    )


CLAIM = Definition(
    "determinism",
    "The same noise gives the same image, byte for byte.",
    "no byte differs",
    unit=BYTES,
    better="equal",
    null=None,
    threshold=0,
    of_run=determinism,
    seeds="counted",
)
