"""Training an autoencoder from scratch, by fm.training.

autoencoding = Autoencoding.untrained(AutoencoderKL(in_channels=1, block_out_channels=(32, 64, 64)))
fm.fit(autoencoding, Reconstruction(kl=1e-5), examples_of_pixels, budget)      # or fm.training.trainer.train
codec = autoencoding.codec(stored=(32, 32, 1)).fitted(examples_of_pixels.rows)
"""

from fm.autoencoding.autoencoding import Autoencoding
from fm.autoencoding.perceptual import Perceptual
from fm.autoencoding.reconstruction import Reconstruction

__all__ = ["Autoencoding", "Perceptual", "Reconstruction"]
