"""Held against diffusers 0.42.1: its autoencoders, from folders that it has written, and ours read by it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderDC, AutoencoderKL, AutoencoderTiny, ModelMixin
from safetensors.torch import load_file, save_file

from fm import autoencoder_folders as folders
from fm.generator_files import GeneratorError
from fm.networks import Autoencoder

DOWN, UP = "DownEncoderBlock2D", "UpDecoderBlock2D"
SMALL: dict[str, Any] = {
    "block_out_channels": (8, 16), "down_block_types": (DOWN,) * 2, "up_block_types": (UP,) * 2, "norm_num_groups": 4,
}  # fmt: skip
BOTH_WAYS: dict[str, Any] = {
    "latent_channels": 4, "attention_head_dim": 4,
    "encoder_block_out_channels": (8, 16, 32), "decoder_block_out_channels": (12, 16, 8),
    "encoder_layers_per_block": (1, 1, 2), "decoder_layers_per_block": (2, 1, 1),
    "encoder_qkv_multiscales": ((), (), (5,)), "decoder_qkv_multiscales": ((), (), (3, 5)),
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "stable_diffusion": {**SMALL, "layers_per_block": 2},
    "flux": {
        **SMALL, "use_quant_conv": False, "use_post_quant_conv": False, "latent_channels": 16, "scaling_factor": 0.3611,
        "shift_factor": 0.1159,
    },
    "no_attention": {**SMALL, "mid_block_add_attention": False, "in_channels": 1, "out_channels": 1},
    "attention_at_levels": {
        **SMALL, "down_block_types": (DOWN, f"Attn{DOWN}"), "up_block_types": (f"Attn{UP}", UP), "layers_per_block": 2,
    },
    "one_level": {"block_out_channels": (32,), "latent_channels": 1},
    "four_levels": {
        "block_out_channels": (4, 8, 8, 12), "down_block_types": (DOWN,) * 4, "up_block_types": (UP,) * 4,
        "norm_num_groups": 2,
    },
    "tiny": {
        "encoder_block_out_channels": (8, 8), "decoder_block_out_channels": (12, 12), "num_encoder_blocks": (1, 2),
        "num_decoder_blocks": (2, 1), "shift_factor": 0.25, "scaling_factor": 0.5,
    },
    "dc": {
        **BOTH_WAYS, "encoder_block_types": ("ResBlock", "EfficientViTBlock", "EfficientViTBlock"),
        "decoder_block_types": ("ResBlock", "ResBlock", "EfficientViTBlock"), "upsample_block_type": "interpolate",
        "downsample_block_type": "conv", "in_channels": 1,
    },
    "dc_without_first_level": {
        **BOTH_WAYS, "encoder_layers_per_block": (0, 1, 2), "decoder_layers_per_block": (0, 2, 1),
        "encoder_out_shortcut": False, "decoder_in_shortcut": False,
    },
}  # fmt: skip


def class_of(kind: str) -> Any:
    return AutoencoderDC if kind.startswith("dc") else AutoencoderTiny if kind == "tiny" else AutoencoderKL


def made(kind: str) -> Any:
    """Of random weights, none of them zero."""
    torch.manual_seed(0)
    network = class_of(kind)(**KINDS[kind]).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return network


def options_of(network: ModelMixin) -> dict[str, Any]:
    return {name: value for name, value in network.config.items() if not name.startswith("_")}


def answers(network: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of ours: mean, log-variance and what is decoded."""
    mean, log_variance = network.encode(x)
    return {"mean": mean, "log_variance": log_variance, "decoded": network.decode(mean)}


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_it_encodes_and_decodes_the_same(kind: str, tmp_path: Path) -> None:
    theirs = made(kind)
    theirs.save_pretrained(tmp_path)
    _, ours = folders.read(tmp_path)
    theirs, ours = theirs.double(), ours.double()
    x = torch.randn(3, theirs.config.in_channels, 16, 24, dtype=torch.float64)
    said = theirs.encode(x)
    mean = said.latent_dist.mean if "latent_dist" in said else said[0]
    log_variance = said.latent_dist.logvar if "latent_dist" in said else torch.full_like(mean, -30)
    expected = {"mean": mean, "log_variance": log_variance, "decoded": theirs.decode(mean).sample}
    close = 1e-4 if kind.startswith("dc") else 1e-9  # whose norms and attention are in float32 there
    torch.testing.assert_close(answers(ours, x), expected, rtol=close, atol=close)


@pytest.mark.parametrize("kind", ["attention_at_levels", "dc", "tiny"])
@torch.no_grad()
def test_a_weight_that_is_off_by_a_hundredth_shows(kind: str, tmp_path: Path) -> None:
    """Each of them: so that all are held against theirs."""
    made(kind).save_pretrained(tmp_path)
    _, ours = folders.read(tmp_path)
    ours, x = ours.double(), torch.randn(1, 1 if kind == "dc" else 3, 8, 8, dtype=torch.float64)
    before = answers(ours, x)
    for name, weight in ours.named_parameters():
        if name.endswith("to_k.bias"):  # adds the same to all that a softmax is taken of
            continue
        kept = weight.clone()
        weight.mul_(1 + 0.01 * torch.rand_like(weight))  # by one number, a norm behind it would hide it
        off = max(float((one - before[key]).abs().max()) for key, one in answers(ours, x).items())
        assert off > 1e-8, name
        weight.copy_(kept)


@torch.no_grad()
def test_log_variances_are_kept_within_theirs(tmp_path: Path) -> None:
    theirs = made("stable_diffusion")
    theirs.quant_conv.bias[4:] = torch.tensor([100.0, -100.0, 100.0, -100.0])
    theirs.save_pretrained(tmp_path)
    x = torch.randn(1, 3, 16, 16)
    _, found = folders.read(tmp_path)[1].encode(x)
    torch.testing.assert_close(found, theirs.encode(x).latent_dist.logvar)
    assert set(found.unique().tolist()) == {-30.0, 20.0}


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_diffusers_reads_what_is_written_here(kind: str, tmp_path: Path) -> None:
    made(kind).save_pretrained(tmp_path / "theirs")
    autoencoder, ours = folders.read(tmp_path / "theirs")
    folders.write(tmp_path / "ours", autoencoder, ours)
    again, theirs = (class_of(kind).from_pretrained(tmp_path / name) for name in ("ours", "theirs"))
    assert options_of(again) == options_of(theirs)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in theirs.state_dict().items())
    assert folders.digest(folders.read(tmp_path / "ours")[1]) == folders.digest(ours)
    assert folders.autoencoder_in(tmp_path / "ours") == autoencoder


def test_a_pipelines_is_in_its_vae_and_names_of_before_and_half_precision_are_known(tmp_path: Path) -> None:
    """As stabilityai/sd-vae-ft-mse has them."""
    theirs = made("stable_diffusion")
    theirs.half().save_pretrained(tmp_path / "vae")
    file = tmp_path / "vae" / folders.WEIGHTS
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    before = load_file(file)
    for new, name in old.items():
        before = {key.replace(new, name): value for key, value in before.items()}
    save_file(before, file)
    autoencoder, ours = folders.read(tmp_path)
    assert (autoencoder.factor, autoencoder.latent_channels) == (2, 4)
    assert all(torch.equal(value.float(), ours.state_dict()[name]) for name, value in theirs.state_dict().items())


def edited(folder: Path, **values: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"new": 1}, r"config\.json: autoencoder 'autoencoder_kl' has no option 'new': it has"),
        ({"act_fn": "gelu"}, "act_fn = 'gelu': only 'silu' is known here"),
        ({"latents_mean": [0.0] * 4}, r"latents_mean = \[0\.0, 0\.0, 0\.0, 0\.0\]: only None is known here"),
        ({"out_channels": 4}, "out_channels = 4: must be in_channels, 3"),
        ({"_class_name": "VQModel"}, "_class_name = 'VQModel': must be one of AutoencoderKL, AutoencoderDC, Auto"),
        ({"down_block_types": [DOWN, "Other"]}, "down_block_types = .*must be a list"),
        ({"down_block_types": [DOWN]}, "down_block_types has 1 entries for the 2 of block_out_channels"),
        ({"norm_num_groups": 3}, "8 is no multiple of norm_num_groups = 3"),
        ({"scaling_factor": 0}, "scaling_factor = 0: must be a number above 0"),
        ({"latent_channels": 8}, r"are not those of its autoencoder: .* is \[.*\], and must be \[.*\]"),
        ({"use_quant_conv": False}, r"quant_conv\.bias is \[8\], and must be missing"),
        ({"layers_per_block": 2}, r"resnets.* is missing, and must be \["),
    ],
)
def test_what_is_not_known_is_told(values: dict[str, Any], told: str, tmp_path: Path) -> None:
    made("stable_diffusion" if values.get("layers_per_block") is None else "no_attention").save_pretrained(tmp_path)
    edited(tmp_path, **values)
    with pytest.raises(GeneratorError, match=told):
        folders.read(tmp_path)


def test_a_folder_that_is_damaged_is_told(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=r"config\.json is missing or damaged"):
        folders.read(tmp_path)
    made("one_level").save_pretrained(tmp_path)
    weights = load_file(tmp_path / folders.WEIGHTS)
    weights["decoder.conv_in.bias"][0] = torch.nan
    save_file(weights, tmp_path / folders.WEIGHTS)
    with pytest.raises(GeneratorError, match=r"the weight decoder\.conv_in\.bias is not finite"):
        folders.read(tmp_path)
    (tmp_path / folders.WEIGHTS).write_bytes(b"none")
    with pytest.raises(GeneratorError, match="is damaged"):
        folders.read(tmp_path)


def test_a_choice_says_what_is_not_the_default() -> None:
    chosen = Autoencoder.of({"name": "autoencoder_kl", "block_out_channels": [32, 64], "latent_channels": 8})
    assert chosen.choice == {"name": "autoencoder_kl", "block_out_channels": [32, 64], "latent_channels": 8}
    assert chosen.factor == 2
