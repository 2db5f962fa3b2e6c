"""A window that shows frames, for `render_mode="human"` and for play."""

from __future__ import annotations

import pygame

from data_gen.policy import Frames


class Window:
    """One pygame window. Only the display is started, so that no sound card is needed."""

    def __init__(self, title: str, fps: float) -> None:
        pygame.display.init()
        pygame.display.set_caption(title)
        self.fps = fps  # may change from picture to picture
        self._clock = pygame.time.Clock()
        self._surface: pygame.Surface | None = None

    def show(self, picture: Frames) -> None:
        """Draw `picture` [H, W, 3] and wait until its time is over; the window takes the picture's size."""
        height, width = picture.shape[:2]
        if self._surface is None or self._surface.get_size() != (width, height):
            self._surface = pygame.display.set_mode((width, height))
        pygame.event.pump()
        self._surface.blit(pygame.image.frombuffer(picture.tobytes(), (width, height), "RGB"), (0, 0))
        pygame.display.flip()
        self._clock.tick(self.fps)

    def close(self) -> None:
        """Close the window."""
        self._surface = None
        pygame.display.quit()
