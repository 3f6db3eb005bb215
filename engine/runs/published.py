"""Figures that papers print, to stand beside ours in a column of their own; never merged with them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One printed figure. method: a method's name here, or the paper's own word; verified: whether a result
    file of the source supports it."""

    method: str
    metric: str
    value: float
    protocol: str
    source: str
    verified: bool = True


_ECLIP = "ImageNet validation, ViT-B/16, true class, top-1, Grad-ECLIP's protocol"
_ECLIP_SOURCE = "Grad-ECLIP, table 1, as quoted in a reproduction report"
_SEGMENTATION = "ImageNet-Segmentation, ViT-B/16"
_SEGMENTATION_SOURCE = "LeGrad, quoted from reading notes"
_README = "a reproduction's README"
_README_SOURCE = "that README, whose own result files do not support it"

PUBLISHED = (
    *(
        Published(method, metric, value, _ECLIP, _ECLIP_SOURCE)
        for method, *values in (
            ("grad_cam", 0.3417, 0.2682),
            ("maskclip", 0.2848, 0.3335),
            ("grad_eclip", 0.2464, 0.3838),
        )
        for metric, value in zip(("deletion", "insertion"), values, strict=True)
    ),
    *(
        Published(method, metric, value, _SEGMENTATION, _SEGMENTATION_SOURCE)
        for method, *values in (
            ("legrad", 0.5866, 0.7752),
            ("game", 0.4747, 0.6921),
            ("rollout", 0.4064, 0.6063),
        )
        for metric, value in zip(("miou", "accuracy"), values, strict=True)
    ),
    *(
        Published(method, metric, value, _README, _README_SOURCE, verified=False)
        for method, *values in (
            ("grad_eclip", 0.856, 0.782, 0.734, 0.689, 15.2),
            ("clip_surgery", 0.823, 0.754, 0.701, 0.652, 22.3),
            ("game", 0.798, 0.721, 0.678, 0.634, 18.7),
            ("m2ib", 0.814, 0.743, 0.695, 0.648, 35.1),
            ("BLIP", 0.789, 0.712, 0.665, 0.621, 28.9),
        )
        for metric, value in zip(
            ("fidelity", "localisation", "first area", "second area", "milliseconds"), values, strict=True
        )
    ),
)
