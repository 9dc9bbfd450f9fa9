"""Models with scikit-learn's methods."""

from .classifier import CTRClassifier
from .image_classifier import AdImageClassifier
from .image_gan import AdImageGAN
from .series_forecaster import AdSeriesForecaster

__all__ = ["AdImageClassifier", "AdImageGAN", "AdSeriesForecaster", "CTRClassifier"]
