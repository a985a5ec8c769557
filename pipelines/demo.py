"""A page on which to see the trained methods side by side, from the same noise. `python -m pipelines.demo`, or
`make demo`; then http://127.0.0.1:7860."""

import argparse
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import jinja2
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from PIL import Image

from fm import devices, images
from fm.errors import UserError, shown
from fm.generator import Generator
from pipelines import params
from pipelines.program import run
from pipelines.project import MODELS
from pipelines.report.pictures import data_uri
from pipelines.report.words import method_name, solver_name

ALL_LABELS = ""  # what no label can be called
MOST_IMAGES, MOST_STEPS = 64, 200
DEFAULTS = {"label": ALL_LABELS, "seed": "0", "steps": "10", "count": "16"}


@dataclass(frozen=True)
class Wanted:
    """What the form asks for. `label` is an index, or none for all in turn."""

    label: int | None
    seed: int
    steps: int
    count: int
    methods: list[str]

    @classmethod
    def of(cls, given: Mapping[str, str], methods: list[str], generators: Mapping[str, Generator]) -> Self:
        """Raises ValueError, with what would be right."""
        unknown = [method for method in methods if method not in generators]
        if unknown:
            raise ValueError(f"no method {shown(unknown[0])}: there are {', '.join(generators)}")
        label = given["label"]
        first = next(iter(generators.values()))
        return cls(
            label=None if label == ALL_LABELS else first.label_number(label),
            seed=whole("seed", given["seed"], 0, 2**63 - 1),
            steps=whole("steps", given["steps"], 1, MOST_STEPS),
            count=whole("images", given["count"], 1, MOST_IMAGES),
            methods=methods or list(generators),
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


def draw(method: str, generator: Generator, wanted: Wanted) -> Made:
    labels = None if wanted.label is None else [wanted.label] * wanted.count
    chosen = generator.adjusted(steps=wanted.steps)
    started = time.perf_counter()
    x, nfe = chosen.sample_float(wanted.count, wanted.seed, labels)
    seconds = time.perf_counter() - started
    columns = min(wanted.count, 8)
    sheet = images.grid(images.to_uint8(x), columns)
    picture = Image.fromarray(sheet.squeeze(2) if sheet.shape[2] == 1 else sheet)
    return Made(method, chosen.config.sampler.label, nfe, seconds, data_uri(picture))


def create_app(generators: Mapping[str, Generator]) -> FastAPI:
    """The page for these generators, which are all of one dataset."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    template = environment().get_template("demo.html.j2")
    one_at_a_time = threading.Lock()  # two at once would spoil each other's timing
    label_names = next(iter(generators.values())).config.label_names

    @app.get("/", response_class=HTMLResponse)
    def page(request: Request) -> HTMLResponse:
        given = {name: request.query_params.get(name, default) for name, default in DEFAULTS.items()}
        methods = request.query_params.getlist("method")
        made: list[Made] = []
        mistake, what = "", "images"
        try:
            wanted = Wanted.of(given, methods, generators)
            if wanted.label is not None:
                given["label"] = label_names[wanted.label]
                what = f"images of the label {given['label']}"
            with one_at_a_time:
                made = [draw(method, generators[method], wanted) for method in wanted.methods]
        except ValueError as error:
            mistake = str(error)
        content = template.render(
            given=given,
            chosen=methods or list(generators),
            methods=list(generators),
            label_names=label_names,
            all_labels=ALL_LABELS,
            made=made,
            what=what,
            mistake=mistake,
            most_images=MOST_IMAGES,
            most_steps=MOST_STEPS,
        )
        return HTMLResponse(content, status_code=400 if mistake else 200)

    return app


def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"method": method_name, "solver": solver_name}
    return made


def trained(settings: params.Params) -> dict[str, Generator]:
    """The generators that `make run` left. Raises UserError if there is none."""
    device = devices.pick(settings.train.accelerator)
    there = [method for method in settings.methods if (MODELS / method / "config.json").exists()]
    if not there:
        raise UserError(f"{MODELS}: no method is trained yet: run `make run` first")
    return {method: Generator.load(MODELS / method).to(device) for method in there}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.demo", description="The methods side by side, as a page."
    )
    parser.add_argument("--port", type=int, default=7860, help="on 127.0.0.1 (%(default)s)")
    chosen = parser.parse_args()
    generators = trained(params.load())
    for generator in generators.values():
        generator.sample(16, 0, steps=2)  # the first call is slow, and is not to be timed
    print(f"http://127.0.0.1:{chosen.port} shows {', '.join(generators)}; Ctrl-C ends it", flush=True)
    uvicorn.run(create_app(generators), host="127.0.0.1", port=chosen.port, log_level="warning")


if __name__ == "__main__":
    run(main)
