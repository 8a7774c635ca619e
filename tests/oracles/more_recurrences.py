"""Recurrences as people write them: solvers with inner steps, complex states, filters."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AdaptiveOscillator(nn.Module):
    """A coRNN whose solver takes as many inner steps as its error asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.pre = nn.Linear(2 + 4 + 4, 4)

    def field(self, u: Tensor, y: Tensor, z: Tensor) -> Tensor:
        drive = torch.tanh(self.pre(torch.cat((u, y, z), 1)))
        return drive - 2.7 * y - 4.7 * z

    def forward(self, x: Tensor) -> Tensor:
        y = x.new_zeros(x.shape[1], 4)
        z = torch.zeros_like(y)
        for u in x:
            left = step = 0.3
            while left > 1e-9:
                step = min(step, left)
                k = self.field(u, y, z)
                z_full = z + step * k
                z_half = z + step / 2 * k
                k_half = self.field(u, y + step / 2 * z_half, z_half)
                z_two = z_half + step / 2 * k_half
                if (z_two - z_full).abs().max().item() > 2e-2:
                    step = step / 2
                    continue
                z = z_two
                y = y + step * z
                left, step = left - step, step * 1.5
        return y


class Unitary(nn.Module):
    """A unitary RNN by its parts, with complex numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.turn, self.other = nn.Parameter(torch.rand(4) * 6 - 3), nn.Parameter(torch.rand(4) * 6 - 3)
        self.mirror = nn.Parameter(torch.randn(4, dtype=torch.complex128))
        self.read = nn.Parameter(torch.randn(3, 4, dtype=torch.complex128))

    def reflect(self, z: Tensor) -> Tensor:
        along = (z @ self.mirror.conj())[:, None] * self.mirror
        return z - 2 * along / (self.mirror.abs() ** 2).sum()

    def forward(self, x: Tensor) -> Tensor:
        h = torch.full((x.size(1), 4), 0.5, dtype=self.read.dtype)
        for v in x:
            z = torch.fft.fft(h * torch.exp(1j * self.turn), norm="ortho")
            z = self.reflect(z)
            z = torch.fft.ifft(z, norm="ortho") * torch.exp(1j * self.other)
            z = z + v.to(z.dtype) @ self.read
            size = z.abs() + 1e-8
            h = z * F.relu(size + 0.1) / size
        return torch.view_as_real(h)


class ParticleFilter(nn.Module):
    """A particle filter with soft resampling: (sequences, particles, units), and random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.move, self.weigh = nn.Linear(3 + 2, 3), nn.Linear(3 + 2, 1)

    def resampled(self, particles: Tensor, log_w: Tensor) -> tuple[Tensor, Tensor]:
        mixed = 0.5 * log_w.exp() + 0.5 / 5
        index = torch.multinomial(mixed, 5, replacement=True)
        particles = torch.gather(particles, 1, index.unsqueeze(-1).expand(-1, -1, 3))
        weights = torch.gather(log_w.exp(), 1, index) / torch.gather(mixed, 1, index)
        return particles, torch.log(weights / weights.sum(1, keepdim=True))

    def forward(self, x: Tensor) -> Tensor:
        particles = x.new_zeros(x.size(1), 5, 3)
        log_w = torch.full((x.size(1), 5), -math.log(5), dtype=x.dtype)
        for seen in x:
            seen = seen.unsqueeze(1).expand(-1, 5, -1)
            noise = torch.randn_like(particles)
            particles = torch.tanh(self.move(torch.cat([particles, seen], -1))) + 0.1 * noise
            likely = self.weigh(torch.cat([particles, seen], -1)).squeeze(-1)
            log_w = F.log_softmax(log_w + likely, dim=1)
            belief = (log_w.exp().unsqueeze(-1) * particles).sum(1)
            particles, log_w = self.resampled(particles, log_w)
        return belief


class Highway(nn.Module):
    """A recurrent highway network: three layers of depth in each timestep, on one state."""

    def __init__(self) -> None:
        super().__init__()
        self.of_x, self.of_s = nn.Linear(3, 8), nn.ModuleList(nn.Linear(4, 8) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        s = x.new_zeros(x.shape[1], 4)
        for t in range(len(x)):
            for depth, linear in enumerate(self.of_s):
                both = linear(s) + (self.of_x(x[t]) if depth == 0 else 0)
                value, gate = both.chunk(2, -1)
                gate = torch.sigmoid(gate)
                s = torch.tanh(value) * gate + s * (1 - gate)
        return s


class Advantages(nn.Module):
    """Generalized advantages, backwards in time: a number for each sequence, of which a layer has as many."""

    def __init__(self) -> None:
        super().__init__()
        self.critic, self.log_decay = nn.Linear(3, 1), nn.Parameter(torch.tensor(-0.1))

    def forward(self, x: Tensor) -> Tensor:
        values = self.critic(x).squeeze(-1)
        decay = self.log_decay.exp()
        advantage = torch.zeros_like(values[0])
        for t in reversed(range(len(x) - 1)):
            delta = x[t, :, 0] + 0.99 * values[t + 1] - values[t]
            advantage = delta + 0.99 * decay * advantage
        return advantage


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "adaptive": (AdaptiveOscillator, (6, 3, 2), 6),
    "unitary": (Unitary, (6, 3, 3), 6),
    "particles": (ParticleFilter, (6, 2, 2), 6),
    "highway": (Highway, (6, 2, 3), 6),
    "advantages": (Advantages, (8, 3, 3), 7),
}
"""What makes it, the shape of its input, and how many timesteps it has."""


class LayerThenLoop(nn.Module):
    """An LSTM, and behind it a recurrence that is recorded by source."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.step = nn.LSTM(3, 4), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        output, (h, _) = self.rnn(x)
        state, states = h[0], []
        for row in output:
            state = torch.tanh(self.step(torch.cat([row, state], 1)))
            states.append(state)
        return torch.stack(states)
