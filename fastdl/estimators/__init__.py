"""CTR models with scikit-learn's methods."""

from .classifier import CTRClassifier

__all__ = ["CTRClassifier"]
