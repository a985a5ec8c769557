"""Between what is stored and what is modelled: numpy arrays (B, *stored) outside, float tensors (B, *shape) inside.

`stored` is the shape of one datum as people and files have it, `shape` is (C, *spatial), what networks see; the two
need not have as many numbers. Images, videos and volumes are Pixels, or Latents of an autoencoder, which may lie
Encoded; measurements are Standardised, or Bounded where they have limits.
"""

from fm.codecs.bounded import Bounded
from fm.codecs.codec import BESIDE, Codec
from fm.codecs.described import Described
from fm.codecs.divergence_free import DivergenceFree
from fm.codecs.encoded import Encoded
from fm.codecs.latents import Latents
from fm.codecs.measuring import Moments, measured, rounded
from fm.codecs.pixels import Pixels
from fm.codecs.standardised import Standardised

__all__ = [
    "BESIDE",
    "Bounded",
    "Codec",
    "Described",
    "DivergenceFree",
    "Encoded",
    "Latents",
    "Moments",
    "Pixels",
    "Standardised",
    "measured",
    "rounded",
]
