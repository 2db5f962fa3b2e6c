"""What the page is sent: one greeting as JSON, then for every turn one binary message.

4 bytes, little endian: length of the JSON | JSON: everything but the picture | PNG: the sides, left to right
"""

from __future__ import annotations

import dataclasses
import json
import struct
from typing import Any

import cv2
import numpy as np

from data_gen.policy import Frames
from neural_env.play.inbox import Inbox
from neural_env.play.messages import SPEED
from neural_env.play.pace import Pace
from neural_env.play.playground import Playground
from neural_env.play.scene import Panel
from neural_env.play.session import HUMAN, RANGES, Session

THUMBNAILS, COLUMNS = 64, 8  # how many starts are shown, and side by side in one picture

_FAST_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1)


def greeting(session: Session) -> dict[str, Any]:
    """What does not change while the page is open."""
    ground = session.playground
    game, starts = ground.game, ground.starts
    shown = [] if starts is None else list(starts[:THUMBNAILS])
    return {
        "name": "greeting",
        "game": game.name,
        "size": game.frame_size,
        "fps": game.render_fps,
        "actions": game.action_meanings,
        "keys": [[list(keys), action] for keys, action in game.keys_to_action.items()],
        "views": ground.views,
        "why_not_real": ground.why_not_real,
        "players": [HUMAN, *session.policies],
        "starts": [start.kind for start in shown],
        "columns": COLUMNS,
        "ranges": {name: dataclasses.asdict(each) for name, each in {**RANGES, "speed": SPEED}.items()},
    }


def packed(session: Session, inbox: Inbox, pace: Pace) -> bytes:
    """What there is to see now."""
    scene = session.scene
    about = {
        "view": scene.view,
        "player": scene.player,
        "episode": scene.episode,
        "start": scene.start,
        "step": scene.step,
        "action": scene.action,
        "executed": scene.executed,
        "panels": [_about(panel) for panel in scene.panels],
        "filming": scene.filming,
        "milliseconds": round(1000 * scene.seconds, 1),
        "fps": round(pace.measured, 1),
        "paused": inbox.paused,
        "speed": inbox.speed,
        "sampling": None if session.sampling is None else {name: getattr(session.sampling, name) for name in RANGES},
    }
    text = json.dumps(about).encode()
    frames = [panel.frame for panel in scene.panels] or [np.zeros((1, 1, 3), np.uint8)]
    return struct.pack("<I", len(text)) + text + _png(np.concatenate(frames, axis=1))


def _about(panel: Panel) -> dict[str, Any]:
    """All of a side but its picture."""
    return {
        "side": panel.side,
        "score": panel.score,
        "reward": panel.reward,
        "over": panel.over,
        "surprise": None if panel.surprise is None else round(panel.surprise, 3),
    }


def thumbnails(playground: Playground) -> bytes:
    """The moments of the first starts, row after row in one PNG."""
    starts = playground.starts
    frames = [] if starts is None else [start.frames[-1] for start in starts[:THUMBNAILS]]
    blank = np.zeros((*playground.game.frame_size, 3), np.uint8)
    frames += [blank] * (-len(frames) % COLUMNS if frames else COLUMNS)
    rows = [np.concatenate(frames[first : first + COLUMNS], axis=1) for first in range(0, len(frames), COLUMNS)]
    return _png(np.concatenate(rows))


def _png(picture: Frames) -> bytes:
    return bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _FAST_PNG)[1])
