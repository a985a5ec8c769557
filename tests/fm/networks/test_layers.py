import torch
from torch import Tensor, nn

from fm.networks.layers import Attention, Tokens, in_channels_last


def test_tokens_of_the_condition_are_in_the_same_softmax() -> None:
    attention = Attention(8, heads=1, token_width=3)
    h, values = torch.randn(2, 5, 8), torch.randn(2, 4, 3)
    there = torch.tensor([[True, False, True, True], [False] * 4])
    assert attention.keys_values is not None
    queries, keys, own = attention.queries_keys_values(h).chunk(3, dim=-1)
    more_keys, more = attention.keys_values(values).chunk(2, dim=-1)

    def expected(datum: int) -> Tensor:
        seen = there[datum]
        logits = queries[datum] @ torch.cat([keys[datum], more_keys[datum, seen]]).T / 8**0.5
        return attention.mix(torch.softmax(logits, dim=-1) @ torch.cat([own[datum], more[datum, seen]]))

    found = attention.attend(h, Tokens(values, there))
    torch.testing.assert_close(found, torch.stack([expected(0), expected(1)]), rtol=1e-4, atol=1e-5)


def test_the_memory_format_changes_no_number() -> None:
    network = nn.Sequential(nn.Conv1d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Conv3d(3, 4, 3), nn.Linear(3, 4))
    before = [weight.detach().clone() for weight in network.parameters()]
    after = list(in_channels_last(network).parameters())
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert after[2].is_contiguous(memory_format=torch.channels_last)
    assert after[4].is_contiguous(memory_format=torch.channels_last_3d)
