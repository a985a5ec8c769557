"""From noise to data by a sampler that is written down as a table. Arrays of PyTorch and of NumPy alike."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def walk(table: Mapping[str, Any], draw: Callable[[], Any], network: Callable[..., Any]) -> Any:
    """The data (B, C, *spatial) that a sampler makes.

    A sampler mixes what it has: noise, what the network said, predicted data that are kept within a bound. Each row of
    the table is one of these, made of a mixture of the rows before it.

    Args:
        table: rows, and the mixture of them that is the data.
        draw: standard normal noise (B, C, *spatial), anew at each call.
        network: network(x, t, until, null) -> like x, with the times t and until (None where the network is not told
            it) as numbers, and null where it is to be told no label.

    >>> euler = {"rows": [{}, {"mix": [[0, 1.0]], "t": 0.0}], "data": [[0, 1.0], [1, 1.0]]}
    >>> walk(euler, lambda: 2.0, lambda x, t, until, null: 10 * x)
    22.0
    """
    known: list[Any] = []
    for row in table["rows"]:
        if "mix" not in row:
            known.append(draw())
            continue
        x = mixture(row["mix"], known)
        if "bound" in row:
            known.append(x.clip(-row["bound"], row["bound"]))
        else:
            known.append(network(x, row["t"], row.get("until"), row.get("null", False)))
    return mixture(table["data"], known)


def mixture(weights: Sequence[tuple[int, float]], known: Sequence[Any]) -> Any:
    return sum(weight * known[place] for place, weight in weights)
