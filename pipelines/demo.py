"""A page on which to see the trained methods side by side, from the same noise, and redrawn while one drags.
`python -m pipelines.demo`, or `make demo`; then http://127.0.0.1:7860."""

import argparse
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from numpy.typing import NDArray
from PIL import Image

from fm import devices, images
from fm.codecs import Codec
from fm.conditions import Conditioner, Text
from fm.errors import UserError, shown
from fm.films import playing
from fm.generator import Generator
from fm.generator_files import CONFIG
from fm.paths import CondOT
from fm.pictures import pictures
from fm.text import EncoderError
from pipelines import params, snapshots, templates
from pipelines.program import run
from pipelines.project import METRICS, MODELS
from pipelines.report.pictures import data_uri, film_uri
from pipelines.schemas.evaluation import Evaluation
from pipelines.words import method_name, quoted, solver_name

ALL_LABELS = ""  # what no label can be called
MOST_IMAGES, MOST_EVALUATIONS = 64, 200
MOST_CHARACTERS = 1000  # of a text: an address has no room for as many as a model takes
MOST_GUIDANCE = 100.0
SHEET_WIDTH = 2048  # pixels, which large pictures share
LARGE = 256  # pixels of a side, from which on fewer of them do
LAST_SEED = 999  # of the slider
DEFAULTS = {
    "label": ALL_LABELS,
    "prompt": "",
    "negative": "",
    "guidance": "",
    "seed": "0",
    "evaluations": "10",
    "count": "16",
}


@dataclass(frozen=True)
class Trained:
    """A method's model, and what is known of its samplers.

    Attributes:
        evaluation: none where it was not evaluated yet.
        metric: what decides between samplers.
    """

    generator: Generator
    evaluation: Evaluation | None
    metric: str

    def at(self, evaluations: int) -> Generator:
        """With its best sampler of so many evaluations an image; where none was measured with as many, that of the
        nearest number, its steps in proportion."""
        if self.evaluation is None:
            return with_own_sampler(self.generator, evaluations)
        measured = {row.nfe for row in self.evaluation.rows}
        nearest = min(measured, key=lambda nfe: abs(math.log(nfe / evaluations)))
        row = self.evaluation.best(self.metric, nearest)
        steps = max(round(evaluations * row.steps / row.nfe), 1)
        return self.generator.with_sampler(row.sampler.model_copy(update={"steps": steps}))

    def by(self, wanted: "Wanted") -> Generator:
        """As the form asks for it, what is led away from too."""
        chosen = self.at(wanted.evaluations).adjusted(guidance=wanted.guidance)
        return chosen.away_from(wanted.negative)


def with_own_sampler(generator: Generator, steps: int) -> Generator:
    """By the sampler that it was saved with. On the straight path DDIM is Euler's method, and is called so."""
    is_euler = generator.config.sampler.label == "ddim" and generator.path == CondOT()
    return generator.adjusted(steps=steps, solver="euler" if is_euler else None)


@dataclass(frozen=True)
class Wanted:
    """What the form asks for.

    Attributes:
        asked: one of the choices or a text; none for all labels, or all example texts, in turn.
        negative: a text that guidance leads away from.
        guidance: its scale, where it is not the sampler's own.
        what: what is made, in words.
    """

    asked: str | None
    seed: int
    evaluations: int
    count: int
    methods: list[str]
    negative: str | None = None
    guidance: float | None = None
    what: str = "images"

    @classmethod
    def of(cls, given: Mapping[str, str], methods: list[str], known: Mapping[str, Trained]) -> Self:
        """Raises ValueError, with what would be right."""
        unknown = [method for method in methods if method not in known]
        if unknown:
            raise ValueError(f"no method {shown(unknown[0])}: there are {', '.join(known)}")
        conditioner = next(iter(known.values())).generator.conditioner
        asked = text_of("prompt", given["prompt"], conditioner)
        what = "images" if asked is None else f"images of “{asked}”"
        if given["label"] != ALL_LABELS:
            asked = label_of(given["label"], conditioner)
            what = f"images of the label {asked}"
        return cls(
            asked=asked,
            what=what,
            negative=text_of("negative prompt", given["negative"], conditioner),
            guidance=scale(given["guidance"]),
            seed=whole("seed", given["seed"], 0, 2**63 - 1),
            evaluations=whole("evaluations", given["evaluations"], 1, MOST_EVALUATIONS),
            count=whole("images", given["count"], 1, MOST_IMAGES),
            methods=methods or list(known),
        )


@dataclass(frozen=True)
class Made:
    """What one method made: a sheet, and what it took."""

    method: str
    solver: str
    nfe: int
    seconds: float
    sheet: str


def whole(name: str, text: str, least: int, most: int) -> int:
    if not text.isdecimal() or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, not {shown(text)}")
    return int(text)


def label_of(given: str, conditioner: Conditioner) -> str:
    if isinstance(conditioner, Text):
        raise ValueError(f"label {shown(given)}: these models know no labels, but texts")
    return conditioner.called(given)


def text_of(name: str, given: str, conditioner: Conditioner) -> str | None:
    """None for the empty one."""
    if not given:
        return None
    if not isinstance(conditioner, Text):
        raise ValueError(f"{name} {shown(given)}: these models know no text")
    if len(given) > MOST_CHARACTERS:
        raise ValueError(f"{name}: {len(given):,} characters: must be {MOST_CHARACTERS:,} at most on this page")
    return conditioner.text(given)


def scale(given: str) -> float | None:
    """None for the sampler's own."""
    if not given:
        return None
    try:
        found = float(given)
    except ValueError:
        found = math.nan
    if not 0 < found <= MOST_GUIDANCE:
        raise ValueError(f"guidance must be a number above 0, at most {MOST_GUIDANCE:g}, not {shown(given)}")
    return found


def draw_all(known: Mapping[str, Trained], wanted: Wanted) -> list[Made]:
    """Every method wanted. The first images of a kind are slow: they are drawn before anything is timed."""
    chosen = {method: known[method].by(wanted) for method in wanted.methods}
    for generator in chosen.values():
        sample(generator.adjusted(steps=min(generator.config.sampler.steps, 2)), wanted)
    return [draw(method, generator, wanted) for method, generator in chosen.items()]


def sample(generator: Generator, wanted: Wanted) -> tuple[NDArray[Any], int]:
    """Data as stored: latents have to be decoded, which is a part of what one waits for."""
    asked = None if wanted.asked is None else [wanted.asked] * wanted.count
    x, nfe = generator.sample_float(wanted.count, wanted.seed, asked)
    return generator.codec.decode(x), nfe


def draw(method: str, generator: Generator, wanted: Wanted) -> Made:
    started = time.perf_counter()
    made, nfe = sample(generator, wanted)
    seconds = time.perf_counter() - started
    columns = min(wanted.count, in_a_row(generator.codec))
    if (film := playing(made, generator.codec, columns, SHEET_WIDTH // columns)) is not None:
        return Made(method, generator.config.sampler.label, nfe, seconds, film_uri(film))
    small = images.reduced(pictures(made, generator.codec), SHEET_WIDTH // columns)
    sheet = images.grid(small, columns)
    picture = Image.fromarray(sheet.squeeze(2) if sheet.shape[2] == 1 else sheet)
    return Made(method, generator.config.sampler.label, nfe, seconds, data_uri(picture))


def in_a_row(codec: Codec) -> int:
    """How many stand side by side: of large pictures fewer, so that more of each is seen.

    >>> from fm.codecs import Pixels
    >>> in_a_row(Pixels((28, 28, 1))), in_a_row(Pixels((512, 512, 3)))
    (8, 4)
    """
    return 4 if len(codec.stored) == 3 and min(codec.stored[:2]) >= LARGE else 8


def create_app(known: Mapping[str, Trained]) -> FastAPI:
    """The page for these methods, which are all of one dataset."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    pages = templates.environment(Path(__file__).parent, method=method_name, quoted=quoted)
    template = pages.get_template("demo.html.j2")
    one_at_a_time = threading.Lock()  # two at once would spoil each other's timing
    conditioner = next(iter(known.values())).generator.conditioner

    @app.get("/frame")
    def frame(request: Request) -> JSONResponse:
        """What the page's script shows while somebody drags: nothing is drawn but what is asked for."""
        try:
            wanted = Wanted.of(given_by(request), request.query_params.getlist("method"), known)
            with one_at_a_time:
                made = [draw(method, known[method].by(wanted), wanted) for method in wanted.methods]
        except (ValueError, EncoderError) as error:
            return JSONResponse({"mistake": str(error)}, status_code=400)
        return JSONResponse({"frames": [as_frame(one, wanted) for one in made]})

    @app.get("/", response_class=HTMLResponse)
    def page(request: Request) -> HTMLResponse:
        given = given_by(request)
        methods = request.query_params.getlist("method")
        frames: list[dict[str, str]] = []
        mistake = ""
        try:
            wanted = Wanted.of(given, methods, known)
            if wanted.asked is not None and not isinstance(conditioner, Text):
                given["label"] = wanted.asked
            with one_at_a_time:
                frames = [as_frame(one, wanted) for one in draw_all(known, wanted)]
        except (ValueError, EncoderError) as error:
            mistake = str(error)
        content = template.render(
            given=given,
            chosen=methods or list(known),
            methods=list(known),
            label_names=conditioner.choices,
            all_labels=ALL_LABELS,
            knows_texts=isinstance(conditioner, Text),
            examples=conditioner.examples,
            most_characters=MOST_CHARACTERS,
            most_guidance=MOST_GUIDANCE,
            frames=frames,
            mistake=mistake,
            last_seed=LAST_SEED,
            most_images=MOST_IMAGES,
            most_evaluations=MOST_EVALUATIONS,
        )
        return HTMLResponse(content, status_code=400 if mistake else 200)

    return app


def given_by(request: Request) -> dict[str, str]:
    """What the form says, or would say by itself."""
    return {name: request.query_params.get(name, default) for name, default in DEFAULTS.items()}


def as_frame(made: Made, wanted: Wanted) -> dict[str, str]:
    """A method's sheet in the words of the page."""
    return {
        "method": made.method,
        "seconds": f"{made.seconds:.2f} s",
        "sampler": f"{solver_name(made.solver)}, {made.nfe} evaluation{'' if made.nfe == 1 else 's'} an image",
        "sheet": made.sheet,
        "alt": f"{wanted.what} by {method_name(made.method)}",
    }


def trained(settings: params.Params) -> dict[str, Trained]:
    """What `make run` left. Raises UserError if there is nothing."""
    device = devices.pick(settings.train.accelerator)
    there = [method for method in settings.methods if (MODELS / method / CONFIG).exists()]
    if not there:
        raise UserError(f"{MODELS}: no method is trained yet: run `make run` first")
    return {
        method: Trained(generator_of(method, evaluation).to(device), evaluation, settings.register_.metric)
        for method, evaluation in ((method, evaluation_of(method)) for method in there)
    }


def generator_of(method: str, evaluation: Evaluation | None) -> Generator:
    """With the networks that the samplers lead away from with which it was evaluated."""
    samplers = [] if evaluation is None else [row.sampler for row in evaluation.rows]
    return Generator.load(MODELS / method, weaker=snapshots.weaker(method, samplers))


def evaluation_of(method: str) -> Evaluation | None:
    file = METRICS / "evaluate" / f"{method}.json"
    return Evaluation.of_stage(file) if file.exists() else None


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.demo", description="The methods side by side, as a page."
    )
    parser.add_argument("--port", type=int, default=7860, help="on 127.0.0.1 (%(default)s)")
    chosen = parser.parse_args()
    known = trained(params.load())
    print(f"http://127.0.0.1:{chosen.port} shows {', '.join(known)}; Ctrl-C ends it", flush=True)
    uvicorn.run(create_app(known), host="127.0.0.1", port=chosen.port, log_level="warning")


if __name__ == "__main__":
    run(main)
