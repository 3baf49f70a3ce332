"""What a machine can do, and how a network is therefore fitted on it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

COMPILE_STEPS = 20_000
"""Steps from which torch.compile, which takes a minute or so, can earn its time back on a GPU."""


@dataclass(frozen=True)
class Capabilities:
    """What a machine has.

    Parameters
    ----------
    cuda, bf16
        A GPU that CUDA reaches, and one that computes bfloat16 in hardware.
    compiler
        Triton, which torch.compile needs for a GPU.
    """

    cuda: bool = False
    bf16: bool = False
    compiler: bool = False


@dataclass(frozen=True)
class DeviceSettings:
    """How a network is fitted: Lightning's accelerator and precision, and what is done around it."""

    accelerator: Literal["cpu", "cuda"]
    precision: Literal["32-true", "bf16-mixed"]
    compiled: bool
    pinned: bool


def capabilities() -> Capabilities:
    """Return what this machine has."""
    import torch

    cuda = torch.cuda.is_available()
    return Capabilities(
        cuda=cuda,
        bf16=cuda and torch.cuda.is_bf16_supported(including_emulation=False),
        compiler=cuda and find_spec("triton") is not None,
    )


def device_settings(machine: Capabilities, steps: int) -> DeviceSettings:
    """Return how to fit for ``steps`` steps on a machine: on its GPU where there is one.

    On a CPU nothing is compiled: the LSTMs, which take the time, are library calls either way. One thread fits
    faster than two: a batch is too little work to share, and threads that wait for each other suffer most where
    other processes run.
    """
    return DeviceSettings(
        accelerator="cuda" if machine.cuda else "cpu",
        precision="bf16-mixed" if machine.bf16 else "32-true",
        compiled=machine.cuda and machine.compiler and steps >= COMPILE_STEPS,
        pinned=machine.cuda,
    )
