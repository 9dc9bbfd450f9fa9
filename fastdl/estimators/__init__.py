"""Models with scikit-learn's methods."""

from .classifier import CTRClassifier
from .image_classifier import AdImageClassifier

__all__ = ["AdImageClassifier", "CTRClassifier"]
