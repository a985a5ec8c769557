"""One figure for a claim from those that each training seed gave."""

import math
from collections.abc import Sequence
from statistics import fmean

from pipelines.claims.claim import Definition
from pipelines.claims.measurement import ONE_SEED, Measurement, not_measured
from pipelines.claims.seeds import CONFIDENCE, Figure, combine, from_logarithms, in_logarithms, interval_over, listed


def over_seeds(definition: Definition, each: Sequence[Measurement], shared_sets: bool) -> Measurement:
    """One figure from those of several training seeds; its note has what each seed gave."""
    absent = next((one for one in each if one.measured is None), None)
    if absent is not None or not each:
        return absent or not_measured("no trial of the main arm is done")
    unjudged = next((one for one in each if one.low is None), None)
    if unjudged is not None:  # by a time of a machine that was busy
        seen = [one.measured for one in each if one.measured is not None]
        note = f"A seed has no interval. {unjudged.note} Seed by seed: {listed(seen)}."
        return Measurement(fmean(seen), None, None, unjudged.protocol, note)
    figures = [figure(one) for one in each]
    values = [one.value for one in figures]
    by_seed = f"Seed by seed: {listed(values)}. First seed: {each[0].note}"
    bound = next((number for number, one in enumerate(figures) if math.isinf(one.high - one.low)), 0)
    if bound:
        by_seed += f" What leaves the interval open is number {bound + 1}: {each[bound].note}"
    of_each = each[0].protocol.removeprefix(f"{ONE_SEED}; ")
    if definition.seeds == "counted":
        how = f"{len(each)} training seeds, {CONFIDENCE:.0%} range over them; of each: {of_each}"
        low, high = min(one.low for one in figures), max(one.high for one in figures)
        return Measurement(max(values, key=abs), low, high, how, by_seed)
    if definition.unit.by_factors:
        found = from_logarithms(combine([in_logarithms(one) for one in figures], shared_sets))
    else:
        found = combine(figures, shared_sets)
    return Measurement(*found, f"{interval_over(len(each), shared_sets)}; of each: {of_each}", by_seed)


def figure(one: Measurement) -> Figure:
    assert one.measured is not None
    assert one.low is not None
    assert one.high is not None
    return Figure(one.measured, one.low, one.high, one.by_set)
