"""The page of the methods, by a real server and, where there is one, in a browser."""

import base64
import io
import json
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
import yaml
from PIL import Image

from fm import images
from fm.errors import UserError
from fm.generator import Generator
from fm.text.finding import VARIABLE
from pipelines import demo, params
from pipelines.project import METRICS, MODELS, ROOT
from tests.fm.conftest import tiny_generator
from tests.fm.text.tiny import HOSTILE, text_generator, tiny_encoder
from tests.pipelines.report.made_up import evaluation
from tests.pipelines.test_serving import free_port
from tests.services.browser import needs_chromium, open_page

METHODS = {"flow_matching": 0, "diffusion": 1}
METRIC = "fid_classifier"
EXAMPLES = ("the left bar", 'a "blue" <b>star</b>')


def generators(label_names: tuple[str, ...] = ("cat", "dog")) -> dict[str, Generator]:
    return {method: tiny_generator(label_names=label_names, seed=seed) for method, seed in METHODS.items()}


def unevaluated(made: dict[str, Generator]) -> dict[str, demo.Trained]:
    return {method: demo.Trained(generator, None, METRIC) for method, generator in made.items()}


def evaluated(generator: Generator, *rows: tuple[str, int, int, float]) -> demo.Trained:
    return demo.Trained(generator, evaluation(list(rows)), METRIC)


def serving(made: dict[str, Generator]) -> Iterator[str]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(demo.create_app(unevaluated(made)), host="127.0.0.1", port=port, log_level="warning")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    yield from serving(generators())


@pytest.fixture(scope="module")
def of_texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Generator]:
    encoder = tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny")
    return {method: text_generator(encoder, EXAMPLES, seed) for method, seed in METHODS.items()}


@pytest.fixture(scope="module")
def site_of_texts(of_texts: dict[str, Generator]) -> Iterator[str]:
    yield from serving(of_texts)


def get(site: str, page: str = "", **query: object) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(
            f"{site}{page}?{urllib.parse.urlencode(query, doseq=True)}", timeout=60
        ) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def sheets(page: str) -> list[np.ndarray]:
    found = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]


def test_both_methods_from_the_same_noise(site: str) -> None:
    status, page = get(site, label="dog", seed=5, evaluations=3, count=9)
    assert status == 200
    expected = [
        images.grid(generator.sample(9, 5, [1] * 9, steps=3, solver="euler"), 8).squeeze(2)
        for generator in generators().values()
    ]
    assert all(np.array_equal(one, other) for one, other in zip(sheets(page), expected, strict=True))
    assert len(re.findall(r"<b>\d+\.\d\d s</b> <span>Euler, 3 evaluations an image", page)) == 2
    assert '<option value="dog" selected>dog</option>' in page
    assert "images of the label dog by Diffusion" in page


def test_each_by_its_best_sampler_of_so_many_evaluations() -> None:
    trained = evaluated(
        tiny_generator(path="ddpm", target="noise"),
        ("ddim", 10, 10, 13.8), ("ddpm", 10, 10, 8.3), ("ddim", 50, 50, 6.0), ("ddpm", 100, 100, 5.0),
    )  # fmt: skip
    assert sampler(trained, 10) == ("ddpm", 10)
    assert sampler(trained, 50) == ("ddim", 50)
    assert sampler(trained, 9) == ("ddpm", 9)  # the nearest that was measured
    midpoint = evaluated(tiny_generator(), ("midpoint", 5, 10, 3.0), ("euler", 10, 10, 4.0))
    assert sampler(midpoint, 10) == ("midpoint", 5)
    assert sampler(midpoint, 20) == ("midpoint", 10)


def sampler(trained: demo.Trained, evaluations: int) -> tuple[str, int]:
    chosen = trained.at(evaluations).config.sampler
    return chosen.label, chosen.steps


def test_without_an_evaluation_by_their_own_sampler_rightly_named() -> None:
    """On the straight path DDIM is Euler's method."""
    own = {"flow_matching": tiny_generator(), "diffusion": tiny_generator(path="ddpm", target="noise")}
    assert [sampler(one, 7) for one in unevaluated(own).values()] == [("euler", 7), ("ddim", 7)]


def test_what_is_timed_is_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands at the number of calls so far: those of the first click's warming are not among it."""
    generator, calls = tiny_generator(), [0]
    generator.network.register_forward_hook(lambda *_: calls.append(calls.pop() + 1))
    monkeypatch.setattr(time, "perf_counter", lambda: calls[0])
    wanted = demo.Wanted(asked=None, seed=0, evaluations=6, count=2, methods=["flow_matching"])
    (made,) = demo.draw_all(unevaluated({"flow_matching": generator}), wanted)
    assert (made.seconds, made.nfe) == (6, 6)
    assert calls[0] > 6


def test_large_pictures_share_the_width_of_a_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SHEET_WIDTH", 32)
    generator = tiny_generator()
    wanted = demo.Wanted(asked=None, seed=0, evaluations=2, count=8, methods=["flow_matching"])
    (made,) = demo.draw_all(unevaluated({"flow_matching": generator}), wanted)
    (shown,) = sheets(f'src="{made.sheet}"')
    expected = images.grid(images.reduced(generator.sample(8, 0, steps=2, solver="euler"), 4), 8)
    assert np.array_equal(shown, expected.squeeze(2))


def test_one_method_alone(site: str) -> None:
    _, page = get(site, method="diffusion")
    assert len(sheets(page)) == 1
    assert "images by Diffusion" in page
    assert page.count(" checked") == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"evaluations": "many"}, "evaluations must be a whole number from 1 to 200, not &#39;many&#39;"),
        ({"evaluations": "0"}, "evaluations must be a whole number from 1 to 200"),
        ({"count": "1000000"}, "images must be a whole number from 1 to 64"),
        ({"count": "1.5"}, "images must be a whole number from 1 to 64"),
        ({"seed": "-1"}, "seed must be a whole number from 0"),
        ({"label": "horse"}, "no label &#39;horse&#39;; the labels are 0 (cat), 1 (dog)"),
        ({"method": "magic"}, "no method &#39;magic&#39;: there are flow_matching, diffusion"),
        ({"label": "<script>"}, "no label &#39;&lt;script&gt;&#39;"),
    ],
)
def test_what_cannot_be_is_told_and_the_form_stays(site: str, query: dict[str, str], message: str) -> None:
    status, page = get(site, **query)
    assert status == 400
    assert message in page
    assert "<form>" in page
    assert sheets(page) == []


def test_labels_that_are_numbers_are_taken_by_value() -> None:
    made = generators(("01", "02", "03"))
    for site in serving(made):
        for asked in ("2", "02"):
            _, page = get(site, label=asked, count=3)
            assert '<option value="02" selected>02</option>' in page
            expected = [images.grid(one.sample(3, 0, [1] * 3, steps=10), 3).squeeze(2) for one in made.values()]
            assert all(np.array_equal(one, other) for one, other in zip(sheets(page), expected, strict=True))


def test_without_labels_there_is_no_choice_of_one() -> None:
    for site in serving(generators(())):
        status, page = get(site, count=3)
        assert status == 200
        assert "<select" not in page
        assert len(sheets(page)) == 2


def test_shows_what_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load((ROOT / params.FILE).read_text())
    with pytest.raises(UserError, match="no method is trained yet: run `make run` first"):
        demo.trained(params.parse(content))
    for method in ("diffusion", "of an earlier run"):
        tiny_generator().save(MODELS / method)
    found = demo.trained(params.parse(content))
    assert list(found) == ["diffusion"]
    assert found["diffusion"].evaluation is None
    evaluation([("ddpm", 10, 10, 8.3)]).save(METRICS / "evaluate" / "diffusion.json")
    assert sampler(demo.trained(params.parse(content))["diffusion"], 10) == ("ddpm", 10)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium on this machine")
def test_in_a_browser(site: str) -> None:
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    query = urllib.parse.urlencode({"label": "cat", "evaluations": 4, "count": 8})
    done = subprocess.run(
        ["chromium", *flags.split(), "--disable-component-update", "--disable-sync", "--dump-dom", f"{site}?{query}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert len(sheets(done.stdout)) == 2
    assert "Flow matching" in done.stdout
    assert "4 evaluations an image" in done.stdout


def test_a_frame_is_what_the_page_would_show(site: str) -> None:
    _, page = get(site, label="dog", seed=5, evaluations=3, count=4)
    status, frame = get(site, "frame", label="dog", seed=5, evaluations=3, count=4)
    assert status == 200
    frames = json.loads(frame)["frames"]
    assert [one["method"] for one in frames] == list(METHODS)
    assert [one["sheet"] for one in frames] == re.findall(r'<img src="([^"]*)"', page)
    assert frames[0]["sampler"] == "Euler, 3 evaluations an image"
    status, mistake = get(site, "frame", seed="-1")
    assert (status, json.loads(mistake)["mistake"][:26]) == (400, "seed must be a whole numbe")


@needs_chromium
def test_the_images_follow_while_a_slider_is_dragged(site: str) -> None:
    """Before the mouse is let go; and at the end they are those of where it is."""
    with open_page() as page:
        page.goto(f"{site}?evaluations=2&count=4")
        image, rate = page.locator("figure img").first, page.locator("#rate")
        slider = page.locator("input[data-of=seed]")
        box = slider.bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 2, middle)
        page.mouse.down()
        seen = set()
        for place in range(1, 9):
            before = image.get_attribute("src")
            page.mouse.move(box["x"] + place * box["width"] / 9, middle)
            page.wait_for_function("before => document.querySelector('figure img').src !== before", arg=before)
            seen.add(image.get_attribute("src"))
        assert len(seen) == 8
        assert re.fullmatch(r"\d+\.\d frames a second", rate.inner_text())
        page.mouse.up()
        label = page.locator("input[data-of=label]")
        label.focus()
        label.press("End")
        page.wait_for_function("document.querySelector('figure img').alt.includes('the label dog')")
        seed = int(page.locator("input[name=seed]").input_value())
        assert seed > 500
        expected = images.grid(generators()["flow_matching"].sample(4, seed, [1] * 4, steps=2, solver="euler"), 4)
        shown = str(image.get_attribute("src")).partition(",")[2]
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(shown)))), expected.squeeze(2))
        assert page.locator("select").input_value() == "dog"


def test_two_methods_of_one_text_from_the_same_noise(site_of_texts: str, of_texts: dict[str, Generator]) -> None:
    asked = {"prompt": "a red heart", "negative": "blue", "seed": 5, "evaluations": 6, "count": 9}
    status, page = get(site_of_texts, **asked, guidance="3.5")
    assert status == 200
    expected = [
        images.grid(one.away_from("blue").sample(9, 5, ["a red heart"] * 9, steps=6, guidance=3.5), 8).squeeze(2)
        for one in of_texts.values()
    ]
    assert all(np.array_equal(one, other) for one, other in zip(sheets(page), expected, strict=True))
    assert "images of “a red heart” by Diffusion" in page
    assert "the next of these" not in page
    assert '<input name="prompt" value="a red heart"' in page
    assert '<input name="negative" value="blue"' in page
    assert 'name="label"' not in page
    _, frame = get(site_of_texts, "frame", **asked, guidance="3.5")
    assert [one["sheet"] for one in json.loads(frame)["frames"]] == re.findall(r'<img src="([^"]*)"', page)


def test_examples_in_turn_where_nobody_asks(site_of_texts: str, of_texts: dict[str, Generator]) -> None:
    _, page = get(site_of_texts, count=4, evaluations=2)
    expected = [images.grid(one.sample(4, 0, [*EXAMPLES] * 2), 4).squeeze(2) for one in of_texts.values()]
    assert all(np.array_equal(one, other) for one, other in zip(sheets(page), expected, strict=True))
    assert '<option value="the left bar"></option>' in page
    assert "each image is of the next of these: “the left bar”, “a &#34;blue&#34; &lt;b&gt;star&lt;/b&gt;”.</p>" in page
    assert '<option value="a &#34;blue&#34; &lt;b&gt;star&lt;/b&gt;"></option>' in page


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_marks_up_nothing(site_of_texts: str, text: str) -> None:
    asked = {"prompt": text, "negative": text, "count": 1, "evaluations": 1}
    status, page = get(site_of_texts, **asked)
    assert status == 200
    assert (page.count("<script>"), page.count("<img "), page.count("<input ")) == (1, 2, 9)
    status, page = get(site_of_texts, **asked, guidance="1")  # nothing is led away from then, and it is told
    assert status == 400
    assert (page.count("<script>"), page.count("<img "), page.count("<input ")) == (1, 0, 9)
    assert "to be led away from" in page


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"prompt": "a" * 10_001}, "prompt: 10,001 characters: must be 1,000 at most on this page"),
        ({"negative": "a" * 1001}, "negative prompt: 1,001 characters: must be 1,000 at most on this page"),
        ({"guidance": "much"}, "guidance must be a number above 0, at most 100, not &#39;much&#39;"),
        ({"guidance": "nan"}, "guidance must be a number above 0, at most 100, not &#39;nan&#39;"),
        ({"label": "cat"}, "label &#39;cat&#39;: these models know no labels, but texts"),
    ],
)
def test_what_cannot_be_asked_of_models_of_texts(site_of_texts: str, query: dict[str, str], message: str) -> None:
    status, page = get(site_of_texts, **query)
    assert status == 400
    assert message in page
    assert '<input name="prompt"' in page


def test_models_of_labels_know_no_text(site: str) -> None:
    status, page = get(site, prompt="<b>a heart</b>")
    assert status == 400
    assert "prompt &#39;&lt;b&gt;a heart&lt;/b&gt;&#39;: these models know no text" in page
    assert 'name="prompt"' not in page


def test_an_encoder_that_is_not_to_be_had_is_told_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    made = {"flow_matching": text_generator(encoder)}
    encoder.rename(tmp_path / "elsewhere")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    for site in serving(made):
        assert get(site, count=1)[0] == 200  # of no text
        status, page = get(site, prompt="a red heart", count=1)
        assert status == 400
        assert f"text encoder {encoder}: there is no such folder, and no {tmp_path}/kept/encoder" in page


@needs_chromium
def test_a_text_is_typed_and_drawn_and_stays_while_a_slider_is_dragged(
    site_of_texts: str, of_texts: dict[str, Generator]
) -> None:
    with open_page() as page:
        page.goto(f"{site_of_texts}?evaluations=2&count=4")
        page.locator("input[name=prompt]").fill("<b>the star</b>")
        page.locator("input[name=negative]").fill("blue")
        page.get_by_role("button", name="Draw").click()
        page.wait_for_function("document.querySelector('figure img').alt.includes('<b>the star</b>')")
        assert page.locator("b:has-text('the star')").count() == 0
        image = page.locator("figure img").first
        before = image.get_attribute("src")
        page.locator("input[data-of=seed]").focus()
        page.locator("input[data-of=seed]").press("End")
        page.wait_for_function("before => document.querySelector('figure img').src !== before", arg=before)
        page.wait_for_function("document.querySelector('input[name=seed]').value === '999'")
        page.wait_for_timeout(500)
        made = of_texts["flow_matching"].away_from("blue").sample(4, 999, ["<b>the star</b>"] * 4, steps=2)
        shown = str(image.get_attribute("src")).partition(",")[2]
        decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown))))
        assert np.array_equal(decoded, images.grid(made, 4).squeeze(2))
