"""Generators of images, each beside its paper's name."""

from .base import GAN
from .dcgan import DCGAN

__all__ = ["DCGAN", "GAN"]
