"""What this project's stages depend on."""

import ast
import inspect
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fm import autoencoder_folders
from fm.errors import UserError
from fm.networks import AutoencoderKL
from pipelines import params
from pipelines.inputs.beside import BESIDE, BESIDE_ALL
from pipelines.inputs.reach import Reach
from pipelines.inputs.resolved import Inputs, Resolver, file_of, resolve
from pipelines.inputs.sources import Code
from pipelines.params import defaults, sections
from pipelines.params.section import Section
from pipelines.project import ROOT
from tests.fm.conftest import tiny_generator

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
TRAINED = "train@diffusion"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all that stage resolve depends on."""
    root = tmp_path_factory.mktemp("copy")
    for name in STAGES["resolve"]["deps"]:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, root / name)
    return root


@pytest.fixture(scope="module")
def now(root: Path) -> dict[str, Inputs]:
    return resolve(root)


@pytest.fixture
def edit(root: Path) -> Iterator[dict[Path, str]]:
    """Files as they were, by path: they are so again at the end."""
    before: dict[Path, str] = {}
    yield before
    for path, content in before.items():
        path.write_text(content)


def change(root: Path, edit: dict[Path, str], name: str, old: str, new: str) -> None:
    content = (root / name).read_text()
    assert old in content, f"{name} has no {old!r}"
    edit.setdefault(root / name, content)
    (root / name).write_text(content.replace(old, new))


def changed(root: Path, now: dict[str, Inputs]) -> set[str]:
    after = resolve(root)
    return {stage for stage in after if after[stage] != now.get(stage)}


def test_every_stage_of_dvc_yaml_depends_on_its_file_and_lists_no_code(now: dict[str, Inputs]) -> None:
    methods = yaml.safe_load((ROOT / "params.yaml").read_text())["methods"]
    found = set()
    for name, stage in STAGES.items():
        each = (
            {f"{name}@{one}": stage["do"]["deps"] for one in methods} if "foreach" in stage else {name: stage["deps"]}
        )
        for one, deps in each.items():
            if one != "resolve":
                found.add(one)
                assert str(file_of(one)) in [dep.replace("${key}", one.partition("@")[2]) for dep in deps]
                assert not [dep for dep in deps if dep.startswith(("fm", "pipelines", "own"))]
    assert found == now.keys()


def test_of_latents_the_codec_depends_on_how_it_is_trained_or_on_the_folder(root: Path, edit: dict[Path, str]) -> None:
    """And on nothing of the methods."""
    change(root, edit, "params.yaml", "kind: null # pixels", "kind: latents # pixels")
    found = resolve(root)
    assert "codec" in found
    assert {"fm/autoencoding/reconstruction.py", "fm/networks/autoencoder_kl.py"} <= found["codec"].code.keys()
    assert {"fm/networks/autoencoder_dc.py", "fm/objectives/regression.py"}.isdisjoint(found["codec"].code)
    assert "fm/codecs/encoded.py" in found[TRAINED].code
    change(root, edit, "params.yaml", "kl: null", "kl: 0.1")
    assert changed(root, found) == {"codec"}
    change(root, edit, "params.yaml", "autoencoder: null", "autoencoder: starts/ours")
    with pytest.raises(UserError, match=r"codec\.autoencoder = starts/ours: must be a folder"):
        resolve(root)
    options = AutoencoderKL(in_channels=1, block_out_channels=(8, 8), norm_num_groups=4)
    autoencoder_folders.write(root / "starts" / "ours", options, options.build())
    taken = resolve(root)
    assert "kl" not in taken["codec"].settings
    autoencoder_folders.write(root / "starts" / "ours", options, options.build())  # of other weights
    assert changed(root, taken) == {"codec"}


@pytest.mark.parametrize("stage", ["prepare", "features"])
def test_pictures_are_prepared_without_autoencoders(now: dict[str, Inputs], stage: str) -> None:
    assert "fm/codecs/pixels.py" in now[stage].code
    assert not [file for file in now[stage].code if "autoencoder" in file]


def test_completions_depend_on_the_evaluations_that_decide(root: Path, edit: dict[Path, str]) -> None:
    change(root, edit, "params.yaml", "condition: null", "condition: observed")
    found = resolve(root)
    change(root, edit, "params.yaml", "nfe: 10 #", "nfe: 20 #")
    assert {"evaluate@diffusion", "evaluate@flow_matching"} <= changed(root, found)


def test_what_stands_beside_is_there() -> None:
    code = Code(ROOT, ("fm", "pipelines"))
    for beside in [*BESIDE_ALL, *(name for names in BESIDE.values() for name in names)]:
        module, _, definition = beside.partition(":")
        source = code.module(module)
        assert source is not None, beside
        assert definition in {"", *source.bound}, beside


def test_what_is_learnt_comes_to_nothing_that_stands_beside_a_training() -> None:
    """An objective that draws samples, for instance, would: then its code has to count."""
    reach = Reach(Code(ROOT, ("fm",)), ())
    for module in (
        "fm.objectives.regression",
        "fm.batches",
        "fm.training.data",
        "fm.training.ema",
        "fm.couplings",
        "fm.networks",
    ):
        reach.follow((module, None), ())
    reach.settle()
    assert "fm.paths" in reach.definitions
    assert not {name for name, found in reach.definitions.items() if found} & BESIDE["train"].keys()


def test_nothing_is_made_of_settings_but_what_is_written_down() -> None:
    """What a stage has by a method of a section, of_... in pipelines/inputs/settings.py resolves: the code of params
    stands beside. Whoever adds a method makes sure of that, and adds its name here."""
    known = {"choice", "count", "each", "each_sampler", "evaluations", "is_encoded", "label", "steps"}
    known |= {"is_coded", "measures", "pictures", "things"}  # of a dataset, by its name and options
    known |= {"without_what_is_usual"}  # of a row's objective, which is written down by its choice
    classes = [one for module in (params, sections) for one in vars(module).values() if inspect.isclass(one)]
    found = {
        name
        for one in classes
        if issubclass(one, Section)
        for name, value in vars(one).items()
        if isinstance(value, property) or inspect.isfunction(value)
        if not name.startswith("_") and name not in one.__pydantic_decorators__.model_validators
    }
    assert found <= known


FLIPPED: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.MatMult: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Lt: ast.Gt,
    ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def flip(tree: ast.Module, definition: str) -> bool:
    """Turn the first operator of a definition into another one, but in words. Whether there was one."""
    for node in tree.body:
        if getattr(node, "name", None) != definition:
            continue
        words = {id(part) for one in ast.walk(node) for word in words_of(one) for part in ast.walk(word)}
        for part in ast.walk(node):
            if id(part) in words:
                continue
            if isinstance(part, ast.BinOp):
                part.op = FLIPPED[type(part.op)]()
                return True
            if isinstance(part, ast.Compare):
                part.ops[0] = FLIPPED[type(part.ops[0])]()
                return True
    return False


def words_of(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.FunctionDef):
        return [node.returns] if node.returns is not None else []
    is_print = isinstance(node, ast.Expr) and "print(" in ast.unparse(node)
    return [node] if is_print or isinstance(node, ast.arg | ast.AnnAssign | ast.Raise) else []


def reached(root: Path, stage: str) -> Iterator[tuple[str, str]]:
    """File and name of all functions and classes that a stage comes to."""
    resolver = Resolver(root, params.load(root / params.FILE))
    for module, indices in resolver.reach(stage)[1].definitions.items():
        source = resolver.code.module(module)
        assert source is not None
        for index in indices:
            if hasattr(source.statements[index].node, "name"):
                yield source.shown, source.statements[index].node.name


@pytest.mark.parametrize("stage", ["prepare", "features", TRAINED, "evaluate@flow_matching", "compare"])
def test_another_operator_anywhere_that_a_stage_comes_to_runs_it_again(
    root: Path, now: dict[str, Inputs], edit: dict[Path, str], stage: str
) -> None:
    """One definition of each module at least, all in one go: each file's digest is another."""
    flipped: set[str] = set()
    trees: dict[str, ast.Module] = {}
    for name, definition in sorted(reached(root, stage)):
        tree = trees.setdefault(name, ast.parse((root / name).read_text()))
        if flip(tree, definition):
            flipped.add(name)
    for name in trees:
        edit[root / name] = (root / name).read_text()
        (root / name).write_text(ast.unparse(trees[name]))  # the same text without comments, where nothing is flipped
    after = Resolver(root, params.load(ROOT / params.FILE)).inputs(stage)
    assert {name for name in now[stage].code if after.code.get(name) != now[stage].code[name]} == flipped
    assert len(flipped) >= 10


def test_only_what_uses_a_change_runs_again(root: Path, now: dict[str, Inputs], edit: dict[Path, str]) -> None:
    """Sampling is no part of training, extractors are one of what measures, a report is one of the comparison alone."""
    train, evaluate = {"train@flow_matching", TRAINED}, {"evaluate@flow_matching", "evaluate@diffusion"}
    for name, old, new, stages in [
        ("fm/networks/unet_network.py", "count - 1", "count - 2", {*train, *evaluate, "compare"}),
        ("fm/networks/transformer_network.py", " + ", " - ", set()),
        ("fm/text/bert.py", " + ", " - ", set()),
        ("fm/text/finding.py", "sorted(", "list(", set()),
        ("fm/conditions/text.py", "isfinite(tokens)", "isnan(tokens)", set()),
        (
            "fm/components/choosing.py",
            "return component(**options)",
            "return component()",
            {*train, *evaluate, "prepare", "features", "compare"},
        ),
        ("fm/objectives/regression.py", ".square()", ".abs()", {*train, "compare"}),
        ("fm/metrics/distances.py", "return", "return 2 *", evaluate),
        ("pipelines/report/answer.py", "return", "return '' +", {"compare"}),
        ("pipelines/report/report.html.j2", "<h1>", "<h1 id='top'>", {"compare"}),
        ("fm/training/ema.py", "min(", "max(", {*train, "compare"}),
        ("fm/data/resize.py", "return", "return 1 *", {"prepare"}),
        ("pipelines/records/provenance.py", '"git.commit"', '"commit"', set()),
        ("pipelines/forecast.py", "MANY_EPOCHS = 100", "MANY_EPOCHS = 50", set()),
        (
            "pipelines/schemas/comparison.py",
            "class Claim(Schema):",
            "class Claim(Schema):\n    more: int = 0",
            {"compare"},
        ),
    ]:
        change(root, edit, name, old, new)
        assert changed(root, now) == stages, name
        (root / name).write_text(edit[root / name])


def test_settings_run_again_what_uses_them(
    root: Path, now: dict[str, Inputs], edit: dict[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(defaults, "FOLDER", root / "pipelines/defaults")
    train, evaluate = {"train@flow_matching", TRAINED}, {"evaluate@flow_matching", "evaluate@diffusion"}
    for name, old, new, stages in [
        ("params.yaml", "seed: 0", "seed: 1", {*train, "compare"}),
        ("params.yaml", "seed: 1000", "seed: 1001", {*evaluate, "compare"}),
        ("params.yaml", "path: ddpm", "path: cosine", {TRAINED, "evaluate@diffusion", "compare"}),
        ("params.yaml", "licence: null", "licence: CC0", set()),
        ("params.yaml", "on_bad_image: error", "on_bad_image: skip", {"prepare"}),
        ("params.yaml", "nfe: 10", "nfe: 20", {"compare"}),
        ("pipelines/defaults/fashion-mnist.yaml", "batch_size: 128", "batch_size: 64", {*train, "compare"}),
        ("pipelines/defaults/cifar10.yaml", "width: ", "width: 1", set()),
    ]:
        change(root, edit, name, old, new)
        assert changed(root, now) == stages, (name, old)
        (root / name).write_text(edit[root / name])


OWN = """from fm.paths import Path

class Bent(Path):
    def alpha(self, t): return t**3
    def sigma(self, t): return 1 - t
"""


def test_what_a_component_of_ones_own_uses_counts_even_where_a_stage_needs_it_not(
    root: Path, edit: dict[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training needs no time grid."""
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.delitem(sys.modules, "own", raising=False)
    file = root / "own/gridded_paths.py"
    file.write_text(OWN.replace("class", "from fm.grids import Uniform\nclass").replace("t**3", "t * Uniform()(1)"))
    change(root, edit, "params.yaml", "path: ddpm", "path: own.gridded_paths:Bent")
    used = resolve(root)
    change(root, edit, "fm/grids.py", "torch.linspace(", "2 * torch.linspace(")
    assert {TRAINED, "evaluate@diffusion"} <= changed(root, used)
    assert "train@flow_matching" not in changed(root, used)


def test_a_component_of_ones_own_counts_where_it_is_used(
    root: Path, now: dict[str, Inputs], edit: dict[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.delitem(sys.modules, "own", raising=False)
    file = root / "own/bent_paths.py"
    file.write_text(OWN)
    assert changed(root, now) == set()
    change(root, edit, "params.yaml", "path: ddpm", "path: own.bent_paths:Bent")
    used = resolve(root)
    assert "own/bent_paths.py" in used[TRAINED].code
    assert "own/bent_paths.py" not in used["train@flow_matching"].code
    file.write_text(OWN.replace("t**3", "t**2"))
    assert changed(root, used) == {TRAINED, "evaluate@diffusion", "compare"}
    file.write_text(OWN.replace("class", "# words\nclass"))
    assert changed(root, used) == set()


FROM_OURS = "start_from: starts/ours\n    objective: {path: cond_ot, coupling: independent, timesteps: uniform"


def test_what_a_network_goes_on_from_counts_for_it_alone(
    root: Path, now: dict[str, Inputs], edit: dict[Path, str]
) -> None:
    tiny_generator("ddpm", "noise").save(root / "starts/ours")
    assert changed(root, now) == set()
    change(root, edit, "params.yaml", FROM_OURS.partition("\n    ")[2], FROM_OURS)
    used = resolve(root)
    ours = {"train@flow_matching", "evaluate@flow_matching"}
    assert changed(root, now) == {*ours, "compare"}
    assert used["train@flow_matching"].settings["original"]["path"] == "ddpm"
    assert "original" not in used[TRAINED].settings
    tiny_generator("ddpm", "noise", seed=1).save(root / "starts/ours")
    assert changed(root, used) == ours
    shutil.rmtree(root / "starts/ours")
    with pytest.raises(
        UserError, match=r"methods\.flow_matching\.start_from = starts/ours: must be a folder with a trained network"
    ):
        resolve(root)
