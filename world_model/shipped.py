"""The worlds that come with the package, one folder a game, in lower case. Imports no torch."""

from __future__ import annotations

from pathlib import Path

SHIPPED = Path(__file__).parent / "worlds"


def shipped_world(game: str) -> Path | None:
    """The folder of the world that comes with the package for a game, if there is one.

    Example:
        >>> shipped_world("Chess") is None
        True
    """
    folder = SHIPPED / game.lower()
    return folder if game.isidentifier() and folder.is_dir() else None
