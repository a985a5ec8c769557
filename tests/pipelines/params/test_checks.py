"""Settings beside what lies on disk."""

from pathlib import Path

import pytest

from fm.errors import UserError
from fm.extractor_names import dimensions_of
from fm.metrics.extractors.classifier_network import Classifier
from fm.metrics.extractors.efficientnet import COMPONENTS
from pipelines import params
from pipelines.project import ROOT
from tests.pipelines.params.written import CONTENT, changed


@pytest.mark.parametrize(
    ("name", "path", "message"),
    [
        ("image-folder", "nowhere", "dataset.path = 'nowhere': must be the folder with your images"),
        ("image-folder", params.NO_IMAGES, "must be the folder with your images"),
        ("field-files", params.NO_IMAGES, "must be the folder with your files of fields"),
        ("digits", "nowhere", "dataset.path = 'nowhere': must exist; data/README.md does"),
    ],
)
def test_a_path_that_is_not_there(name: str, path: str, message: str) -> None:
    content = changed("dataset.name", name)
    content["dataset"]["path"] = path
    with pytest.raises(params.ParamsError, match=message):
        params.require_path(params.parse(content).dataset, ROOT)


def test_a_clip_has_to_be_there(tmp_path: Path) -> None:
    content = changed("evaluate.clip", "weights/clip")
    with pytest.raises(params.ParamsError, match=r"evaluate\.clip = 'weights/clip': must be a folder with a CLIPModel"):
        params.require_clip(params.parse(content).evaluate, tmp_path)
    (tmp_path / "weights" / "clip").mkdir(parents=True)
    params.require_clip(params.parse(content).evaluate, tmp_path)


def test_keys_are_asked_for_where_shards_surely_go_to_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    content = changed("dataset.name", "webdataset")
    content["dataset"]["store"] = "s3://bucket/pictures"
    params.require_keys(params.parse(content).dataset)
    content["dataset"]["storage"] = "shards"
    with pytest.raises(UserError, match="s3://bucket/pictures/: no keys: set AWS_ACCESS_KEY_ID"):
        params.require_keys(params.parse(content).dataset)


def test_splits_and_sample_sets_have_more_images_than_features() -> None:
    chosen = params.parse(changed("evaluate.images", 100)).evaluate
    params.require_enough(chosen, 500, 100)
    for train, test, says in (
        (500, 33, "the test split has 33 data: must be more than the 64 features of the extractor classifier"),
        (40, 100, "the training split has 40 data: must be more.*own data dataset.test_fraction are held out"),
        (40, 33, "the training split has 40 data and the test split has 33 data: must be more"),
        (500, 99, "evaluate.images = 100: the test split, the floor, has 99; test_split means"),
    ):
        with pytest.raises(params.ParamsError, match=says):
            params.require_enough(chosen, train, test)
    params.require_enough(chosen.model_copy(update={"images": "test_split"}), 500, 65)
    with pytest.raises(params.ParamsError, match="the test split has 70 data: must be more than the 80 features"):
        params.require_enough(chosen.model_copy(update={"images": "test_split"}), 500, 70, dimensions=80)


def test_extractors_of_pictures_are_refused_for_other_data() -> None:
    chosen = params.parse(changed("evaluate.extractor", "efficientnet_lite0")).evaluate
    params.require_seen(chosen, "digits", (8, 8, 1), "uint8")
    for stored, dtype in (((8, 16, 16, 3), "uint8"), ((16, 16, 2), "uint8"), ((16, 16, 3), "float32")):
        with pytest.raises(params.ParamsError, match=r"efficientnet_lite0.*at pictures.*of clips is .*space_time"):
            params.require_seen(chosen, "clips", stored, dtype)
    for setting in ("space_time", "extractors/faces.pt"):
        params.require_seen(chosen.model_copy(update={"extractor": setting}), "clips", (8, 16, 16, 3), "uint8")


def test_the_features_are_as_many_as_is_said() -> None:
    network = Classifier(channels=1, image_size=8, num_classes=10)
    assert dimensions_of("classifier") == network.head.in_features
    assert dimensions_of("efficientnet_lite0") == COMPONENTS
    assert dimensions_of("extractors/faces.pt") == 0


def test_the_deciding_number_of_evaluations_is_one_that_every_method_has() -> None:
    params.require_nfe(params.parse(CONTENT))
    with pytest.raises(
        params.ParamsError, match=r"register\.nfe = 7: flow_matching has no row.*it has rows with 1, 2, 5, "
    ):
        params.require_nfe(params.parse(changed("register.nfe", 7)))


def test_a_role_of_a_method_that_is_not_there_is_told() -> None:
    assert params.absent_roles(params.parse(CONTENT)) == []
    assert params.absent_roles(params.parse(changed("compare.ours", "mine"))) == [
        "warning: compare.ours = mine: there is no such method, so most claims will not be measured; there are "
        "flow_matching, diffusion"
    ]


@pytest.mark.parametrize(
    ("role", "missed"),
    [
        ("stronger", "whether the baseline is weak will not be told"),
        ("over", "the claim migration will not be measured"),
        ("further", "the claim migration will have no control"),
    ],
)
def test_a_role_that_may_have_no_method_is_told_where_somebody_named_one(role: str, missed: str) -> None:
    assert params.absent_roles(params.parse(changed(f"compare.{role}", "mine"))) == [
        f"warning: compare.{role} = mine: there is no such method, so {missed}; there are flow_matching, diffusion"
    ]
    there = changed(f"compare.{role}", "mine")
    there["methods"]["mine"] = there["methods"]["diffusion"]
    assert params.absent_roles(params.parse(there)) == []
