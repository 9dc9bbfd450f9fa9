"""Models with scikit-learn's methods."""

from .classifier import CTRClassifier
from .image_classifier import AdImageClassifier
from .series_forecaster import AdSeriesForecaster

__all__ = ["AdImageClassifier", "AdSeriesForecaster", "CTRClassifier"]
