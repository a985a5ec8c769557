"""Networks by name, all with one call: network(x, t, condition, until=None) -> tensor like x; and autoencoders, which
encode and decode.
"""

from fm.networks.autoencoder import Autoencoder
from fm.networks.autoencoder_dc import AutoencoderDC
from fm.networks.autoencoder_kl import AutoencoderKL
from fm.networks.autoencoder_pca import AutoencoderPCA
from fm.networks.autoencoder_tiny import AutoencoderTiny
from fm.networks.diffusers_transformer import DiffusersTransformerOptions
from fm.networks.diffusers_unet import DiffusersUNetOptions
from fm.networks.network import Network
from fm.networks.transformer import TransformerOptions
from fm.networks.unet import UNetOptions

__all__ = [
    "Autoencoder",
    "AutoencoderDC",
    "AutoencoderKL",
    "AutoencoderPCA",
    "AutoencoderTiny",
    "DiffusersTransformerOptions",
    "DiffusersUNetOptions",
    "Network",
    "TransformerOptions",
    "UNetOptions",
]
