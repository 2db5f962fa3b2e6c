"""The dynamics: latents and executed ticks in, the next latents out.

Shifted: one pass of the trunk takes in the current latents with the ticks that are executed on them, writes them into
memory and yields the features of the next frame. A small head then says what comes: which tokens stay as they are, to
the last bit, so that a still background costs nothing, to which glyphs the others change, and, once that is drawn, what
the glyphs leave out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from world_model.attention import EVERY, TimeAttention
from world_model.blocks import Block, LevelEmbedding, normalised, zeroed
from world_model.draft import Draft
from world_model.few_rows import RowLinear, require_whole
from world_model.glyphs import Glyphs, phases
from world_model.memory import Memory
from world_model.nearby import Nearby


@dataclass(frozen=True)
class DynamicsConfig:
    """Sizes."""

    width: int = 96
    stack: int = 3  # frames of which a token sees its own place and the eight around it at once: speeds, in sight
    local: int = 192  # hidden units of the perceptron by which it takes them in, with the ticks executed on them
    layers: int = 3  # of the trunk
    time_layers: tuple[int, ...] = (0, 2)  # which of them look back
    head_layers: int = 1  # of the head; each costs as much as a trunk layer, once per evaluation
    heads: int = 4
    mlp: int = 2  # hidden units of a block's perceptron, in widths
    reach: int = 24  # frames of memory, the current one among them
    memory_width: int = 48  # numbers a token's key or value has in memory
    glyphs: int = 8192  # contents of tokens, told apart
    least_change: float = 0.1  # of a token's latents, root mean square; below it, nothing that shows has moved

    def __post_init__(self) -> None:
        require_whole("width", self.width)
        require_whole("local", self.local)
        for name in ("stack", "glyphs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 1 or more")
        if not 0 <= self.least_change < 2:
            raise ValueError(f"least_change is {self.least_change}; expected 0 to below 2, as latents are -1 to 1")


class Dynamics(nn.Module):
    """Trunk and head over tokens [N, D] of frames."""

    def __init__(
        self, config: DynamicsConfig, grid: tuple[int, int], latent_width: int, num_actions: int, ticks: int
    ) -> None:
        super().__init__()
        self.config = config
        self.nobody = num_actions  # stands in for an action that is unknown or dropped
        self.ticks = ticks
        tokens, width = grid[0] * grid[1], config.width
        self.tokens = tokens
        self.tick_embedding = nn.Embedding(ticks * (num_actions + 1), width)
        first_of_tick = torch.arange(config.stack * ticks) * (num_actions + 1)
        self.register_buffer("first_of_tick", first_of_tick, persistent=False)
        self.first_of_tick: Tensor
        self.level_embedding = LevelEmbedding(width)
        self.place = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.nearby = Nearby(grid, latent_width, config.stack)
        self.take = RowLinear(self.nearby.width, width)
        # How a ball leaves a paddle follows from where both are and from what was pressed: these need to meet early.
        self.local = RowLinear(self.nearby.width, config.local)
        self.local_ticks = nn.Embedding(config.stack * ticks * (num_actions + 1), config.local)
        nn.init.zeros_(self.local_ticks.weight)
        self.take_local = zeroed(RowLinear(config.local, width))
        self.condition = nn.Sequential(nn.SiLU(), RowLinear(width, width))
        self.trunk_blocks = nn.ModuleList(
            Block(width, config.heads, grid, config.mlp, self._time(layer)) for layer in range(config.layers)
        )
        self.glyphs = Glyphs(config.glyphs, tokens, width, latent_width, config.least_change)
        self.register_buffer("phase_N", phases(grid), persistent=False)
        self.phase_N: Tensor
        self.known_embedding = LevelEmbedding(width)
        self.head_blocks = nn.ModuleList(
            Block(width, config.heads, grid, config.mlp, None) for _ in range(config.head_layers)
        )
        self.correction = zeroed(RowLinear(width, latent_width))

    def trunk(
        self, latents_BTND: Tensor, level_BT: Tensor, executed_BTK: Tensor, memory: Memory | None = None
    ) -> Tensor:
        """A run of frames, each seeing those before it -> features [B, T, N, E] of each one's next frame.

        A memory that holds nothing yet then holds the run, which must not be longer than its reach.
        """
        run = latents_BTND.shape[:2]
        condition_XE = self._condition(level_BT.flatten(), executed_BTK.flatten(0, 1))
        nearby_XNF = self.nearby.of_run(latents_BTND).flatten(0, 1)
        x_XNE = self._taken(nearby_XNF, self._ticks_of_run(executed_BTK)) + condition_XE[:, None]

        layers = iter(range(len(self.config.time_layers)))

        def look_back(time: TimeAttention, x_XNE: Tensor) -> Tensor:
            x_BTNE = x_XNE.reshape(*run, *x_XNE.shape[1:])
            if memory is not None:
                memory.write_run(next(layers), *time.remembered(x_BTNE))
            seen: Tensor = time(x_BTNE)
            return seen.flatten(0, 1)

        for block in self.trunk_blocks:
            x_XNE = block(x_XNE, condition_XE, look_back)
        if memory is not None:
            memory.finish_run(latents_BTND, executed_BTK)
        return normalised(x_XNE).reshape(*run, *x_XNE.shape[1:])

    def take_in(self, memory: Memory, latents_BND: Tensor, level_B: Tensor, executed_BK: Tensor) -> Tensor:
        """One frame a lane, seeing what the memory holds -> features [B, N, E]; the frame is written, not yet counted.

        Equals `trunk` over the whole run. Calling it again before `memory.taken_B` is raised takes the frame in anew.
        """
        condition_BE = self._condition(level_B, executed_BK)
        stacked_BSND, ticks_BSK = memory.stacked(latents_BND, executed_BK)
        x_BNE = self._taken(self.nearby(stacked_BSND), ticks_BSK) + condition_BE[:, None]
        slot_B, age_BR, layer = memory.slot_B, memory.age_BR, 0
        for block in self.trunk_blocks:
            look_back = None
            if block.time is not None:
                keys, values = memory.keys_LBNHRM[layer], memory.values_LBNHRM[layer]
                look_back = partial(_look_back, keys, values, slot_B, age_BR)
                layer += 1
            x_BNE = block(x_BNE, condition_BE, look_back)
        return normalised(x_BNE)

    def look(self, features_XNE: Tensor, base_XND: Tensor, draft: Draft, wanted: Tensor | slice = EVERY) -> Tensor:
        """What the head makes of the features of the tokens that are wanted, seeing what is decided [X, M, E]."""
        x_XNE = features_XNE + self.glyphs.shown(draft, base_XND)
        condition_XE = self.known_embedding(draft.known_XN.float().mean(-1))
        if not self.head_blocks:
            return normalised(x_XNE[:, wanted])
        *before, last = self.head_blocks
        for block in before:
            x_XNE = block(x_XNE, condition_XE)
        return normalised(last(x_XNE, condition_XE, wanted=wanted))

    def land(self, x_XNE: Tensor, base_XND: Tensor, draft: Draft) -> Tensor:
        """The next latents [X, N, D] after such a look: the mean of all that it leaves open."""
        stays_XN = draft.known_XN & ~draft.changes_XN
        begun_XND = draft.contents(base_XND, self.glyphs.contents_VD)
        return torch.where(stays_XN[..., None], base_XND, begun_XND + self.correction(x_XNE))

    def memory(self, lanes: int) -> Memory:
        """A memory that holds nothing yet."""
        config = self.config
        head_width = config.memory_width // config.heads
        shape = (len(config.time_layers), self.tokens, config.heads, config.reach, head_width)
        recent = (config.stack, self.tokens, self.nearby.latent_width)
        return Memory.empty(lanes, shape, recent, self.ticks, self.place)

    def _time(self, layer: int) -> TimeAttention | None:
        config = self.config
        if layer not in config.time_layers:
            return None
        return TimeAttention(config.width, config.memory_width, config.heads, config.reach)

    def _taken(self, nearby_XNF: Tensor, ticks_XSK: Tensor) -> Tensor:
        ticks_X1L = self.local_ticks(self._numbered(ticks_XSK.flatten(1))).sum(-2, keepdim=True)
        local_XNL = nn.functional.silu(self.local(nearby_XNF) + ticks_X1L)
        taken: Tensor = self.take(nearby_XNF) + self.take_local(local_XNL) + self.place
        return taken

    def _ticks_of_run(self, executed_BTK: Tensor) -> Tensor:
        """The ticks of each frame of a run and of those before it [B * T, S, K], the newest first."""
        steps, stack = executed_BTK.shape[1], self.config.stack
        padded = nn.functional.pad(executed_BTK, (0, 0, stack - 1, 0), value=-1)
        ages = [padded[:, stack - 1 - age :][:, :steps] for age in range(stack)]
        return torch.stack(ages, dim=2).flatten(0, 1)

    def _numbered(self, ticks_XT: Tensor) -> Tensor:
        """Each tick's action as the number that it has at that tick."""
        return torch.where(ticks_XT < 0, self.nobody, ticks_XT) + self.first_of_tick[: ticks_XT.shape[1]]

    def _condition(self, level_X: Tensor, executed_XK: Tensor) -> Tensor:
        """[X], [X, K] -> [X, E]."""
        ticks_XE = self.tick_embedding(self._numbered(executed_XK)).sum(-2)
        condition: Tensor = self.condition(ticks_XE + self.level_embedding(level_X))
        return condition


def _look_back(
    keys: Tensor, values: Tensor, slot_B: Tensor, age_BR: Tensor, time: TimeAttention, x_BNE: Tensor
) -> Tensor:
    return time.look_back(x_BNE, keys, values, slot_B, age_BR)
