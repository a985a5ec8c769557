"""Networks by name, all with one call: network(x, t, condition, until=None) -> tensor like x."""

from fm.networks.diffusers_transformer import DiffusersTransformerOptions
from fm.networks.diffusers_unet import DiffusersUNetOptions
from fm.networks.network import Network
from fm.networks.transformer import TransformerOptions
from fm.networks.unet import UNetOptions

__all__ = ["DiffusersTransformerOptions", "DiffusersUNetOptions", "Network", "TransformerOptions", "UNetOptions"]
