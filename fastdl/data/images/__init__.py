"""Image data: labelled sets, splits, augmentation, batches, a generator of ad creatives."""

from .augmentation import Augmentation
from .cifar import load_cifar10
from .generate_ads import generate_ads
from .image_set import ImageSet
from .mnist import load_fashion_mnist, load_mnist
from .npz import load_npz
from .read import find_images, read_images
from .split import split_images
from .statistics import channel_statistics, normalized
from .stream import ImageStream
from .weights import class_weights

__all__ = [
    "Augmentation",
    "ImageSet",
    "ImageStream",
    "channel_statistics",
    "class_weights",
    "find_images",
    "generate_ads",
    "load_cifar10",
    "load_fashion_mnist",
    "load_mnist",
    "load_npz",
    "normalized",
    "read_images",
    "split_images",
]
