"""Held against diffusers 0.42.1: a block of two streams (MMDiT), with its weights."""

import pytest
import torch
from diffusers.models.attention import JointTransformerBlock
from torch.nn import functional as F

from fm.networks.layers import Tokens
from fm.networks.transformer_network import Block, JointBlock
from tests.parity.agreement import Mismatch, same

WIDTH, HEADS = 12, 3


def given(mine: Block, theirs: JointTransformerBlock, more: bool) -> None:
    """One stream's weights: that of the tokens is their `added` one."""
    attention = theirs.attn
    looks = ("add_q_proj", "add_k_proj", "add_v_proj") if more else ("to_q", "to_k", "to_v")
    for kind in ("weight", "bias"):
        whole = torch.cat([getattr(getattr(attention, name), kind) for name in looks])
        getattr(mine.queries_keys_values, kind).copy_(whole)
    mix = attention.to_add_out if more else attention.to_out[0]
    perceptron = theirs.ff_context if more else theirs.ff
    modulation = theirs.norm1_context if more else theirs.norm1
    for layer, source in (
        (mine.mix, mix),
        (mine.widen, perceptron.net[0].proj),
        (mine.narrow, perceptron.net[2]),
        (mine.modulation, modulation.linear),
    ):
        layer.load_state_dict(source.state_dict())
    if isinstance(mine.query_norm, torch.nn.RMSNorm):
        mine.query_norm.weight.copy_((attention.norm_added_q if more else attention.norm_q).weight)
        mine.key_norm.weight.copy_((attention.norm_added_k if more else attention.norm_k).weight)


@pytest.mark.parametrize("qk_norm", [False, True])
@torch.no_grad()
def test_two_streams_meet_as_there(qk_norm: bool) -> None:
    torch.manual_seed(0)
    theirs = JointTransformerBlock(WIDTH, HEADS, WIDTH // HEADS, qk_norm="rms_norm" if qk_norm else None).double()
    for weight in theirs.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    mine = JointBlock(WIDTH, HEADS, qk_norm=qk_norm).double()
    given(mine.patches, theirs, more=False)
    given(mine.tokens, theirs, more=True)
    h, words, time = torch.randn(2, 5, WIDTH), torch.randn(2, 4, WIDTH), torch.randn(2, WIDTH)
    h, words, time = h.double(), words.double(), time.double()
    expected_words, expected = theirs(h, words, time)
    there = torch.ones(2, 4, dtype=torch.bool)
    made, tokens = mine(h, F.silu(time), Tokens(words, there))
    tolerance = 1e-7 if qk_norm else 1e-10  # diffusers takes the root mean square in float32
    same(made, expected, tolerance)
    same(tokens.values, expected_words, tolerance)
    mine.tokens.queries_keys_values.weight.mul_(1.01)
    with pytest.raises(Mismatch):
        same(mine(h, F.silu(time), Tokens(words, there))[0], expected, tolerance)
