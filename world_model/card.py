"""The card of a world: what it was made from, what it cost and what it can do, in Markdown for people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from world_model.bundle import load_world, save_world
from world_model.size_limits import lane_bytes
from world_model.world import World, WorldConfig

_UNKNOWN = "Not measured yet."


@dataclass(frozen=True)
class DataFacts:
    """What the world has learned from."""

    recording: str  # its name
    steps: int
    episodes: int
    policies: tuple[str, ...]  # who played


@dataclass(frozen=True)
class TrainingFacts:
    """What it cost."""

    recipe: str  # the command that does it again
    settings: str  # and what it is told, in JSON
    steps: int  # of the optimizer, all stages together
    seconds: float
    machine: str  # in words


@dataclass(frozen=True)
class CardFacts:
    """Everything that a card says and the world itself does not know."""

    data: DataFacts
    training: TrainingFacts
    evaluations: int  # of the head for a frame, as the world recommends
    flops_per_frame: int  # with so many


def memory_seconds(config: WorldConfig) -> float:
    """How far back the dynamics see, in seconds of the game.

    What was longer ago is known only as far as the picture shows it.
    """
    return config.dynamics.reach * config.game.ticks_per_step / config.game.tick_rate


def card_markdown(facts: CardFacts, world: World) -> str:
    """The text of card.md."""
    config, game = world.config, world.config.game
    parameters = sum(parameter.numel() for parameter in world.parameters())
    height, width = game.frame_size
    sections = (
        f"# A world of {game.name}",
        f"A learned copy of the game: {height}x{width} pixels, {game.num_actions} actions, {game.ticks_per_step} ticks "
        f"a step at {game.tick_rate} ticks a second. The manifest beside this card vouches for every file.",
        "## Data",
        f"- Recording: {facts.data.recording}, {facts.data.steps:,} steps in {facts.data.episodes:,} episodes\n"
        f"- Played by: {', '.join(facts.data.policies)}",
        "`starts.npz` holds frames that are derived from the game's ROM or data files, and the weights were learned "
        "from such frames: the rights in them are those of the game's owner, whatever the licence of this package.",
        "## Training",
        f"- Recipe: `{facts.training.recipe}`\n"
        f"- {facts.training.steps:,} optimizer steps in {_duration(facts.training.seconds)}, on "
        f"{facts.training.machine}\n\n```json\n{facts.training.settings}\n```",
        "## Quality",
        _UNKNOWN,
        "## Speed",
        _UNKNOWN,
        "## Size",
        f"- {parameters:,} parameters, {2 * parameters / 1e6:.1f} MB in bfloat16\n"
        f"- {facts.flops_per_frame / 1e6:,.1f} MFLOP a frame (`steps`: {facts.evaluations}), however long the episode\n"
        f"- {lane_bytes(config.dynamics, world.dynamics.tokens, world.tokenizer.width) / 1e6:.2f} MB of memory a lane",
        "## Memory",
        f"The world sees {config.dynamics.reach} steps back, which is {memory_seconds(config):.2f} seconds of the "
        "game. Of what was before, it knows what the picture shows.",
    )
    return "\n\n".join(sections) + "\n"


def put_into_card(folder: Path, heading: str, text: str) -> None:
    """Replace what the card of the world in `folder` says under a heading; weights and starts stay as they are."""
    loaded = load_world(folder)
    card = (folder / "card.md").read_text()
    before, found, after = card.partition(f"## {heading}\n")
    if not found:
        raise ValueError(f"the card in {folder} has no heading {heading!r}; its figures belong below one")
    _, following, rest = after.partition("\n## ")
    changed = f"{before}{found}\n{text.strip()}\n" + (f"{following}{rest}" if following else "")
    save_world(folder, loaded.world, loaded.simulator, loaded.starts, changed, overwrite=True)


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
