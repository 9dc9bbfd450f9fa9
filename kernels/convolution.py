"""Two-dimensional convolution (placeholder of the branch: the twins)."""

from .reference.convolution import (
    conv2d_backward_data,
    conv2d_backward_weights,
    conv2d_forward,
)

KERNELS = ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weights")
for _function in (conv2d_forward, conv2d_backward_data, conv2d_backward_weights):
    _function.py_func, _function.spreads_work = _function, False
