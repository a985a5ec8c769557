import copy
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from fm import components
from fm.components import Option
from fm.extractor_names import dimensions_of
from fm.metrics.extractors.classifier_network import Classifier
from fm.metrics.extractors.efficientnet import COMPONENTS
from fm.objectives import Regression
from fm.options import Either, Number
from pipelines import params
from pipelines.params.sections import Strategy
from pipelines.project import ROOT
from tests.fm.conftest import tiny_generator
from tests.pipelines.params.written import CONTENT, changed

METHODS = ROOT / "methods"


@pytest.mark.parametrize(
    ("name", "path", "message"),
    [
        ("image-folder", "nowhere", "dataset.path = 'nowhere': must be the folder with your images"),
        ("image-folder", params.NO_IMAGES, "must be the folder with your images"),
        ("digits", "nowhere", "dataset.path = 'nowhere': must exist; data/README.md does"),
    ],
)
def test_a_path_that_is_not_there(name: str, path: str, message: str) -> None:
    content = changed("dataset.name", name)
    content["dataset"]["path"] = path
    with pytest.raises(params.ParamsError, match=message):
        params.require_path(params.parse(content).dataset, ROOT)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("train.lerning_rate", 1, "params.yaml: train.lerning_rate: there is no such setting"),
        ("train.learning_rate", -1, "params.yaml: train.learning_rate = -1: input should be greater than 0"),
        ("evaluate.sets", "many", "params.yaml: evaluate.sets = 'many': input should be a valid integer"),
        (
            "dataset.name",
            "cifar",
            "params.yaml: dataset.name: no dataset 'cifar': must be one of cifar10, digits, fashion-mnist, "
            "image-folder; did you mean cifar10?",
        ),
        (
            "evaluate.extractor",
            "vgg",
            "params.yaml: evaluate.extractor: must be classifier, efficientnet_lite0, "
            "inception, extractors/<name>.pt, extractors/<name>.py:<function> or <module>:<Class>, not 'vgg'",
        ),
        (
            "methods.diffusion.objective.path",
            "vp",
            "params.yaml: methods.diffusion.objective.path: no path 'vp': must be one of cond_ot, polynomial, cosine,",
        ),
        (
            "methods.diffusion.objective.path",
            {"name": "polynomial", "m": 2},
            "params.yaml: methods.diffusion.objective.path: path 'polynomial' has no option 'm': it has n",
        ),
        (
            "methods.diffusion.samplers",
            [{"solver": "ddim", "steps": [5]}, {"solver": "ddim", "steps": [10, 5]}],
            "params.yaml: methods.diffusion.samplers: ddim with 5 steps is there twice",
        ),
        (
            "methods.diffusion.network",
            {"kind": "transformer", "multipliers": [1]},
            "params.yaml: methods.diffusion.network: network 'transformer' has no option 'multipliers': it has ",
        ),
        ("methods", {}, "params.yaml: methods = {}: dictionary should have at least 1 item"),
        ("train.images_seen", 5, "params.yaml: train.images_seen (5) must be at least train.batch_size"),
        ("methods.a-b", CONTENT["methods"]["diffusion"], "params.yaml: methods: a method's name has letters, digits"),
    ],
)
def test_a_mistake_is_one_line_with_key_value_and_what_is_allowed(key: str, value: Any, line: str) -> None:
    with pytest.raises(params.ParamsError) as raised:
        params.parse(changed(key, value))
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


OPTIONS = [
    pytest.param(kind, name, option, id=f"{kind}-{name}-{option.name}")
    for kind in ("path", "timesteps", "target", "weight", "solver", "grid")
    for name, component in components.known(kind).items()
    for option in components.options_of(component).values()
]
KEYS = {
    **{kind: f"methods.diffusion.objective.{kind}" for kind in ("path", "timesteps", "target", "weight")},
    **dict.fromkeys(("solver", "grid"), "methods.diffusion.samplers"),
}


def with_option(kind: str, name: str, option: str, value: Any) -> dict[str, Any]:
    choice = {"name": name, option: value}
    if kind in ("solver", "grid"):
        return changed(KEYS[kind], [{"solver": "ddim", "steps": [5], **{kind: choice}}])
    return changed(KEYS[kind], choice)


def number_in(option: Option) -> Number:
    readers = option.reader.readers if isinstance(option.reader, Either) else [option.reader]
    return next(reader for reader in readers if isinstance(reader, Number))


@pytest.mark.parametrize(("kind", "name", "option"), OPTIONS)
def test_no_option_is_what_it_cannot_be(kind: str, name: str, option: Option) -> None:
    number = number_in(option)
    wrong = [float("nan"), float("inf"), -float("inf"), "three", "nan", "", [1], {"a": 1}, True, -1000]
    wrong += [number.bounds.most * 2]
    wrong += [None] if option.default is not None else []
    wrong += [number.bounds.above] if number.bounds.above is not None else []
    wrong += [1.5] if number.whole else []
    for value in wrong:
        with pytest.raises(params.ParamsError) as raised:
            params.parse(with_option(kind, name, option.name, value))
        assert str(raised.value).startswith(f"params.yaml: {KEYS[kind]}")
        assert f"{kind} {name!r}: {option.name} = " in str(raised.value)
        assert str(raised.value).endswith(f"must be {option.reader}")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("kind", "name", "option"), OPTIONS)
def test_every_option_within_its_bounds_can_be_said(kind: str, name: str, option: Option) -> None:
    most = number_in(option).bounds.most
    for value in (most, str(most)):
        params.parse(with_option(kind, name, option.name, value))


def test_an_option_that_is_null_is_one_that_is_left_out() -> None:
    row = {"solver": {"name": "ddim", "clip": None}, "steps": [5]}
    (sampler,) = params.parse(changed("methods.diffusion.samplers", [row])).methods["diffusion"].samplers
    assert (sampler.solver, sampler.label) == ("ddim", "ddim")
    with pytest.raises(params.ParamsError, match="ddim with 5 steps is there twice"):
        params.parse(changed("methods.diffusion.samplers", [row, {"solver": "ddim", "steps": [5]}]))


def test_a_number_that_yaml_reads_as_text_is_one() -> None:
    row = yaml.safe_load("{solver: {name: dopri5, tolerance: 1e-5}, steps: [1]}")
    (sampler,) = params.parse(changed("methods.diffusion.samplers", [row])).methods["diffusion"].samplers
    assert sampler.solver == {"name": "dopri5", "tolerance": 1e-5}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.gradient_clip", float("inf")),
        ("train.learning_rate", float("nan")),
        ("train.seed", True),
        ("evaluate.sets", False),
        ("methods.diffusion.samplers", [{"solver": "ddim", "steps": [0]}]),
        ("methods.diffusion.samplers", [{"solver": "ddim", "steps": [10**9]}]),
        ("methods.diffusion.samplers", [{"solver": "ddim", "steps": [True]}]),
        ("methods.diffusion.samplers", [{"solver": "ddim", "steps": [5], "guidance": float("inf")}]),
        ("methods.diffusion.samplers", [{"solver": "ddim", "steps": [5], "guidance_interval": [float("nan"), 1]}]),
        ("methods.diffusion.samplers", [{"solver": 3, "steps": [5]}]),
        ("train.accelerator", "cpuu"),
        ("train.precision", 33),
        ("train.strategy", "dpp"),
        ("train.devices", 0),
        ("train.devices", "two"),
        ("train.devices", []),
    ],
)
def test_no_number_is_what_it_cannot_be(key: str, value: Any) -> None:
    with pytest.raises(params.ParamsError) as raised:
        params.parse(changed(key, value))
    assert str(raised.value).startswith(f"params.yaml: {key}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("devices", [1, 8, -1, "auto", "2", "0,1", [0, 3]])
def test_devices_as_lightning_takes_them(devices: Any) -> None:
    assert params.parse(changed("train.devices", devices)).train.devices == devices


def test_every_mistake_is_told() -> None:
    content = changed("train.seed", -1)
    content["evaluate"]["sets"] = 1
    with pytest.raises(params.ParamsError, match=r"train\.seed = -1.*\n.*evaluate\.sets = 1"):
        params.parse(content)


def test_not_more_mistakes_are_told_than_one_can_read() -> None:
    content = copy.deepcopy(CONTENT) | {f"wrong{number}": number for number in range(1000)}
    with pytest.raises(params.ParamsError) as raised:
        params.parse(content)
    told = str(raised.value).splitlines()
    assert len(told) == 21
    assert told[-1] == "params.yaml: and 980 mistakes more"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("train.images_sen", "train.images_seen"),
        ("images_seen", "train.images_seen"),
        ("trian", "train"),
        ("methods.diffusion.objective.wieght", "methods.diffusion.objective.weight"),
        ("methods.diffusion.sampler", "methods.diffusion.samplers"),
        ("register.model", "register.model_name"),
    ],
)
def test_a_key_that_is_almost_right_is_told_the_right_one(key: str, meant: str) -> None:
    with pytest.raises(params.ParamsError, match=rf"{key}: there is no such setting; did you mean {meant}\?"):
        params.parse(changed(key, 1))


def test_a_key_that_is_nothing_like_any_gets_no_suggestion() -> None:
    with pytest.raises(params.ParamsError, match=r"train\.zzz: there is no such setting$"):
        params.parse(changed("train.zzz", 1))


def test_no_error_repeats_more_than_a_line_of_what_was_given() -> None:
    for key in ("train.learning_rate", "methods.diffusion.objective.path", "evaluate.extractor", "train.devices"):
        for value in ("x\n" * 50_000, ["x" * 100] * 1000, {"name": "y" * 50_000}):
            with pytest.raises(params.ParamsError) as raised:
                params.parse(changed(key, value))
            assert "\n" not in str(raised.value)
            assert len(str(raised.value)) < 700


@pytest.mark.parametrize(("size", "value"), [("width", 1_000_000), ("blocks", 1_000), ("multipliers", [1, 1000])])
def test_a_network_that_no_memory_holds_is_refused(size: str, value: int | list[int]) -> None:
    with pytest.raises(params.ParamsError, match=rf"network: network 'unet': {size} = .*from"):
        params.parse(changed(f"network.{size}", value))


@pytest.mark.parametrize("content", [None, [], "text"])
def test_settings_are_by_name(content: object) -> None:
    with pytest.raises(params.ParamsError, match=r"the file = .*: must have settings by name"):
        params.parse(content)


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


def test_splits_and_sample_sets_have_more_images_than_features() -> None:
    chosen = params.parse(changed("evaluate.images", 100)).evaluate
    params.require_enough(chosen, 500, 100)
    for train, test, says in (
        (500, 33, "the test split has 33 images: must be more than the 64 features of the extractor classifier"),
        (40, 100, "the training split has 40 images: must be more"),
        (500, 99, "evaluate.images = 100: the test split, the floor, has 99 images"),
    ):
        with pytest.raises(params.ParamsError, match=says):
            params.require_enough(chosen, train, test)
    params.require_enough(chosen.model_copy(update={"images": "test_split"}), 500, 65)
    with pytest.raises(params.ParamsError, match="the test split has 70 images: must be more than the 80 features"):
        params.require_enough(chosen.model_copy(update={"images": "test_split"}), 500, 70, dimensions=80)


def test_the_features_are_as_many_as_is_said() -> None:
    network = Classifier(channels=1, image_size=8, num_classes=10)
    assert dimensions_of("classifier") == network.head.in_features
    assert dimensions_of("efficientnet_lite0") == COMPONENTS
    assert dimensions_of("extractors/faces.pt") == 0


@pytest.mark.parametrize("metric", ["fid", "fid_classifer", "seconds_per_image", ""])
def test_the_deciding_metric_is_one_that_is_measured(metric: str) -> None:
    with pytest.raises(params.ParamsError, match=r"register\.metric = .* one of fid_classifier, .*kid, .*accuracy"):
        params.parse(changed("register.metric", metric))


def test_the_deciding_number_of_evaluations_is_one_that_every_method_has() -> None:
    params.require_nfe(params.parse(CONTENT))
    with pytest.raises(
        params.ParamsError, match=r"register\.nfe = 7: flow_matching has no row.*it has rows with 2, 5, "
    ):
        params.require_nfe(params.parse(changed("register.nfe", 7)))


@pytest.mark.parametrize(
    ("row", "there", "not_there"),
    [
        ({"solver": "midpoint", "steps": [5]}, {10}, {5}),
        ({"solver": "rk4", "steps": [5], "guidance": 2}, {40}, {20}),
        ({"solver": "euler", "steps": [5], "guidance": 2, "guidance_interval": [0.2, 0.6]}, {5, 7, 10}, {4, 11}),
        ({"solver": {"name": "edm", "churn": 2}, "grid": "edm", "steps": [5]}, {9}, {10}),
        ({"solver": "dopri5", "steps": [1]}, {1, 10, 500}, set()),
    ],
)
def test_a_samplers_evaluations_are_known_before(row: dict[str, Any], there: set[int], not_there: set[int]) -> None:
    found = params.Sampler.model_validate(row).evaluations()
    assert there <= found
    assert not not_there & found
    (_, nfe) = tiny_generator().with_sampler(params.Sampler.model_validate(row).each()[0]).sample_float(1, 0)
    assert nfe in found


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(params.ParamsError, match="is missing"):
        params.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(params.ParamsError, match="not YAML"):
        params.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(params.ParamsError, match=r"params\.yaml"):
        params.load(tmp_path / "params.yaml")


@pytest.mark.parametrize("file", sorted(METHODS.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_rows_kept_in_methods_can_be_added(file: Path) -> None:
    settings = params.parse(changed(f"methods.{file.stem}", yaml.safe_load(file.read_text())))
    assert file.stem in settings.methods


def test_a_sampler_is_one_for_each_number_of_steps() -> None:
    row = {"solver": {"name": "edm", "churn": 40}, "grid": "edm", "guidance": 1.5, "steps": [3, 5]}
    (sampler,) = params.parse(changed("methods.diffusion.samplers", [row])).methods["diffusion"].samplers
    assert [each.steps for each in sampler.each()] == [3, 5]
    assert sampler.label == "edm-churn40-grid_edm-guidance1.5"


SQUARED = """
from fm.paths import Path

class Squared(Path):
    power: float = 2.0

    def alpha(self, t):
        return t**self.power

    def sigma(self, t):
        return 1 - t
"""


def test_ones_own_is_named_by_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "paths_of_ours.py").write_text(SQUARED)
    row = {**CONTENT["methods"]["diffusion"]["objective"], "path": {"name": "paths_of_ours:Squared", "power": 3.0}}
    with pytest.raises(params.ParamsError, match=r"diffusion\.objective\.path: .* cannot be imported"):
        params.parse(changed("methods.diffusion.objective", row))
    monkeypatch.syspath_prepend(tmp_path)
    settings = params.parse(changed("methods.diffusion.objective", row))
    objective = Regression.named(**settings.methods["diffusion"].objective.model_dump())
    assert objective.path.choice == {"name": "paths_of_ours:Squared", "power": 3.0}
    row["path"]["power"] = "much"
    with pytest.raises(params.ParamsError, match="path 'paths_of_ours:Squared': power = 'much': must be a number"):
        params.parse(changed("methods.diffusion.objective", row))


def test_the_strategies_are_lightnings() -> None:
    from lightning.pytorch.strategies import StrategyRegistry

    assert set(get_args(Strategy)) - {"auto"} <= set(StrategyRegistry.available_strategies())


def test_every_setting_has_one_dotted_key_for_a_table() -> None:
    found = params.flat(params.load())
    assert found["methods"] == "flow_matching, diffusion"
    assert found["train.images_seen"] == 200000
    assert found["register.nfe"] == 10
    assert not [key for key, value in found.items() if isinstance(value, dict)]
