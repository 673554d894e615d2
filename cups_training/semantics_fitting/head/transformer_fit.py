"""Fits pseudo-classes to a self-supervised transformer: crops, tokens, head, cosine k-means.

`cups fit-semantics --features dino` runs it with the user's weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.network.segmentation_head import SegmentationHead
from cups_core.network.token_features import TokenFeatures
from cups_core.semantics.clustering import Clustering, ClusteringSettings, cluster_codes
from cups_core.semantics.scene_view import SceneView
from cups_training.semantics_fitting.head.training import HeadSettings, train_head

CROP_PX = 224
_TOKENS_PER_CROP = 200


@dataclass(frozen=True, eq=False)
class TransformerFit:
    """A head and the clustering of its codes."""

    head: SegmentationHead
    clustering: Clustering


def five_crops(frame: StereoFrame) -> list[SceneView]:
    """Squares of half the image's height amid its quarters and amid the image, at training size."""
    height, width = frame.rig.shape
    side = min(height, width) // 2
    views = []
    for x, y in ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75), (0.5, 0.5)):
        left, top = round(x * width - side / 2), round(y * height - side / 2)
        image = cv2.resize(
            frame.left[top : top + side, left : left + side].astype(np.float32),
            (CROP_PX, CROP_PX),
            interpolation=cv2.INTER_LINEAR,
        )
        views.append(SceneView(image, np.full((CROP_PX, CROP_PX), np.nan, np.float32)))
    return views


def fit_transformer(
    frames: Iterable[StereoFrame],
    features: TokenFeatures,
    training: HeadSettings,
    clustering: ClusteringSettings,
    on_step: Callable[[int, float], None],
) -> TransformerFit:
    """Trains a head on the tokens of five crops of each frame and clusters its codes.

    Args:
        frames: of any drives and sizes.
        features: the transformer; its cell divides `CROP_PX`.
        training: the recipe of the head.
        clustering: number of pseudo-classes.
        on_step: told each update's number, from 1, and its loss.

    Raises:
        InputError: there are too few frames, or crops do not divide into cells.
    """
    # Half precision halves what is kept: 1.2 MB for a crop of 28 x 28 tokens of width 768.
    kept = [
        torch.from_numpy(features.features(five_crops(frame)).astype(np.float16))
        for frame in frames
    ]
    if not kept:
        raise InputError("transformer fit: expected frames, found none")
    tokens = torch.cat(kept).flatten(2).transpose(1, 2)
    head = train_head(tokens, training, features.device, on_step)
    random = torch.Generator().manual_seed(clustering.seed)
    with torch.inference_mode():
        codes = [
            head(some.float().T[None, :, :, None].to(features.device))[0, :, :, 0].T.cpu().numpy()
            for crop in tokens
            for some in [crop[torch.randperm(len(crop), generator=random)[:_TOKENS_PER_CROP]]]
        ]
    return TransformerFit(head, cluster_codes(np.concatenate(codes), clustering))
