"""An objective in words, for people who don't know the names of its parts."""

from fm.components import Choice, find, parts
from pipelines.params import Objective, OtherObjective
from pipelines.params.objective import WHITE

KINDS = ("path", "coupling", "timesteps", "target", "weight")


def in_words(objective: Objective | OtherObjective) -> str:
    """One sentence, the names and options of the choices in the next."""
    if isinstance(objective, OtherObjective):
        return (
            f"Noise and data are mixed along {said('path', objective.path)}; the network is trained for "
            f"{said('objective', objective.name)}: `{exactly(objective.choice)}`."
        )
    given = {kind: getattr(objective, kind) for kind in KINDS}
    path, coupling, timesteps, target, weight = (said(kind, choice) for kind, choice in given.items())
    noise = ""
    if objective.source != WHITE:
        given["source"] = objective.source
        noise = f"The noise is of {said('source', objective.source)}. "
    return (
        f"{noise}Noise and data are paired {coupling} and mixed along {path}; at times drawn {timesteps}, the network "
        f"learns to predict {target}, {weight}. In the words of `docs/methods.md`: "
        f"{', '.join(f'`{exactly(choice)}`' for choice in given.values())}."
    )


def said(kind: str, choice: Choice) -> str:
    """What a component says of itself; its name, for somebody's own that says nothing or is not to be had here."""
    name, _ = parts(choice)
    component = find(kind, name)
    return component.says if component and component.says else f"`{name}`"


def exactly(choice: Choice) -> str:
    name, options = parts(choice)
    return f"{name}({', '.join(f'{key}={value}' for key, value in options.items())})" if options else name
