"""Our GANs as PyTorch modules with the same weights, and their step, for tests and benchmarks."""

from __future__ import annotations

from typing import Any

import torch
import torch_images
from torch_images import tensor

import fastdl

functional = torch.nn.functional
BETAS = (0.5, 0.999)


class ClassNorm(torch.nn.Module):
    """Batch normalization with gamma and beta by class."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(layer.num_features, layer.epsilon, affine=False)
        self.gamma = torch.nn.Parameter(tensor(layer.gamma))
        self.beta = torch.nn.Parameter(tensor(layer.beta))
        self.norm = self.norm.to(self.gamma.dtype)

    def forward(self, x: Any, classes: Any) -> Any:
        gamma, beta = (a[classes][:, :, None, None] for a in (self.gamma, self.beta))
        return self.norm(x) * gamma + beta


class Projection(torch.nn.Module):
    """A logit and its class's share."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.W, self.b, self.V = (
            torch.nn.Parameter(tensor(a)) for a in (layer.W, layer.b, layer.V)
        )

    def forward(self, x: Any, classes: Any) -> Any:
        return x @ self.W + self.b + (self.V[classes] * x).sum(1, keepdim=True)


def module(layer: Any) -> Any:
    """A layer's counterpart with its weights."""
    if isinstance(layer, fastdl.ConditionalBatchNormalization):
        return ClassNorm(layer)
    if isinstance(layer, fastdl.ClassProjection):
        return Projection(layer)
    if isinstance(layer, fastdl.ConvTranspose2D):
        found = torch.nn.ConvTranspose2d(
            layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
            bias=layer.bias,
        )  # fmt: skip
        found.weight.data = tensor(layer.W)
        if layer.bias:
            found.bias.data = tensor(layer.b)
        return found
    if isinstance(layer, fastdl.Conv2D | fastdl.BatchNormalization | fastdl.Dense):
        return torch_images.module(layer)
    return torch.nn.Identity()


class Row(torch.nn.Module):
    """A network of layers in a row, with the activations that are part of them."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.ours = network.layers
        self.theirs = torch.nn.ModuleList(module(layer) for layer in network.layers)

    def forward(self, x: Any, classes: Any = None) -> Any:
        for layer, own in zip(self.ours, self.theirs, strict=True):
            if isinstance(layer, fastdl.Unflatten):
                x = x.view(len(x), layer.height, layer.width, layer.channels).permute(0, 3, 1, 2)
            elif isinstance(layer, fastdl.Flatten):
                x = x.permute(0, 2, 3, 1).reshape(len(x), -1)
            elif isinstance(layer, fastdl.LeakyReLU):
                x = functional.leaky_relu(x, layer.slope)
            elif isinstance(layer, fastdl.Tanh):
                x = torch.tanh(x)
            elif layer.takes_classes:
                x = own(x, classes)
            else:
                x = own(x)
            activation = getattr(layer, "activation", None)
            if activation == "relu":
                x = functional.relu(x)
            elif activation == "leaky_relu":
                x = functional.leaky_relu(x, layer.negative_slope)
        return x


class Step:
    """One step of a DCGAN with the non-saturating loss; ``how``: eager, fused or compile."""

    def __init__(self, gan: Any, how: str = "eager", lr: float = 2e-4) -> None:
        self.G, self.D = (
            Row(network).to(memory_format=torch.channels_last)
            for network in (gan.generator, gan.discriminator)
        )
        own = {"fused": True} if how != "eager" else {}
        self.of_g, self.of_d = (
            torch.optim.Adam(network.parameters(), lr, BETAS, **own) for network in (self.G, self.D)
        )
        self.g, self.d = self.G, self.D
        if how == "compile":
            # the discriminator is compiled for each of its three uses, which takes several tries
            torch._dynamo.config.recompile_limit = 64
            self.g, self.d = torch.compile(self.G), torch.compile(self.D)

    def __call__(self, x: Any, z: Any, classes: Any = None) -> tuple[float, float]:
        softplus = functional.softplus
        made = self.g(z, classes)
        self.of_d.zero_grad(set_to_none=True)
        loss_d = (
            softplus(-self.d(x, classes)).mean() + softplus(self.d(made.detach(), classes)).mean()
        )
        loss_d.backward()
        self.of_d.step()
        self.D.requires_grad_(False)  # the generator's step needs none of its gradients
        self.of_g.zero_grad(set_to_none=True)
        loss_g = softplus(-self.d(made, classes)).mean()
        loss_g.backward()
        self.of_g.step()
        self.D.requires_grad_(True)
        return float(loss_d.detach()), float(loss_g.detach())
