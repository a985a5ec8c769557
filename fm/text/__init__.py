"""Frozen text encoders by name: texts become sequences of numbers that networks attend to."""

from fm.text.encoder import Encoded, Encoder, EncoderError
from fm.text.from_transformers import CLIP, T5
from fm.text.minilm import MiniLM

__all__ = ["CLIP", "T5", "Encoded", "Encoder", "EncoderError", "MiniLM"]
