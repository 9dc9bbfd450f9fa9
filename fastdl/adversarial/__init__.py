"""Training of two networks against each other: losses, the trainer, what is judged."""

from .losses import (
    AdversarialLoss,
    HingeLoss,
    LeastSquaresLoss,
    MinimaxLoss,
    NonSaturatingLoss,
    WassersteinLoss,
)
from .trainer import GANTrainer

__all__ = [
    "AdversarialLoss",
    "GANTrainer",
    "HingeLoss",
    "LeastSquaresLoss",
    "MinimaxLoss",
    "NonSaturatingLoss",
    "WassersteinLoss",
]
