"""Image sets: curated folders, dropped folders, class trees, and metadata that lies."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from engine import datasets
from engine.datasets import find, read, readable, sets
from engine.objects import ObjectBox, object_mask
from engine.types import SidelightError


def picture(path, size=(12, 8), colour=(200, 30, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", size, colour).save(path)


def describe(folder, *rows):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def curated(tmp_path):
    """Two images, the first with two objects: one with a mask of its left half, one with a box."""
    folder = tmp_path / "scenes"
    picture(folder / "a.png")
    picture(folder / "b.png")
    mask = np.zeros((8, 12), np.uint8)
    mask[:, :6] = 255
    (folder / "masks").mkdir()
    Pillow.fromarray(mask).save(folder / "masks" / "a-0.png")
    describe(
        folder,
        {
            "file_name": "a.png",
            "prompts": ["a dog", "собака"],
            "objects": [
                {"name": "dog", "bbox": [0, 0, 6, 8], "mask": "masks/a-0.png"},
                {"name": "cat", "bbox": [8, 2, 3, 4.5]},
            ],
            "licence": "CC0",
            "source": "made here",
            "seed": 7,
        },
        {"file_name": "b.png"},
    )
    (folder / "README.md").write_text("# Composed scenes\n\nEmoji on\nplain ground.\n\nLicence: CC0 1.0.\n")
    return folder


def test_a_curated_set_says_everything(curated):
    found = find("scenes", curated.parent)
    assert (found.title, found.description, found.licence) == (
        "Composed scenes",
        "Emoji on plain ground.",
        "CC0 1.0",
    )
    first, second = found.items
    assert (first.id, first.path, first.prompts) == ("a", curated / "a.png", ("a dog", "собака"))
    assert first.objects[0] == ObjectBox("dog", (0, 0, 6, 8), curated / "masks" / "a-0.png")
    assert first.objects[1] == ObjectBox("cat", (8, 2, 3, 4.5), None)
    assert (first.licence, first.source, first.extra) == ("CC0", "made here", {"seed": 7})
    assert (second.prompts, second.objects, second.licence) == ((), (), "")
    assert found.problems == ()


def test_masks_and_boxes_become_pixels(curated):
    dog, cat = read(curated).items[0].objects
    mask = object_mask(dog, (12, 8))
    assert mask.dtype == bool and mask[:, :6].all() and not mask[:, 6:].any()
    box = object_mask(cat, (12, 8))
    assert box.sum() == 3 * 4 and box[2:6, 8:11].all()  # the centre of row 6 lies on the edge, outside
    assert object_mask(ObjectBox("nothing"), (12, 8)) is None
    with pytest.raises(SidelightError, match=r"a-0\.png is 12 x 8 pixels, but its image is 13 x 8"):
        object_mask(dog, (13, 8))
    Pillow.fromarray(mask.astype(np.uint8)).save(dog.mask)
    with pytest.raises(SidelightError, match=r"a-0\.png has no white pixel, its brightest is 1 of 255"):
        object_mask(dog, (12, 8))
    dog.mask.write_bytes(b"no image")
    with pytest.raises(SidelightError, match=r"a-0\.png cannot be read"):
        object_mask(dog, (12, 8))


def test_a_folder_of_images_is_a_set(tmp_path):
    picture(tmp_path / "my_holiday" / "Beach 1.JPG")
    picture(tmp_path / "my_holiday" / "beach.png")
    picture(tmp_path / "my_holiday" / "beach.webp")
    (tmp_path / "my_holiday" / "notes.txt").write_text("no image")
    (tmp_path / "my_holiday" / ".hidden.png").write_bytes(b"")
    (tmp_path / ".git").mkdir()
    (found,) = sets(tmp_path)
    assert (found.name, found.title, found.licence) == ("my_holiday", "My holiday", "")
    # Two files share a stem, so their ids keep the suffix.
    assert [item.id for item in found.items] == ["Beach 1", "beach.png", "beach.webp"]
    assert all(item.prompts == () for item in found.items)


def test_a_class_tree_gives_prompts(tmp_path):
    picture(tmp_path / "imagenet" / "val" / "n02099601_golden_retriever" / "1.png")
    picture(tmp_path / "imagenet" / "val" / "tabby-cat" / "1.png")
    (found,) = sets(tmp_path)
    assert [(item.id, item.prompts) for item in found.items] == [
        ("val/n02099601_golden_retriever/1", ("golden retriever",)),
        ("val/tabby-cat/1", ("tabby cat",)),
    ]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ('{"file_name": "a.png"', "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[1]", "it is not a JSON object"),
        ({"prompts": []}, "file_name must be the path of an image within the set"),
        ({"file_name": "../secret.png"}, "file_name '../secret.png' leads out of the set"),
        ({"file_name": "masks/../../secret.png"}, "leads out of the set"),
        ({"file_name": "..\\secret.png"}, "leads out of the set"),
        ({"file_name": "/etc/passwd"}, "file_name '/etc/passwd' leads out of the set"),
        ({"file_name": "C:\\secret.png"}, "leads out of the set"),
        ({"file_name": "a.png\0"}, "is not there"),
        ({"file_name": "gone.png"}, "file_name 'gone.png' is not there"),
        ({"file_name": "metadata.jsonl"}, "file_name 'metadata.jsonl' is no image file"),
        ({"file_name": "b.png", "prompts": "a dog"}, "prompts must be a list of texts"),
        ({"file_name": "b.png", "licence": 3}, "licence and source must be texts"),
        ({"file_name": "b.png", "objects": {"name": "dog"}}, "objects must be a list"),
        ({"file_name": "b.png", "objects": ["dog"]}, "must be a JSON object with a name"),
        ({"file_name": "b.png", "objects": [{"name": "dog", "bbox": [1, 2, 3]}]}, "the bbox of 'dog'"),
        ({"file_name": "b.png", "objects": [{"name": "dog", "bbox": [0, 0, 0, 4]}]}, "the bbox of 'dog'"),
        ('{"file_name": "b.png", "objects": [{"name": "dog", "bbox": [0, 0, NaN, 4]}]}', "the bbox of"),
        ({"file_name": "b.png", "objects": [{"name": "d", "mask": "../secret.png"}]}, "leads out of the set"),
        ({"file_name": "a.png"}, "'a.png' is listed a second time"),
        ("\udcff", "it is not JSON"),
    ],
)
def test_a_wrong_line_is_named_and_the_others_stay(tmp_path, row, complaint):
    picture(tmp_path / "secret.png")
    folder = tmp_path / "broken"
    picture(folder / "a.png")
    picture(folder / "b.png")
    line = row if isinstance(row, str) else json.dumps(row)
    text = json.dumps({"file_name": "a.png"}) + "\n\n" + line + "\n"
    (folder / "metadata.jsonl").write_bytes(text.encode("utf-8", "surrogateescape"))
    found = read(folder)
    assert [item.id for item in found.items] == ["a"]
    (problem,) = found.problems
    assert problem.startswith("broken/metadata.jsonl, line 3: ") and complaint in problem
    assert "\n" not in problem


def test_a_link_out_of_the_set_is_refused(tmp_path):
    picture(tmp_path / "secret.png")
    picture(tmp_path / "linked" / "a.png")
    (tmp_path / "linked" / "b.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "linked" / "same.png").symlink_to(tmp_path / "linked" / "a.png")
    found = read(tmp_path / "linked")
    assert [item.id for item in found.items] == ["a", "same"]
    (problem,) = found.problems
    assert problem.startswith("linked/b.png is a link that leads out of the set")


def test_an_unknown_set_is_answered_with_the_known_ones(curated):
    with pytest.raises(SidelightError, match="no image set 'emoji'; the sets are scenes"):
        find("emoji", curated.parent)
    with pytest.raises(SidelightError, match="the sets are scenes"):
        find("../scenes", curated.parent)
    with pytest.raises(SidelightError, match="none yet"):
        find("scenes", curated.parent / "nowhere")


def test_changes_are_seen_and_nothing_is_read_twice(curated, monkeypatch):
    before = read(curated)
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "_walk", lambda folder: pytest.fail("read again"))
        assert read(curated) is before
    picture(curated / "c.png")
    with (curated / "metadata.jsonl").open("a") as file:
        file.write('\n{"file_name": "c.png"}')
    assert [item.id for item in read(curated).items] == ["a", "b", "c"]
    (curated / "c.png").unlink()
    assert read(curated).problems[0].endswith("'c.png' is not there; the image is left out.")
    (curated / "README.md").unlink()
    assert read(curated).title == "Scenes"


def test_a_folder_that_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(SidelightError, match="The folder gone cannot be read"):
        read(tmp_path / "gone")


def test_front_matter_of_hugging_face_is_understood(tmp_path):
    picture(tmp_path / "cats" / "a.png")
    (tmp_path / "cats" / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# Cats\n\n## Use\n")
    found = read(tmp_path / "cats")
    assert (found.title, found.description, found.licence) == ("Cats", "", "cc-by-4.0")


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1))
def test_any_folder_name_becomes_a_prompt_without_separators(name):
    prompt = readable(name)
    assert "_" not in prompt and prompt == prompt.strip()


def test_the_cache_survives_a_set_that_goes(curated):
    assert len(sets(curated.parent)) == 1
    os.rename(curated, curated.parent / "moved")
    assert [s.name for s in sets(curated.parent)] == ["moved"]


def test_a_link_to_itself_is_a_problem_and_the_rest_is_there(tmp_path):
    picture(tmp_path / "mine" / "1.png")
    (tmp_path / "mine" / "loop").symlink_to("loop")
    (tmp_path / "mine" / "lost.png").symlink_to("nothing.png")
    (found,) = sets(tmp_path)
    assert [item.id for item in found.items] == ["1"] and len(found.problems) == 2
    assert "mine/loop is a link that leads out of the set, or nowhere" in found.problems[0]


def test_a_set_that_cannot_be_read_hides_no_other(tmp_path, monkeypatch):
    picture(tmp_path / "good" / "1.png")
    picture(tmp_path / "locked" / "1.png")
    scandir = os.scandir

    def refuse(path):
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    good, locked = sets(tmp_path)
    assert len(good.items) == 1 and locked.items == ()
    assert locked.problems == ("The folder locked cannot be read (Permission denied).",)


def test_prompts_of_nothing_are_left_out(tmp_path):
    picture(tmp_path / "mine" / "1.png")
    picture(tmp_path / "classes" / "_" / "1.png")
    describe(tmp_path / "mine", {"file_name": "1.png", "prompts": ["", " ", "a dog"]})
    assert read(tmp_path / "mine").items[0].prompts == ("a dog",)
    assert read(tmp_path / "classes").items[0].prompts == ()
