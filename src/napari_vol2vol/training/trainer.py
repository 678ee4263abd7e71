"""One training loop for every stage: EMA, bf16 autocast, checkpoint and resume, loss curves."""

from __future__ import annotations

import copy
import csv
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LoopSettings:
    """Optimiser and bookkeeping of one training phase."""

    steps: int
    lr: float = 4e-4
    warmup: int = 100
    ema: float = 0.999
    weight_decay: float = 0.0
    clip: float = 1.0
    checkpoint_minutes: float = 3.0
    validate_every: int = 500
    final_lr: float = 0.02


class Ema:
    """Exponential moving average of a network's parameters, with the usual warm-up of the decay."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the present parameters."""
        decay = min(self.decay, (1 + step) / (10 + step))
        ours: list[Tensor] = list(self.network.parameters())
        theirs: list[Tensor] = list(network.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - decay)


def learning_rate(settings: LoopSettings, step: int) -> float:
    """Return the learning rate at a step: linear warm-up, then a cosine down to ``final_lr`` of it."""
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    progress = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    low = settings.final_lr
    return settings.lr * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint so that a stop in the middle leaves the previous one whole."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


class Loop:
    """Trains one network; resumes from ``folder/checkpoint.pt`` where it exists.

    Parameters
    ----------
    loss : callable(network, step) -> Tensor
        Draws its own batch (seeded by the step) and returns a scalar.
    validate : callable(network) -> dict of floats, called on the EMA network.
    cancel : threading.Event, optional
        Ends the run after the step under way.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[nn.Module, int], Tensor],
        settings: LoopSettings,
        folder: Path,
        validate: Callable[[nn.Module], dict[str, float]] | None = None,
        say: Callable[[str], None] = lambda text: None,
        extra: dict[str, Any] | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        self.cancel = cancel
        self.network, self.loss, self.settings, self.folder = network, loss, settings, folder
        self.validate, self.say, self.extra = validate, say, extra or {}
        self.ema = Ema(network, settings.ema)
        self.optimiser = torch.optim.AdamW(
            [p for p in network.parameters() if p.requires_grad],
            lr=settings.lr,
            weight_decay=settings.weight_decay,
        )
        self.step = 0
        self.seconds = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    @property
    def checkpoint(self) -> Path:
        """Path of the resumable state."""
        return self.folder / "checkpoint.pt"

    def run(self) -> nn.Module:
        """Train to the last step and return the EMA network.

        Raises
        ------
        KeyboardInterrupt
            When ``cancel`` is set: between two steps, with the checkpoint written.
        """
        last_save, began, running = time.monotonic(), time.monotonic(), 0.0
        before = self.seconds
        self.network.train()
        while self.step < self.settings.steps:
            if self.cancel is not None and self.cancel.is_set():
                self.save()
                raise KeyboardInterrupt
            value = self._one_step()
            running = value if running == 0 else 0.98 * running + 0.02 * value
            self.step += 1
            self.seconds = before + time.monotonic() - began
            if self.step % 50 == 0 or self.step == self.settings.steps:
                self._log(running, {})
            if self.validate and (
                self.step % self.settings.validate_every == 0 or self.step == self.settings.steps
            ):
                self._log(running, self.validate(self.ema.network))
            if time.monotonic() - last_save > 60 * self.settings.checkpoint_minutes:
                self.save()
                last_save = time.monotonic()
        self.save()
        return self.ema.network

    def save(self) -> None:
        """Write the checkpoint and redraw the loss curve."""
        save_atomically(
            {
                "network": self.network.state_dict(),
                "ema": self.ema.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "extra": self.extra,
            },
            self.checkpoint,
        )
        draw_curves(self.folder / "loss.csv", self.folder / "loss.png")

    def _one_step(self) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.settings, self.step)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss(self.network, self.step)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimiser.step()
        self.ema.update(self.network, self.step)
        return float(loss.detach())

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.ema.network.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.extra.update(state["extra"])
        self.say(f"resumed at step {self.step}")

    def _log(self, loss: float, figures: dict[str, float]) -> None:
        path = self.folder / "loss.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "seconds", "loss", "figure", "value"])
            for name, value in figures.items() or [("", "")]:
                writer.writerow([self.step, f"{self.seconds:.1f}", f"{loss:.6f}", name, value])
        text = " ".join(f"{k} {v:.3f}" for k, v in figures.items())
        self.say(f"step {self.step}/{self.settings.steps} loss {loss:.4f} {self.seconds:.0f} s {text}")


def draw_curves(table: Path, picture: Path) -> None:
    """Draw loss and validation figures of ``loss.csv``; without matplotlib only the table is kept."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return
    if not table.exists():
        return
    with table.open() as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="step", ylabel="loss")
    axes.plot(
        [int(r["step"]) for r in rows], [float(r["loss"]) for r in rows], color="tab:blue", label="loss"
    )
    axes.set_yscale("log")
    right = axes.twinx()
    kinds = {"dice": "validation Dice", "mae": "validation MAE / HU", "source": "validation MAE / HU"}
    named = [kinds.get(r["figure"].split()[0]) for r in rows if r["figure"]]
    right.set_ylabel(next((n for n in named if n), "validation PSNR / dB"))
    for name in sorted({r["figure"] for r in rows} - {""}):
        mine = [r for r in rows if r["figure"] == name]
        right.plot([int(r["step"]) for r in mine], [float(r["value"]) for r in mine], marker=".", label=name)
    if right.lines:
        right.legend(loc="lower right", frameon=False)
    figure.savefig(picture, dpi=110)
