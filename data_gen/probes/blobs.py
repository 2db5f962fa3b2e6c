"""Connected blobs in a batch of strength maps, and the heaviest one of each map."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from data_gen.probes.picture import Floats


@dataclass(frozen=True)
class Blobs:
    """The blobs of a batch, one entry per frame. Positions are NaN where there is none."""

    count: npt.NDArray[np.int64]
    x: npt.NDArray[np.float64]  # of the heaviest: the centre of its mass
    y: npt.NDArray[np.float64]
    label: npt.NDArray[np.int32]  # of the heaviest in `labels`, -1 where there is none
    labels: npt.NDArray[np.int32]  # [B, H, W]

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Whether there is a blob."""
        return self.count > 0

    @property
    def heaviest(self) -> npt.NDArray[np.bool_]:
        """The pixels [B, H, W] of each frame's heaviest blob."""
        return np.asarray(self.labels == self.label[:, None, None])


def find_blobs(strength_BHW: Floats, threshold: float, min_mass: float) -> Blobs:
    """Sets of touching pixels (corners count) of at least `threshold` each and `min_mass` in sum.

    Example:
        >>> strength = np.zeros((2, 5, 5), np.float32)
        >>> strength[0, 1, 1:3] = 1.0
        >>> found = find_blobs(strength, threshold=0.5, min_mass=1.0)
        >>> found.count.tolist(), found.x.tolist()
        ([1, 0], [1.5, nan])
    """
    labels_BHW = _labelled(strength_BHW >= threshold)
    inside = np.nonzero(labels_BHW)
    frame_N, row_N, column_N = inside
    label_N, weight_N = labels_BHW[inside], strength_BHW[inside]
    num_frames, num_labels = len(strength_BHW), int(label_N.max(initial=0)) + 1
    mass = np.bincount(label_N, weight_N, num_labels)
    frame_of = np.zeros(num_labels, np.int64)
    frame_of[label_N] = frame_N

    big = np.flatnonzero(mass >= min_mass)
    order = big[np.argsort(mass[big], kind="stable")]
    label_B = np.full(num_frames, -1, np.int32)
    label_B[frame_of[order]] = order  # of several in a frame the last one stays, the heaviest
    found = label_B >= 0

    def centre(coordinate_N: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        moment = np.bincount(label_N, weight_N * coordinate_N, num_labels)
        return np.where(found, moment[label_B] / np.where(found, mass[label_B], 1.0), np.nan)

    count_B = np.bincount(frame_of[big], minlength=num_frames).astype(np.int64)
    return Blobs(count_B, centre(column_N), centre(row_N), label_B, labels_BHW)


def _labelled(mask_BHW: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Labels that are unique over the batch: all frames in one tall picture, a blank row between them."""
    num_frames, height, width = mask_BHW.shape
    # One frame more than there are: on an empty picture OpenCV takes the whole process down.
    tall = np.zeros((num_frames + 1, height + 1, width), np.uint8)
    tall[:num_frames, :height] = mask_BHW
    _, labels = cv2.connectedComponents(tall.reshape(-1, width), connectivity=8, ltype=cv2.CV_32S)
    return np.asarray(labels, np.int32).reshape(tall.shape)[:num_frames, :height]
