"""An objective's five choices in words, for people who don't know their names."""

from fm import names
from fm.names import Choice
from pipelines.params import Objective

PATHS = {
    "cond_ot": "the straight path from noise to image",
    "polynomial": "a polynomial path from noise to image",
    "cosine": "the cosine path",
    "variance_preserving": "the variance-preserving diffusion in continuous time",
    "ddpm": "DDPM's variance-preserving diffusion",
    "edm": "EDM's variance-exploding path",
}
COUPLINGS = {
    "independent": "at random",
    "optimal_transport": "by optimal transport within each batch",
    "labelled_optimal_transport": "by optimal transport within each batch and label",
}
TIMESTEPS = {
    "uniform": "uniformly",
    "stratified": "uniformly, in strata",
    "discrete": "from evenly spaced ones",
    "logit_normal": "from a logit-normal distribution",
    "edm": "from EDM's log-normal distribution of noise levels",
    "shifted": "uniformly, then shifted towards noise",
}
TARGETS = {
    "velocity": "the velocity along the path",
    "data": "the image",
    "noise": "the noise",
    "score": "the score",
    "v": "v, a mixture of image and noise",
    "edm": "EDM's mixture of image and noise",
}
WEIGHTS = {
    "flat": "with every error counting alike",
    "min_snr": "with errors weighted by the clipped signal-to-noise ratio",
    "edm": "with EDM's weights",
}


def in_words(objective: Objective) -> str:
    """One sentence, the names and options of the choices in the next."""
    given = [getattr(objective, field) for field in ("path", "coupling", "timesteps", "target", "weight")]
    path, coupling, timesteps, target, weight = (
        said(choice, words)
        for choice, words in zip(given, (PATHS, COUPLINGS, TIMESTEPS, TARGETS, WEIGHTS), strict=True)
    )
    return (
        f"Noise and images are paired {coupling} and mixed along {path}; at times drawn {timesteps}, the network "
        f"learns to predict {target}, {weight}. In the words of `docs/methods.md`: "
        f"{', '.join(f'`{exactly(choice)}`' for choice in given)}."
    )


def said(choice: Choice, words: dict[str, str]) -> str:
    name, _ = names.parts(choice)
    return words.get(name, f"`{name}`")  # somebody's own, from fm/custom.py


def exactly(choice: Choice) -> str:
    name, options = names.parts(choice)
    return f"{name}({', '.join(f'{key}={value}' for key, value in options.items())})" if options else name
