"""The field's layouts of image sets: class folders, the flat validation folder, ImageNet-S, COCO."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy.io import savemat

from engine.objects import ObjectBox, object_mask
from engine.sources import imagenet, open_set
from engine.types import SidelightError

TENCH, GOLDFISH = "n01440764", "n01443537"


@pytest.fixture(autouse=True)
def class_names(monkeypatch):
    """open_clip's list without importing it."""
    import engine.zeroshot

    names = ("tench", "goldfish", *(f"class {n}" for n in range(2, 1000)))
    monkeypatch.setattr(engine.zeroshot, "imagenet_classes", lambda: names)


def save(path, size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", size).save(path)


def test_wnids_are_the_class_index():
    assert len(imagenet.wnids()) == 1000 == len(set(imagenet.wnids()))
    assert imagenet.wnids()[:2] == (TENCH, GOLDFISH) and list(imagenet.wnids()) == sorted(imagenet.wnids())


def test_class_folders(tmp_path):
    save(tmp_path / GOLDFISH / "b.png")
    save(tmp_path / f"{TENCH}_some_fish" / "a.png")
    save(tmp_path / "n99999999_unheard_of" / "c.png")
    items = {item.path.stem: item for item in open_set(str(tmp_path)).items}
    assert items["a"].prompts == ("tench",) and items["a"].imagenet == 0
    assert items["b"].prompts == ("goldfish",) and items["b"].imagenet == 1
    assert items["c"].prompts == ("unheard of",) and items["c"].imagenet is None


def test_flat_validation_folder_with_the_devkits_own_numbers(tmp_path):
    for n in (1, 2):
        save(tmp_path / f"ILSVRC2012_val_{n:08d}.png")
    with pytest.raises(SidelightError, match=r"put the devkit's .*ground_truth.txt and meta.mat"):
        open_set(str(tmp_path))
    data = tmp_path / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    (data / imagenet.LABELS).write_text("2\n1\n")
    rows = np.array([(1, TENCH), (2, GOLDFISH)], dtype=[("ILSVRC2012_ID", object), ("WNID", object)])
    savemat(data / imagenet.SYNSETS, {"synsets": rows})
    assert [item.prompts for item in open_set(str(tmp_path)).items] == [("goldfish",), ("tench",)]
    (data / imagenet.SYNSETS).write_bytes(b"nothing")
    with pytest.raises(SidelightError, match="not the devkit's list"):
        open_set(str(tmp_path))


def test_imagenet_s(tmp_path):
    for wnid, label in ((TENCH, 1), (GOLDFISH, 2)):
        save(tmp_path / "validation" / wnid / "x.png")
        colours = np.zeros((4, 6, 3), np.uint8)
        colours[1, 2:4] = [label, 0, 0]
        colours[0, 0] = [1000 % 256, 1000 // 256, 0]
        path = tmp_path / "validation-segmentation" / wnid / "x.png"
        path.parent.mkdir(parents=True)
        Pillow.fromarray(colours).save(path)
    items = open_set(str(tmp_path)).items
    assert [item.prompts for item in items] == [("tench",), ("goldfish",)]
    for item in items:
        mask = object_mask(item.objects[0], (6, 4))
        assert mask.sum() == 2 and mask[1, 2:4].all()


def test_imagenet_s_with_some_of_its_classes_only(tmp_path):
    save(tmp_path / "validation" / GOLDFISH / "x.png")
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[1, 2:4] = [2, 0, 0]
    colours[0, 0] = [1000 % 256, 1000 // 256, 0]
    path = tmp_path / "validation-segmentation" / GOLDFISH / "x.png"
    path.parent.mkdir(parents=True)
    Pillow.fromarray(colours).save(path)
    (item,) = open_set(str(tmp_path)).items
    mask = object_mask(item.objects[0], (6, 4))
    assert mask.sum() == 2 and mask[1, 2:4].all()


@pytest.fixture
def coco(tmp_path):
    save(tmp_path / "images" / "one.png", (8, 6))
    square = [1, 1, 5, 1, 5, 4, 1, 4]
    annotations = [
        {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [square], "area": 12,
         "bbox": [1, 1, 4, 3]},
        {"id": 2, "image_id": 7, "category_id": 3, "iscrowd": 1, "area": 9, "bbox": [0, 0, 8, 6],
         "segmentation": {"size": [6, 8], "counts": [0, 48]}},
        {"id": 3, "image_id": 7, "category_id": 1, "segmentation": [[6, 0, 8, 0, 8, 2, 6, 2]], "area": 4,
         "bbox": [6, 0, 2, 2], "iscrowd": 0},
    ]  # fmt: skip
    content = {
        "images": [
            {"id": 9, "file_name": "gone.png", "width": 8, "height": 6},
            {"id": 7, "file_name": "one.png", "width": 8, "height": 6},
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "apple"}, {"id": 3, "name": "cat"}],
    }
    return SimpleNamespace(folder=tmp_path, content=content, file=tmp_path / "instances_val.json")


def test_coco(coco, capsys):
    coco.file.write_text(json.dumps(coco.content))
    found = open_set(str(coco.folder))
    (item,) = found.items
    assert item.prompts == ("an apple", "a cat") and "gone.png" in found.problems[0]
    apple, cat = (object_mask(box, (8, 6)) for box in item.objects)
    expected = np.zeros((6, 8), bool)
    expected[1:4, 1:5] = True
    np.testing.assert_array_equal(cat, expected)
    assert apple.sum() == 4 and apple[:2, 6:].all()
    assert capsys.readouterr().out == ""
    with pytest.raises(SidelightError, match="of cat is 8 x 6"):
        object_mask(item.objects[1], (9, 6))


def test_coco_never_leaves_the_folder(coco, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    save(outside, (8, 6))
    coco.content["images"][1]["file_name"] = str(outside)
    coco.file.write_text(json.dumps(coco.content))
    assert open_set(str(coco.folder)).items == ()


def test_coco_of_an_archive_with_the_annotations_of_other_images(coco):
    (coco.folder / "images").rename(coco.folder / "val2017")
    (coco.folder / "annotations").mkdir()
    (coco.folder / "annotations" / "instances_val2017.json").write_text(json.dumps(coco.content))
    (coco.folder / "annotations" / "instances_train2017.json").write_text("{}")
    assert [item.path.name for item in open_set(str(coco.folder)).items] == ["one.png"]


@pytest.mark.parametrize(
    "segmentation", [[], [[]], [[1, 1]], [[1, 1, 2, 2]], [["a"] * 6], [[float("nan")] * 6], None]
)
def test_an_outline_that_is_none_is_named_and_the_others_stay(coco, segmentation):
    coco.content["annotations"][2]["segmentation"] = segmentation
    coco.file.write_text(json.dumps(coco.content))
    found = open_set(str(coco.folder))
    assert found.items[0].prompts == ("a cat",)
    assert any("an outline of apple in one.png" in problem for problem in found.problems)


def test_coco_that_is_broken_or_ambiguous(coco):
    coco.file.write_text("{")
    with pytest.raises(SidelightError, match="cannot be read as COCO's instances"):
        open_set(str(coco.folder))
    (coco.folder / "instances_train.json").write_text("{}")
    with pytest.raises(SidelightError, match="several annotation files"):
        open_set(str(coco.folder))


def test_other_folders_and_names(tmp_path):
    save(tmp_path / "cat" / "a.png")
    assert [item.prompts for item in open_set(str(tmp_path)).items] == [("cat",)]
    with pytest.raises(SidelightError, match="There is no image set"):
        open_set(str(tmp_path / "missing"))


def test_an_object_with_nothing_has_no_mask():
    assert object_mask(ObjectBox("x"), (3, 3)) is None


def test_coco_images_of_one_name_in_two_folders_stay_two(coco):
    for n, image in enumerate(coco.content["images"]):
        image["file_name"] = f"{n}/one.png"
        save(coco.folder / "images" / f"{n}" / "one.png", (8, 6))
    coco.file.write_text(json.dumps(coco.content))
    assert [item.id for item in open_set(str(coco.folder)).items] == ["1/one", "0/one"]
