"""Pictures: read and check an image file, prepare its pixels for a model, make a thumbnail.

NumPy and Pillow only. Whatever is wrong with a file becomes one sentence that names it.
"""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from engine.types import RESIZE_POLICIES, Image, Prepared, Preprocess, SidelightError

PIXEL_LIMIT = 64_000_000  # width times height; read from the header, before any pixel is decoded
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO", "TGA")
ADVICE = "use PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"
LONGEST_STRIP = 16  # a resized side may be this many times the model's before only its middle is made

# Between our limit and a higher one Pillow only warns; `load` refuses from ours on, in words.
warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)


def load(source: str | Path | bytes, name: str | None = None) -> Image:
    """The picture in a file, given by its path or as the bytes of the file.

    EXIF rotation is applied, transparency is laid on white, more than 8 bits a channel are scaled to 8, of an
    animation the first frame is taken; `notes` says what was done. The digest is the SHA-256 of
    "WIDTHxHEIGHT:" and the RGB bytes, so the same picture in two lossless formats is one picture.
    name: what to call it; default the stem of the file. Raises SidelightError.
    """
    if isinstance(source, bytes):
        label = _label(name or "the image")
        _check_length(len(source), label)
        return _decode(io.BytesIO(source), label, name or "image")
    if not isinstance(source, str | Path):
        raise SidelightError(
            f"An image must be the path of a file or the bytes of one, not {type(source).__name__}."
        )
    path = Path(source)
    label = _label(name or path.name or str(path))
    try:
        if path.is_dir():
            raise SidelightError(f"{label} is a folder; name an image file in it.")
        if not path.is_file():
            raise SidelightError(f"There is no image file {_label(str(source))!r}; check the path.")
        _check_length(path.stat().st_size, label)
        with path.open("rb") as file:
            return _decode(file, label, name or path.stem)
    except OSError as error:
        raise SidelightError(f"{label} cannot be read ({error.strerror}); check its permissions.") from error


def _label(name: str) -> str:
    """A name that fits into one sentence."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return shown if len(shown) <= 80 else f"{shown[:40]}...{shown[-37:]}"


def _check_length(length: int, label: str) -> None:
    if length == 0:
        raise SidelightError(f"{label} is empty (0 bytes); save or download it again.")


def _decode(file: Any, label: str, name: str) -> Image:
    head = file.read(1024)
    file.seek(0)
    too_large = f"{label} has more than {PIXEL_LIMIT // 10**6} million pixels; make it smaller first."
    try:
        picture = Pillow.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise SidelightError(f"{label} {_what_it_is(head)}; {ADVICE}.") from error
    except Pillow.DecompressionBombError as error:
        raise SidelightError(too_large) from error
    except Exception as error:  # a decoder given a broken header raises almost anything
        raise SidelightError(f"{label} is damaged at its start; save or download it again.") from error
    with picture:
        if picture.width * picture.height > PIXEL_LIMIT:
            raise SidelightError(too_large)
        try:
            picture.load()
        except MemoryError as error:
            raise SidelightError(f"{label} does not fit in memory; make it smaller first.") from error
        except Exception as error:  # OSError, SyntaxError, struct.error ...: it depends on the format
            raise SidelightError(
                f"{label} is cut off or damaged ({picture.width} x {picture.height} {picture.format}); "
                "save or download it again."
            ) from error
        notes = _frames(picture)
        picture, note = _upright(picture)
        notes += note
        rgb, note = _rgb(picture)
        notes += note
    pixels = np.asarray(rgb)
    pixels.flags.writeable = False
    return Image(pixels=pixels, digest=_digest(pixels), name=name, notes=tuple(notes))


def _what_it_is(head: bytes) -> str:
    """The likely reason why a file is not one of the known formats, from its first bytes."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<svg", b"<?xml", b"<!doctype svg")) and b"<svg" in start:
        return "is an SVG drawing, which has no pixels; export it"
    if head[4:8] == b"ftyp":
        return "is a HEIC photograph or a video, which cannot be read here; convert it"
    if start.startswith(b"%pdf"):
        return "is a PDF document, not an image; export the picture"
    if start.isascii() and b"\0" not in start:
        return "is a text file, not an image, whatever its name says"
    return "is not an image that can be read here, or its start is damaged"


def _frames(picture: Pillow.Image) -> list[str]:
    try:
        count = getattr(picture, "n_frames", 1)
        picture.seek(0)
    except Exception:  # a later frame is damaged; the first one, which is all that is used, is already read
        return ["First frame of several; a later one is damaged."]
    return [f"First frame of {count}."] if count > 1 else []


def _upright(picture: Pillow.Image) -> tuple[Pillow.Image, list[str]]:
    try:
        return ImageOps.exif_transpose(picture), []
    except Exception:  # a broken EXIF block, where the pixels themselves are whole
        return picture, ["Its EXIF block is damaged, so a rotation noted there is not applied."]


def _rgb(picture: Pillow.Image) -> tuple[Pillow.Image, list[str]]:
    """The picture as 8-bit RGB, and what was done to get there."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        grey, note = _eight_bit(np.asarray(picture))
        return Pillow.fromarray(grey).convert("RGB"), [note]
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        if layer.getextrema()[3][0] < 255:
            white = Pillow.new("RGB", layer.size, "white")
            white.paste(layer, mask=layer.getchannel("A"))
            return white, ["Transparent parts are laid on white."]
        return layer.convert("RGB"), []
    notes = ["CMYK converted to RGB without its colour profile."] if picture.mode == "CMYK" else []
    return picture.convert("RGB"), notes


def _eight_bit(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Grey values of more than 8 bits as uint8: by their nominal range where they keep it, else stretched."""
    numbers = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
    low, high = float(numbers.min()), float(numbers.max())
    whole = values.dtype.kind in "iu"
    top = 65535 if whole else 1 if high <= 1 else 255
    if low >= 0 and high <= top:
        note = "16 bits a pixel scaled to 8." if whole else f"Grey values from 0 to {top} scaled to 8 bits."
    else:
        note = f"Grey values from {low:g} to {high:g} stretched to 8 bits."
        numbers, top = numbers - low, (high - low) or 1
    return np.rint(numbers * (255 / top)).astype(np.uint8), note


def _digest(pixels: np.ndarray) -> str:
    sha = hashlib.sha256(f"{pixels.shape[1]}x{pixels.shape[0]}:".encode())
    sha.update(np.ascontiguousarray(pixels))
    return sha.hexdigest()


@dataclass(frozen=True)
class Geometry:
    """How a picture is laid under a model.

    full: (width, height) that the whole picture is resized to, of which the rectangle of `size` (width,
    height) at `offset` (left, top) is the model's input. seen: that rectangle as (left, top, right, bottom)
    in pixels of the original. grid: (rows, columns) of patches.
    """

    full: tuple[int, int]
    offset: tuple[int, int]
    size: tuple[int, int]
    seen: tuple[float, float, float, float]
    grid: tuple[int, int]


def geometry(size: tuple[int, int], preprocess: Preprocess, policy: str) -> Geometry:
    """Where the pixels of a picture of `size` (width, height) go; see `prepare` for the policies.

    Raises SidelightError for an unknown policy.
    """
    if policy not in RESIZE_POLICIES:
        raise SidelightError(
            f"There is no resize policy {policy!r}; the policies are {', '.join(RESIZE_POLICIES)}."
        )
    height, width = _fit(size, preprocess) if policy == "fit" else preprocess.size
    full = _covering(size, (width, height)) if policy == "crop" else (width, height)
    left, top = round((full[0] - width) / 2), round((full[1] - height) / 2)
    across, down = size[0] / full[0], size[1] / full[1]
    rows, columns = height // preprocess.patch, width // preprocess.patch
    # A model whose side is no multiple of its patch does not read what is left over at the right and below.
    height, width = rows * preprocess.patch, columns * preprocess.patch
    return Geometry(
        full=full,
        offset=(left, top),
        size=(width, height),
        seen=(left * across, top * down, (left + width) * across, (top + height) * down),
        grid=(rows, columns),
    )


def _covering(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int]:
    """The (width, height) that just cover `wanted`, rounded as torchvision's Resize does for a square model
    and as timm's ResizeKeepRatio does for others."""
    if wanted[0] == wanted[1]:
        side, (short, long) = wanted[0], sorted(size)
        far = int(side * long / short)
        return (side, far) if size[0] <= size[1] else (far, side)
    ratio = min(size[0] / wanted[0], size[1] / wanted[1])
    return round(size[0] / ratio), round(size[1] / ratio)


def _fit(size: tuple[int, int], preprocess: Preprocess) -> tuple[int, int]:
    """(height, width), multiples of the patch: the aspect ratio of `size` on the area of the model's input,
    one patch at least and four times the model's own number of patches at most on a side."""
    scale = math.sqrt(math.prod(preprocess.size) / math.prod(size)) / preprocess.patch
    own_rows, own_columns = (side // preprocess.patch for side in preprocess.size)
    rows = min(max(round(size[1] * scale), 1), 4 * own_rows)
    columns = min(max(round(size[0] * scale), 1), 4 * own_columns)
    return rows * preprocess.patch, columns * preprocess.patch


def prepare(image: Image, preprocess: Preprocess, policy: str) -> Prepared:
    """What the model gets to see of `image`.

    policy 'crop': CLIP's own transform, bit for bit: short side resized to the model's, the middle cut out.
    'squash': the whole image, its aspect ratio given up. 'fit': the whole image at its own aspect ratio, on
    about as many patches as the model's own input has. Raises SidelightError for any other policy.
    """
    plan = geometry(image.size, preprocess, policy)
    picture = Pillow.fromarray(image.pixels)
    kernel = {"bicubic": Pillow.Resampling.BICUBIC, "bilinear": Pillow.Resampling.BILINEAR}[
        preprocess.interpolation
    ]
    if max(plan.full) > LONGEST_STRIP * max(plan.size):
        # Resizing all of a hair-thin strip could take gigabytes; equal but for the
        # rounding between Pillow's two passes.
        picture = picture.resize(plan.size, kernel, box=plan.seen)
    else:
        (left, top), (width, height) = plan.offset, plan.size
        picture = picture.resize(plan.full, kernel).crop((left, top, left + width, top + height))
    pixels = np.asarray(picture, dtype=np.float32).transpose(2, 0, 1) / np.float32(255)
    mean = np.asarray(preprocess.mean, dtype=np.float32)[:, None, None]
    std = np.asarray(preprocess.std, dtype=np.float32)[:, None, None]
    return Prepared(pixels=np.ascontiguousarray((pixels - mean) / std), seen=plan.seen, grid=plan.grid)


def thumbnail(image: Image, side: int) -> bytes:
    """A JPEG file of the image, its long side at most `side` pixels."""
    picture = Pillow.fromarray(image.pixels)
    picture.thumbnail((side, side), reducing_gap=3)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()
