"""Every kind of file that people hand in: it works, or one sentence names it and says what to do."""

import hashlib
import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from engine.images import PIXEL_LIMIT, load, prepare, thumbnail
from engine.types import Image, Preprocess, SidelightError

CLIP = Preprocess((224, 224), 16, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def picture(width=40, height=30, mode="RGB", seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if mode == "LAB":
        return Pillow.frombytes("LAB", (width, height), noise.tobytes())
    return Pillow.fromarray(noise).convert(mode)


def saved(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def as_image(image):
    return load(saved(image))


def refusal(source, name=None):
    with pytest.raises(SidelightError) as caught:
        load(source, name)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text
    return text


def png_header(width, height):
    """A PNG that claims a size and has next to no pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def test_path_bytes_and_names(tmp_path):
    file = tmp_path / "a cat.png"
    picture().save(file)
    from_path, from_text, from_bytes = load(file), load(str(file)), load(file.read_bytes(), "upload.png")
    assert from_path.name == from_text.name == "a cat" and from_bytes.name == "upload.png"
    assert from_path.digest == from_text.digest == from_bytes.digest
    assert from_path.size == (40, 30) and from_path.pixels.dtype == np.uint8
    assert not from_path.pixels.flags.writeable and from_path.notes == ()


def test_digest_is_of_size_and_pixels():
    image = as_image(picture())
    assert image.digest == hashlib.sha256(b"40x30:" + picture().tobytes()).hexdigest()
    assert load(saved(picture(), "TIFF")).digest == image.digest
    tall = Pillow.frombytes("RGB", (30, 40), picture().tobytes())
    assert as_image(tall).digest != image.digest


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated(format, share):
    data = saved(picture(200, 150), format)
    text = refusal(data[: int(len(data) * share)], "cat.file")
    assert text.startswith("cat.file ") and ("cut off" in text or "damaged" in text)


def test_header_only_and_empty(tmp_path):
    assert "damaged" in refusal(saved(picture())[:20], "cat.png")
    assert refusal(b"", "cat.png").startswith("cat.png is empty")
    empty = tmp_path / "none.png"
    empty.touch()
    assert refusal(empty).startswith("none.png is empty")


@pytest.mark.parametrize("size", [(10_000, 10_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bomb(size):
    text = refusal(png_header(*size), "bomb.png")
    assert text == "bomb.png has more than 64 million pixels; make it smaller first."


def test_very_large_but_legal():
    large = Pillow.new("RGB", (8000, 6000), (10, 20, 30))
    large.putpixel((7999, 5999), (255, 0, 0))
    image = load(saved(large, "BMP"))
    assert image.size == (8000, 6000) and PIXEL_LIMIT > 8000 * 6000
    assert tuple(image.pixels[-1, -1]) == (255, 0, 0)
    assert prepare(image, CLIP, "fit").pixels.shape == (3, 192, 256)


def test_one_pixel():
    image = as_image(Pillow.new("RGB", (1, 1), (255, 0, 0)))
    for policy in ("crop", "fit", "squash"):
        prepared = prepare(image, CLIP, policy)
        assert prepared.grid == (14, 14) and prepared.seen == (0, 0, 1, 1)
        assert np.ptp(prepared.pixels, axis=(1, 2)).max() == 0


def test_sixteen_bit_grey_is_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(1, 256)
    image = load(saved(Pillow.fromarray(ramp)))
    np.testing.assert_array_equal(image.pixels[0, :, 0], np.arange(256))
    assert image.notes == ("16 bits a pixel scaled to 8.",)


@pytest.mark.parametrize(
    ("values", "want", "note"),
    [
        (np.array([[0, 32768, 65535]], np.int32), [0, 128, 255], "16 bits"),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255], "stretched"),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255], "0 to 1 "),
        (np.array([[0, 7, 250]], np.float32), [0, 7, 250], "0 to 255"),
        (np.array([[-1, np.nan, 1]], np.float32), [0, 128, 255], "stretched"),
        (np.array([[3e5, 3e5, 3e5]], np.float32), [0, 0, 0], "stretched"),
    ],
)
def test_deep_grey(values, want, note):
    image = load(saved(Pillow.fromarray(values), "TIFF"))
    np.testing.assert_array_equal(image.pixels[0, :, 0], want)
    assert note in image.notes[0]


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "LAB"])
def test_other_modes(mode):
    original = picture(mode=mode)
    image = load(saved(original, "TIFF" if mode in ("CMYK", "YCbCr", "LAB") else "PNG"))
    np.testing.assert_array_equal(image.pixels, np.asarray(original.convert("RGB")))
    assert bool(image.notes) == (mode == "CMYK")


def test_alpha_is_laid_on_white():
    layer = Pillow.new("RGBA", (2, 1), (255, 0, 0, 255))
    layer.putpixel((1, 0), (0, 0, 0, 0))
    image = as_image(layer)
    assert image.pixels.tolist() == [[[255, 0, 0], [255, 255, 255]]]
    assert image.notes == ("Transparent parts are laid on white.",)
    assert as_image(Pillow.new("RGBA", (2, 1), (255, 0, 0, 255))).notes == ()


def test_palette_with_a_transparent_colour():
    paletted = Pillow.new("P", (2, 1))
    paletted.putpalette([9, 9, 9, 0, 0, 255])
    paletted.putdata([0, 1])
    image = load(saved(paletted, transparency=0))
    assert image.pixels.tolist() == [[[255, 255, 255], [0, 0, 255]]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_exif_rotation(orientation, format):
    upright = picture(4, 3)
    turns = {
        2: [Pillow.Transpose.FLIP_LEFT_RIGHT], 3: [Pillow.Transpose.ROTATE_180],
        4: [Pillow.Transpose.FLIP_TOP_BOTTOM], 5: [Pillow.Transpose.TRANSPOSE],
        6: [Pillow.Transpose.ROTATE_90], 7: [Pillow.Transpose.TRANSVERSE],
        8: [Pillow.Transpose.ROTATE_270],
    }  # fmt: skip
    stored = upright
    for turn in turns.get(orientation, []):
        stored = stored.transpose(turn)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    image = load(saved(stored, format, exif=exif, **options))
    np.testing.assert_array_equal(image.pixels, np.asarray(upright))


def test_broken_exif_does_not_lose_the_picture():
    image = load(saved(picture(), exif=b"Exif\0\0not a TIFF header"))
    np.testing.assert_array_equal(image.pixels, np.asarray(picture()))
    assert "EXIF" in image.notes[0]


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_animation_gives_its_first_frame(format):
    frames = [Pillow.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    image = load(saved(frames[0], format, save_all=True, append_images=frames[1:]))
    red, green, blue = image.pixels[4, 4]
    assert red >= 254 and green <= 1 and blue == 0  # lossy WebP is off by one
    assert image.notes == ("First frame of 3.",)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\xef\xbb\xbf <SVG width='2'/>", "SVG"),
        (b"just some words\n", "text"),
        (b"<html><script>alert(1)</script></html>", "text"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
        (b"%PDF-1.7\n\xff", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "text"),
        (bytes(range(256)), "not an image"),
    ],
)
def test_something_else_renamed_to_png(data, word, tmp_path):
    file = tmp_path / "cat.png"
    file.write_bytes(data)
    text = refusal(file)
    assert text.startswith("cat.png is ") and word in text and "PNG, JPEG" in text


@pytest.mark.parametrize("source", [None, 3, ["a.png"], np.zeros((4, 4, 3))])
def test_wrong_types(source):
    assert type(source).__name__ in refusal(source)


@pytest.mark.parametrize("source", ["nowhere.png", "", "a\0b.png", "x" * 5000, "../../none.png"])
def test_no_such_file(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refusal(source)


def test_a_name_of_any_kind_stays_one_short_sentence():
    for name in ("a\nb\x1b[31m.png", "x" * 5000, "<b>.png"):
        text = refusal(b"", name)
        assert len(text) < 200 and text.isprintable() and "is empty" in text


def test_folder_and_pipe(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path.name} is a folder; name an image file in it."
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    assert "no image file" in refusal(pipe)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize(
    "size", [(500, 375), (375, 500), (224, 224), (225, 224), (100, 333), (7, 5), (1, 1), (1000, 224), (3, 40)]
)
def test_crop_is_open_clips_transform_to_the_bit(size, interpolation):
    from open_clip.transform import image_transform

    for side in (224, 96, 97):
        preprocess = Preprocess((side, side), 1, CLIP.mean, CLIP.std, interpolation)
        theirs = image_transform(side, False, CLIP.mean, CLIP.std, interpolation=interpolation)(
            picture(*size)
        )
        ours = prepare(as_image(picture(*size)), preprocess, "crop")
        np.testing.assert_array_equal(ours.pixels, theirs.numpy())
        assert ours.pixels.dtype == np.float32 and ours.pixels.flags.c_contiguous


@pytest.mark.parametrize("size", [(500, 375), (64, 900)])
def test_squash_and_wide_models_are_open_clips_transform_too(size):
    from open_clip.transform import image_transform

    wide = Preprocess((112, 208), 16, CLIP.mean, CLIP.std)
    for policy, mode in (("crop", "shortest"), ("squash", "squash")):
        theirs = image_transform(wide.size, False, CLIP.mean, CLIP.std, resize_mode=mode)(picture(*size))
        ours = prepare(as_image(picture(*size)), wide, policy)
        np.testing.assert_array_equal(ours.pixels, theirs.numpy())
        assert ours.grid == (7, 13)


def test_crop_of_a_thin_strip_is_the_same_without_making_all_of_it():
    strip = picture(4, 40).resize((4, 400), Pillow.Resampling.BILINEAR)  # smooth: bicubic clips nothing
    full = strip.resize((32, 3200), Pillow.Resampling.BICUBIC).crop((0, 1584, 32, 1616))
    small = Preprocess((32, 32), 16, (0, 0, 0), (1, 1, 1))
    ours = prepare(as_image(strip), small, "crop")
    np.testing.assert_allclose(
        ours.pixels, np.asarray(full, np.float32).transpose(2, 0, 1) / 255, atol=1.01 / 255
    )
    assert ours.seen == (0, 198, 4, 202)
    assert prepare(as_image(picture(1, 60_000)), CLIP, "crop").pixels.shape == (3, 224, 224)


def test_seen_region_of_a_crop():
    prepared = prepare(as_image(picture(400, 200)), CLIP, "crop")
    assert prepared.seen == (100, 0, 300, 200) and prepared.grid == (14, 14)


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((200, 200), (14, 14)),
        ((400, 300), (12, 16)),
        ((300, 400), (16, 12)),
        ((4000, 10), (1, 56)),
        ((2, 999), (56, 1)),
    ],
)
def test_fit_keeps_the_aspect_ratio_and_about_the_patches(size, grid):
    prepared = prepare(as_image(picture(*size)), CLIP, "fit")
    assert prepared.grid == grid
    assert prepared.pixels.shape == (3, grid[0] * 16, grid[1] * 16)
    assert prepared.seen == (0, 0, *size)


def test_unknown_policy_is_named():
    with pytest.raises(SidelightError, match="'stretch'; the policies are crop, fit, squash"):
        prepare(as_image(picture()), CLIP, "stretch")


@pytest.mark.parametrize("size", [(400, 300), (3, 999), (1, 1), (64, 64)])
def test_thumbnail(size):
    image = Image(np.asarray(picture(*size)), "")
    small = Pillow.open(io.BytesIO(thumbnail(image, 64)))
    assert small.format == "JPEG" and max(small.size) <= 64 and min(small.size) >= 1
