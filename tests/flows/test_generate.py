"""A set of images by the flow, here: a real Prefect server, a real S3 store, a registered model of a few weights."""

import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.shard import Order
from fm.errors import UserError
from infra.services import buckets
from tests.fm.conftest import tiny_generator
from tests.fm.text.tiny import text_generator, tiny_encoder
from tests.store import Store

MODEL = "tiny-generator"


@pytest.fixture(scope="module")
def samples(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of the store; the environment is as with .env, and the model's first version is champion."""
    folder = tmp_path_factory.mktemp("registry")
    key = store.set_up("team-d", {})["training"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in store.variables(key).items():
            patch.setenv(name, value)
        patch.setenv("BUCKETS", "team-d")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        from pipelines.records import tracking
        from pipelines.registry import model_version

        # A version need be no more than a folder with the generator where registration puts it.
        tiny_generator().save(folder / "registered/artifacts/generator")
        tracking.client().create_registered_model(MODEL)
        fingerprint = {model_version.FINGERPRINT: model_version.fingerprint(folder / "registered/artifacts/generator")}
        source = (folder / "registered").as_uri()
        version = tracking.client().create_model_version(MODEL, source, tags=fingerprint)
        tracking.client().set_registered_model_alias(MODEL, "champion", version.version)
        yield store.client(key)
        shutil.rmtree(folder)


def objects(client: Any, prefix: str) -> dict[str, bytes]:
    bucket = buckets.name("team-d", "samples")
    keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]
    return {key.removeprefix(prefix): client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@pytest.mark.usefixtures("prefect_server")
def test_a_set_in_shares_then_nothing_is_made_again(samples: Any) -> None:
    from flows.generate import generate

    asked = {"count": 250, "model": f"{MODEL}@champion", "seed": 2, "label": "3"}
    made = generate(**asked, shards=2, return_state=True)
    place = f"{MODEL}/1/count-250-seed-2-label-3/"
    assert made.message == f"250 images of {MODEL}@1 are in s3://team-d-samples/{place}."
    assert sorted(objects(samples, place)) == ["00000000.npz", "00000200.npz", "settings.json"]

    again = generate(**asked, return_state=True)
    assert again.message == f"{made.message} All were there before."

    other = generate(**asked | {"seed": 3}, to=f"s3://team-d-samples/{place}", shards=2, return_state=True)
    assert other.is_failed()
    assert "has images with seed 2, not 3; write to another place" in other.message
    assert other.message.endswith("Failed: shard 1/2. Not run because of that: shard 2/2.")


@pytest.mark.runs
@pytest.mark.usefixtures("prefect_server")
def test_a_set_of_texts_in_turn(samples: Any, tmp_path: Path) -> None:
    from flows.generate import generate
    from pipelines.records import tracking
    from pipelines.registry import model_version

    text_generator(tiny_encoder(tmp_path / "encoder")).save(tmp_path / "registered/artifacts/generator")
    fingerprint = {model_version.FINGERPRINT: model_version.fingerprint(tmp_path / "registered/artifacts/generator")}
    tracking.client().create_registered_model("texts")
    tracking.client().create_model_version("texts", (tmp_path / "registered").as_uri(), tags=fingerprint)

    asked = {"count": 3, "model": "texts@1", "prompts": ["a red heart", "the 'star'; $(exit 1)"], "to": "two texts"}
    made = generate(**asked, negative="a blue bar", guidance=2, return_state=True)
    assert made.is_completed(), made.message
    there = objects(samples, "two texts/")
    settings = json.loads(there["settings.json"])
    assert (settings["prompts"], settings["negative"]) == (asked["prompts"], "a blue bar")
    with np.load(io.BytesIO(there["00000000.npz"])) as content:
        assert json.loads(str(content["texts"])) == ["a red heart", "the 'star'; $(exit 1)", "a red heart"]

    refused = generate(count=3, model="texts@1", label="3", return_state=True)
    assert "--label '3': this model knows no labels: ask it by --prompt" in refused.message


@pytest.mark.usefixtures("prefect_server", "samples")
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"model": f"{MODEL}@candidate"}, rf"{MODEL} has no version called candidate: there are the versions 1"),
        ({"to": "s3://bucket"}, "s3://bucket: must be s3://bucket/prefix/"),
        ({"queue": "gpu"}, "queue: gpu: needs a revision, for instance HEAD"),
        ({"prompts": ["a star"], "label": "3"}, r"label: '3': a model knows labels or texts: leave out prompts[0] or"),
        (
            {"prompts": ["a star", "a" * 10_001]},
            r"prompts[1]: a text of 10,001 characters is asked for: 10,000",
        ),
        ({"negative": "a\0star"}, r"negative: 'a\x00star': has the character 0, which no command takes"),
        ({"revision": "mian"}, "revision 'mian': no such commit, branch or tag"),
    ],
)
def test_a_mistake_fails_before_anything_starts(asked: dict[str, Any], said: str) -> None:
    from flows.generate import generate

    state = generate(**{"count": 5, "model": f"{MODEL}@1"} | asked, return_state=True)
    assert state.is_failed()
    assert said in state.message


def test_places() -> None:
    from flows.generate import address_of, default_prefix

    team = {"BUCKETS": "team-a"}
    assert address_of("a/b", team) == f"s3://{buckets.name('team-a', 'samples')}/a/b/"
    assert address_of("s3://other/a", team) == "s3://other/a/"
    with pytest.raises(UserError, match="to: 'a': which bucket"):
        address_of("a", {})
    asked = {"count": 5, "seed": 1, "label": "T-shirt/top", "guidance": 1.5, "steps": None}
    assert default_prefix("m", "3", asked, {}) == "m/3/count-5-seed-1-label-T-shirt-top-guidance-1.5"


def test_texts_are_in_no_place() -> None:
    from flows.generate import default_prefix

    places = [
        default_prefix("m", "3", {"count": 5}, {"prompts": prompts, "negative": negative})
        for prompts, negative in ((["../a", "b"], None), (["../a b"], None), (["../a", "b"], "c"), ([], "c"))
    ]
    assert len(set(places)) == 4
    assert all(re.fullmatch(r"m/3/count-5(-prompts-[0-9a-f]{12})?(-negative-[0-9a-f]{12})?", one) for one in places)


def test_an_order_is_the_command_s_arguments() -> None:
    order = Order(model="m@3", count=5, seed=1, label="-1", guidance=None, steps=None, to="s3://a/b/")
    assert order.arguments("1/2") == [
        "--model=m@3", "--count=5", "--seed=1", "--label=-1", "--out=s3://a/b/", "--shard=1/2",
    ]  # fmt: skip
    texts = order.model_copy(update={"label": None, "prompts": ["--count=9", "b c"], "negative": "d"})
    assert texts.arguments("1/2") == [
        "--prompt=--count=9", "--prompt=b c", "--model=m@3", "--count=5", "--seed=1", "--negative=d",
        "--out=s3://a/b/", "--shard=1/2",
    ]  # fmt: skip
