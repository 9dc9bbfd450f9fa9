"""Ad logs: generated ones with known click probabilities, readers, and encoders."""

from .encode import LogEncoder
from .encoded_log import EncodedLog
from .feature_encoder import FeatureEncoder
from .generate import generate_ad_log, iter_ad_log, write_ad_log
from .labels import labels, one_hot
from .log import Log
from .read import iter_log, read_log
from .skipped import Skipped

__all__ = [
    "EncodedLog",
    "FeatureEncoder",
    "Log",
    "LogEncoder",
    "Skipped",
    "generate_ad_log",
    "iter_ad_log",
    "iter_log",
    "labels",
    "one_hot",
    "read_log",
    "write_ad_log",
]
