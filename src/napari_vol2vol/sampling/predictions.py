"""What a network predicts, and the way from each to x̂0."""

from __future__ import annotations

from torch import Tensor

from napari_vol2vol.errors import SettingsError

PREDICTIONS = ("epsilon", "x0", "v")


def target(prediction: str, x0: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """Return what a network of this kind is trained to output: eps, x_0 or ``v = alpha eps - sigma x_0``."""
    if prediction == "epsilon":
        return noise
    if prediction == "x0":
        return x0
    if prediction == "v":
        return alpha * noise - sigma * x0
    raise SettingsError(f"prediction: found {prediction!r}, accepted are {', '.join(PREDICTIONS)}")


def to_x0(prediction: str, output: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """Return x̂0 from the network output for ``x_t = alpha x_0 + sigma eps`` (variance preserving)."""
    if prediction == "epsilon":
        return (x_t - sigma * output) / alpha.clamp(min=1e-4)
    if prediction == "x0":
        return output
    if prediction == "v":
        return alpha * x_t - sigma * output
    raise SettingsError(f"prediction: found {prediction!r}, accepted are {', '.join(PREDICTIONS)}")


def from_x0(prediction: str, x0_hat: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """Invert `to_x0`: return what a network of this kind would have put out."""
    if prediction == "epsilon":
        return to_epsilon(x0_hat, x_t, alpha, sigma)
    if prediction == "x0":
        return x0_hat
    if prediction == "v":
        return (alpha * x_t - x0_hat) / sigma.clamp(min=1e-6)
    raise SettingsError(f"prediction: found {prediction!r}, accepted are {', '.join(PREDICTIONS)}")


def to_epsilon(x0_hat: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """Return the noise that belongs to x̂0: ``(x_t - alpha x0_hat) / sigma``."""
    return (x_t - alpha * x0_hat) / sigma.clamp(min=1e-6)
