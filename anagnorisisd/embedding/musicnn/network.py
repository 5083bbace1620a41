"""MusiCNN (Pons and Serra, 2019) in numpy, evaluation mode.

A patch of 187 frames x 96 mel bands goes through

| part     | layers                                                             | channels |
|----------|--------------------------------------------------------------------|----------|
| timbral  | two convolutions, 7 x 38 and 7 x 67 (time x bands), maximum over bands | 2 x 204 |
| temporal | three convolutions, 128, 64 and 32 x 1, maximum over bands         | 3 x 51   |
| middle   | three convolutions over time, 7; the last two are added to their input | 3 x 64 |
| pooling  | maximum and mean over time of all of them, interleaved             | 1506     |
| dense    | 200, then 50 tags                                                  | 50       |

Every convolution is followed by ReLU and batch normalisation. The timbral convolutions are four
fifths of the work; Winograd's minimal filtering along time (Lavin and Gray, 2015) needs 0.36 of
their multiplications. Plain numpy is as fast here as an inference engine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anagnorisisd.embedding.musicnn.weights import Arrays

Floats = NDArray[np.float32]

EPSILON = 1e-3
TILE = 4
TAPS = 7
POINTS = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 0.75, -0.75)
"""Interpolation points of F(4, 7) besides infinity; these lose the least precision in float32."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution, ReLU and batch normalisation: `relu(x * kernel + bias) * scale + shift`.

    `kernel` is `[time, bands or channels, output channels]`.
    """

    kernel: Floats
    bias: Floats
    scale: Floats
    shift: Floats

    @property
    def sign(self) -> Floats:
        """Return the sign of `scale`, `[output channels]`.

        Batch normalisation with a negative scale turns a maximum into a minimum. With the sign
        folded into kernel and bias, the maximum can be taken before either.
        """
        return np.where(self.scale < 0, -1, 1).astype(np.float32)

    def activate(self, signed_maximum: Floats) -> Floats:
        """Return the layer's output for the maximum of `sign * (x * kernel)`."""
        linear = signed_maximum * self.sign + self.bias
        return np.asarray(np.maximum(linear, 0) * self.scale + self.shift)


class Network:
    """The network with its weights. Arrays are float32."""

    def __init__(self, arrays: Arrays) -> None:
        self._input_scale, self._input_shift = _batch_norm(arrays, 0)
        self._timbral = [Timbral(_convolution(arrays, number, number + 1)) for number in (0, 1)]
        self._temporal = [_convolution(arrays, number, number + 1) for number in (2, 3, 4)]
        self._middle = [_convolution(arrays, number, number + 1) for number in (5, 6, 7)]
        self._pooled = _batch_norm(arrays, 9)
        self._dense = arrays["dense/kernel"], arrays["dense/bias"], *_batch_norm(arrays, 10)
        self._tags = arrays["dense_1/kernel"], arrays["dense_1/bias"]

    def __call__(self, patches: Floats) -> tuple[Floats, Floats]:
        """Return pooled values, `[patches, 1506]`, and tag logits, `[patches, 50]`.

        `patches` are log-mel spectrograms, `[patches, 187, 96]`.
        """
        x = patches * self._input_scale + self._input_shift
        front = np.concatenate(
            [layer(x) for layer in self._timbral]
            + [temporal(x, layer) for layer in self._temporal],
            axis=2,
        )
        first, second, third = self._middle
        one = over_time(front, first)
        two = over_time(one, second) + one
        three = over_time(two, third) + two
        maps = np.concatenate([front, one, two, three], axis=2)
        pooled = np.stack([maps.max(axis=1), maps.mean(axis=1)], axis=2).reshape(len(maps), -1)
        scale, shift = self._pooled
        pooled = np.asarray(pooled * scale + shift, np.float32)
        kernel, bias, scale, shift = self._dense
        hidden = np.maximum(pooled @ kernel + bias, 0) * scale + shift
        kernel, bias = self._tags
        return pooled, np.asarray(hidden @ kernel + bias, np.float32)


class Timbral:
    """A convolution over time and bands with the maximum over bands, by Winograd along time.

    A tile of `TILE` output frames needs `TILE + TAPS - 1` input frames. Both input and kernel are
    transformed along time once; then each tap of the transform is one matrix product per position
    of the kernel on the bands.
    """

    def __init__(self, layer: Convolution) -> None:
        self._layer = layer
        self._output, kernel_transform, self._input = winograd_transforms(POINTS, TILE, TAPS)
        signed = (layer.kernel * layer.sign).astype(np.float64)
        self._kernel = np.einsum("ik,kfc->ifc", kernel_transform, signed).astype(np.float32)

    def __call__(self, x: Floats) -> Floats:
        """Return `[patches, frames, channels]` of `[patches, frames, bands]`."""
        return self._layer.activate(self.signed_maximum(x))

    def signed_maximum(self, x: Floats) -> Floats:
        """Return the maximum over bands of `sign * (x * kernel)`."""
        patches, frames, bands = x.shape
        tiles, taps = -(-frames // TILE), TILE + TAPS - 1
        width, channels = self._kernel.shape[1:]
        padded = np.zeros((patches, tiles * TILE + TAPS - 1, bands), np.float32)
        padded[:, TAPS // 2 : TAPS // 2 + frames] = x
        tiled = sliding_window_view(padded, taps, axis=1)[
            :, ::TILE
        ]  # [patches, tiles, bands, taps]
        transformed = np.ascontiguousarray((tiled @ self._input.T).transpose(3, 0, 1, 2)).reshape(
            taps, patches * tiles, bands
        )
        product = np.empty((taps, patches * tiles, channels), np.float32)
        maximum = np.full((TILE, patches * tiles * channels), -np.inf, np.float32)
        for band in range(bands - width + 1):
            np.matmul(transformed[:, :, band : band + width], self._kernel, out=product)
            np.maximum(maximum, self._output @ product.reshape(taps, -1), out=maximum)
        in_time = maximum.reshape(TILE, patches, tiles, channels).transpose(1, 2, 0, 3)
        return in_time.reshape(patches, tiles * TILE, channels)[:, :frames]


def winograd_transforms(
    points: tuple[float, ...], outputs: int, taps: int
) -> tuple[Floats, NDArray[np.float64], Floats]:
    """Return the matrices of Winograd's F(outputs, taps): for output, kernel and input.

    `output @ ((kernel @ g) * (input @ d))` is the correlation of `d`, `[outputs + taps - 1]`, with
    `g`, `[taps]`. `points` are one fewer than the input's length; infinity is the last.
    """
    size = outputs + taps - 1

    def evaluation(columns: int) -> NDArray[np.float64]:
        finite = np.vander(np.array(points), columns, increasing=True)
        return np.vstack([finite, np.eye(1, columns, columns - 1)])

    interpolation = np.linalg.inv(evaluation(size)).T
    # Rows scaled to one keep both factors of the product near one, where float32 is precise.
    scale = np.abs(interpolation).max(axis=1, keepdims=True)
    return (
        evaluation(outputs).T.astype(np.float32),
        evaluation(taps) * scale,
        (interpolation / scale).astype(np.float32),
    )


def temporal(x: Floats, layer: Convolution) -> Floats:
    """Return a convolution over time in each band with the maximum over bands.

    `[patches, frames, bands]` becomes `[patches, frames, channels]`.
    """
    patches, frames, bands = x.shape
    taps = layer.kernel.shape[0]
    kernel = layer.kernel[:, 0] * layer.sign
    windows = _windows(x, taps)
    maximum = np.full((patches * frames, kernel.shape[1]), -np.inf, np.float32)
    for band in range(bands):
        one = np.ascontiguousarray(windows[:, :, band]).reshape(patches * frames, taps)
        np.maximum(maximum, one @ kernel, out=maximum)
    return layer.activate(maximum).reshape(patches, frames, -1)


def over_time(x: Floats, layer: Convolution) -> Floats:
    """Return a convolution over time of all channels, `[patches, frames, output channels]`."""
    patches, frames, channels = x.shape
    taps = layer.kernel.shape[0]
    windows = _windows(x, taps).transpose(0, 1, 3, 2).reshape(patches * frames, taps * channels)
    linear = windows @ layer.kernel.reshape(taps * channels, -1) + layer.bias
    active: Floats = np.maximum(linear, 0) * layer.scale + layer.shift
    return active.reshape(patches, frames, -1)


def _windows(x: Floats, taps: int) -> Floats:
    """Return the frames around each frame, `[patches, frames, bands, taps]`.

    TensorFlow pads an even kernel by one frame more behind than before.
    """
    padded = np.pad(x, ((0, 0), ((taps - 1) // 2, taps // 2), (0, 0)))
    return sliding_window_view(padded, taps, axis=1)


def _convolution(arrays: Arrays, number: int, batch_norm: int) -> Convolution:
    name = f"conv2d_{number}" if number else "conv2d"
    scale, shift = _batch_norm(arrays, batch_norm)
    kernel = arrays[f"{name}/kernel"][:, :, 0]
    return Convolution(kernel, arrays[f"{name}/bias"], scale, shift)


def _batch_norm(arrays: Arrays, number: int) -> tuple[Floats, Floats]:
    """Return scale and shift of a batch normalisation."""
    beta, gamma, mean, variance = (
        arrays[f"batch_normalization_{number}/{moment}"].astype(np.float64)
        for moment in ("beta", "gamma", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + EPSILON)
    return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)
