"""Image classifiers, each beside its paper's name."""

from .adimagecnn import AdImageCNN
from .base import ImageModel
from .blocks import Blocks
from .fold import fold
from .mobilenet import MobileNet
from .resnet import ResNet

__all__ = ["AdImageCNN", "Blocks", "ImageModel", "MobileNet", "ResNet", "fold"]

# the models by their names in lower case, as commands and files give them
BY_NAME: dict[str, type[ImageModel]] = {
    kind.__name__.lower(): kind for kind in (AdImageCNN, ResNet, MobileNet)
}
