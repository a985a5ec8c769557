"""What settings must be to each other."""

import pytest

from pipelines import params
from tests.pipelines.params.written import changed


def test_a_warm_up_longer_than_half_of_the_training_is_refused() -> None:
    content = changed("train.images_seen", 64 * 128)
    content["train"]["warmup_steps"] = 33
    with pytest.raises(params.ParamsError, match=r"train\.warmup_steps = 33: must be at most half of .* 64 steps"):
        params.parse(content)
    content["train"]["warmup_steps"] = 32
    assert params.parse(content).train.warmup_steps == 32


@pytest.mark.parametrize(
    ("images", "extractor", "least"), [(50, "classifier", 64), (64, "classifier", 64), (None, "inception", 2048)]
)
def test_fewer_images_than_features_are_refused(images: int | None, extractor: str, least: int) -> None:
    content = changed("evaluate.images", images)
    content["evaluate"]["extractor"] = extractor
    with pytest.raises(params.ParamsError, match=rf"images = \d+: must be more than the {least} features of the ext"):
        params.parse(content)


@pytest.mark.parametrize("metric", ["fid", "fid_classifer", "seconds_per_image", ""])
def test_the_deciding_metric_is_one_that_is_measured(metric: str) -> None:
    with pytest.raises(params.ParamsError, match=r"register\.metric = .* one of fid_classifier, .*kid, .*accuracy"):
        params.parse(changed("register.metric", metric))


def test_averages_are_not_kept_of_weights_that_are_divided() -> None:
    content = changed("train.average_lengths", [0.1, 0.05])
    assert params.parse(content).train.average_lengths == [0.05, 0.1]
    content["train"]["strategy"] = "fsdp"
    with pytest.raises(params.ParamsError, match=r"average_lengths: must be \[\] with strategy fsdp"):
        params.parse(content)
