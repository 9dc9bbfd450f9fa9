"""Generators of images, each beside its paper's name."""

from .base import GAN

__all__ = ["GAN"]
