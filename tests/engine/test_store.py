"""The store: what goes in comes out, and whatever happens to the folder, nothing breaks and nothing runs."""

import contextlib
import json
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.store import key_of
from engine.store import Damaged, Store, canonical, default_store, digest, rows, store
from engine.store.entry import decode, encode
from engine.types import SidelightError
from tests.patience import PATIENCE

KEY = {"image": "ab" * 32, "prompt": "a <b>cat</b> 猫 \0 ../", "layers": (1, 2)}
MAP = {"map": np.arange(6, dtype=np.float32).reshape(2, 3)}
META = {"score": 0.25, "note": "größer"}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path):
    return Store(tmp_path / "cache", shipped=None)


def again(home):
    """The same folder, as another process would see it."""
    return Store(home.folder, shipped=None)


def table(home):
    return contextlib.closing(sqlite3.connect(home.folder / "cache.db", isolation_level=None))


def change(home, assignment, *values):
    """Alter the only row behind the store's back."""
    with table(home) as rows_:
        assert rows_.execute(f"UPDATE Cache SET {assignment}", values).rowcount == 1


# --- what goes in comes out ---

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_the_canonical_key_depends_on_content_alone(key):
    text = canonical(key)
    assert json.loads(text) == key and text.isascii()
    assert canonical(dict(reversed(key.items()))) == text
    assert digest(key) == digest(json.loads(text)) and len(digest(key)) == 64


def test_a_key_says_only_what_json_can():
    assert canonical({"b": (1, 2.5), "a": "\ud800"}) == '{"a":"\\ud800","b":[1,2.5]}'
    for wrong in (float("nan"), np.zeros(2), {1, 2}):
        with pytest.raises((TypeError, ValueError)):
            canonical({"a": wrong})


def test_put_and_get(home):
    arrays = {
        "map": np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32),
        "turned": np.arange(12, dtype=np.float64).reshape(3, 4).T,
        "mask": np.array([True, False]),
        "one": np.array(7, dtype=np.int64),
        "none": np.zeros((0, 4), dtype=np.uint8),
    }
    assert home.get(KEY) is None
    home.put(KEY, arrays, META)
    for found in (home.get(KEY), again(home).get(dict(reversed(KEY.items())))):
        assert found.meta == META and set(found.arrays) == set(arrays)
        for name, values in arrays.items():
            np.testing.assert_array_equal(found.arrays[name], values, strict=True)
            assert not found.arrays[name].flags.writeable
    assert home.get({**KEY, "layers": (1, 3)}) is None
    home.put(KEY, MAP, {"score": 1})
    assert home.get(KEY).meta == {"score": 1} and home.info().entries == 1


def test_records(home):
    name = "digest of /a/b 12 34"
    assert home.recall(name) is None
    home.remember(name, {"sha256": "ff"})
    assert again(home).recall(name) == {"sha256": "ff"}


def test_a_million_maps_fit_in_two_and_a_half_gigabytes(home):
    values = np.random.default_rng(0).random((1000, 14, 14), dtype=np.float32)
    meta = {"score": 0.2731, "explained_score": 0.2731, "seconds": 0.0421, "note": ""}
    for number, one in enumerate(values):
        home.put(key_of(number), {"map": one}, meta)
    with table(home) as rows_:
        rows_.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert (home.folder / "cache.db").stat().st_size / len(values) < 2500


def test_shipped_entries_are_found_after_the_folder(home, tmp_path):
    home.put(KEY, MAP, META)
    assert home.export([KEY, {"not": "there"}], tmp_path / "maps") == 1
    assert [file.name for file in (tmp_path / "maps").iterdir()] == [f"{digest(KEY)}.safetensors"]
    other = Store(tmp_path / "other", shipped=tmp_path / "maps")
    assert other.get(KEY).meta == META and other.info().entries == 0 and other.info().shipped == 1
    other.put(KEY, MAP, {"newer": True})
    assert other.get(KEY).meta == {"newer": True}
    other.clear()
    (tmp_path / "maps" / f"{digest(KEY)}.safetensors").write_bytes(b"cut")
    assert other.get(KEY) is None


def test_default_store_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "a"))
    assert default_store().folder == tmp_path / "a" and default_store() is default_store()
    monkeypatch.setenv("MINE", "b")
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "$MINE"))
    default_store().put(KEY, MAP, META)
    assert (tmp_path / "b" / "cache.db").is_file() and not (tmp_path / "$MINE").exists()


# --- care of the folder ---


def test_nothing_goes_by_itself(home):
    home.put(KEY, MAP, META)
    with table(home) as rows_:
        settings = dict(rows_.execute("SELECT key, value FROM Settings"))
    assert (settings["eviction_policy"], settings["cull_limit"]) == ("none", 0)
    assert settings["size_limit"] >= 2**60 and settings["disk_min_file_size"] >= 2**60


def test_large_values_stay_in_their_row(home):
    home.put(KEY, {"map": np.ones((1000, 1000), np.float32)}, META)
    assert {file.name for file in home.folder.iterdir()} <= {"cache.db", "cache.db-wal", "cache.db-shm"}
    assert again(home).get(KEY).arrays["map"].sum() == 1e6


def test_prune_clear_and_forget(home):
    for number in range(4):
        home.put({"image": f"{number:064x}"}, MAP, META)
    change_time = time.time() - 10 * 86400
    with table(home) as rows_:
        rows_.execute(
            "UPDATE Cache SET store_time = ? WHERE key = ?", (change_time, digest({"image": f"{0:064x}"}))
        )
    assert home.prune(11) == 0 and home.prune(9) == 1
    assert home.forget(f"{2:064x}") == 1 and home.get({"image": f"{2:064x}"}) is None
    assert home.info().entries == 2 and home.get({"image": f"{1:064x}"}) is not None
    assert home.clear() == 2 and home.info().entries == 0
    for days in (-1, float("nan")):
        with pytest.raises(SidelightError, match="at least 0"):
            home.prune(days)
    with pytest.raises(ValueError, match="not a digest"):
        home.forget("")


def test_clear_gives_the_space_back(home):
    for number in range(500):
        home.put({"n": number}, {"map": np.zeros((14, 14))}, META)
    full = home.info().bytes
    home.clear()
    assert home.info().bytes < full / 5


def test_info(home):
    home.put(KEY, MAP, META)
    info = home.info()
    assert (info.folder, info.entries, info.in_memory, info.shipped, info.problem) == (
        home.folder,
        1,
        0,
        0,
        "",
    )
    assert info.bytes > 0 and set(info.versions) == {"store", "sqlite", "diskcache", "safetensors"}


def test_verify_removes_what_is_not_whole(home):
    for number in range(5):
        home.put({"n": number}, MAP, META)
    with table(home) as rows_:
        rows_.execute("UPDATE Cache SET value = substr(value, 1, 99) WHERE key = ?", (digest({"n": 0}),))
        rows_.execute("UPDATE Cache SET mode = 4 WHERE key = ?", (digest({"n": 1}),))
        rows_.execute("UPDATE Cache SET key = ? WHERE key = ?", (digest({"n": 9}), digest({"n": 2})))
    found = home.verify()
    assert (found.good, found.bad, found.removed) == (2, 3, 3)
    assert home.info().entries == 2 and home.verify().bad == 0


# --- damaged and crafted entries are misses ---


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data):
    value = bytearray(encode(canonical(KEY), MAP, META))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    try:
        text, entry = decode(bytes(value))
    except Damaged:
        return
    # What is left is a change that means nothing, such as another white space in the header.
    assert text == canonical(KEY) and entry.meta == META and set(entry.arrays) == set(MAP)
    np.testing.assert_array_equal(entry.arrays["map"], MAP["map"], strict=True)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 100, -1])
def test_truncated_row(home, length):
    home.put(KEY, MAP, META)
    with table(home) as rows_:
        ((value,),) = rows_.execute("SELECT value FROM Cache").fetchall()
    change(home, "value = ?", value[:length])
    assert home.get(KEY) is None and again(home).get(KEY) is None
    home.put(KEY, MAP, META)
    assert home.get(KEY).meta == META and not home.problem


def test_altered_numbers_and_meta(home):
    whole = encode(canonical(KEY), MAP, META)
    for old, new in (
        (np.float32(5).tobytes(), np.float32(50).tobytes()),
        (b"0.25", b"0.99"),
        (b"[2,3]", b"[3,2]"),
    ):
        assert whole.count(old) == 1
        home.put(KEY, MAP, META)
        change(home, "value = ?", whole.replace(old, new))
        assert home.get(KEY) is None


def test_entry_of_another_key(home):
    home.put(KEY, MAP, META)
    change(home, "key = ?", digest({"other": 1}))
    assert home.get({"other": 1}) is None and home.get(KEY) is None


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["SIDELIGHT_BOMB"],)


@pytest.fixture
def bomb(tmp_path, monkeypatch):
    """A pickle that leaves a folder behind when it is loaded, and that folder."""
    monkeypatch.setenv("SIDELIGHT_BOMB", str(tmp_path / "exploded"))
    return pickle.dumps(Bomb()), tmp_path / "exploded"


def through_everything(home):
    """Every way in which a row is touched."""
    for one in (home, again(home)):
        assert one.get(KEY) is None and not one.problem
        one.info()
        one.verify()
        one.put(KEY, MAP, META)
        assert one.get(KEY).meta == META
        one.forget("cd" * 32)
        one.clear()


@pytest.mark.parametrize("mode", [0, 1, 2, 3, 4, "x", None])
def test_a_pickle_in_a_row_is_never_loaded(home, bomb, mode):
    data, exploded = bomb
    home.put(KEY, MAP, META)
    change(home, "mode = ?, value = ?", mode, data)
    through_everything(home)
    assert not exploded.exists()


def test_a_pickled_key_is_never_loaded(home, bomb):
    data, exploded = bomb
    home.put(KEY, MAP, META)
    change(home, "raw = 0, key = ?", data)
    assert home.verify().removed == 1
    through_everything(home)
    assert not exploded.exists()


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_file_that_a_row_names_is_neither_read_nor_deleted(home, bomb, tmp_path, mode, absolute):
    data, exploded = bomb
    secret = tmp_path / "secret.txt"
    secret.write_bytes(encode(canonical(KEY), MAP, META) if mode == 2 else data)
    content = secret.read_bytes()
    home.put(KEY, MAP, META)
    change(home, "mode = ?, filename = ?, value = NULL", mode, str(secret) if absolute else "../secret.txt")
    through_everything(home)
    assert secret.read_bytes() == content and not exploded.exists()


@pytest.mark.parametrize("value", ["text", 7, 1.5, None])
def test_a_value_of_another_type(home, value):
    home.put(KEY, MAP, META)
    change(home, "value = ?", value)
    through_everything(home)


def test_text_that_is_no_utf8(home):
    home.put(KEY, MAP, META)
    change(home, "value = CAST(x'ff00' AS TEXT)")
    assert home.get(KEY) is None
    assert home.verify().removed == 1
    home.put(KEY, MAP, META)
    assert home.get(KEY).meta == META and not home.problem


@pytest.mark.parametrize("name", ["_directory", "disk_evil", "set", "sqlite_temp_store_directory"])
def test_crafted_settings_are_not_taken(home, tmp_path, name):
    home.put(KEY, MAP, META)
    with table(home) as rows_:
        rows_.execute("INSERT INTO Settings VALUES (?, ?)", (name, str(tmp_path / "elsewhere")))
    other = again(home)
    assert "damaged or foreign cache.db" in other.problem and not (tmp_path / "elsewhere").exists()
    assert_runs_from_memory(other)


# --- folders that cannot be used ---


def assert_runs_from_memory(one):
    key = {"fresh": 1}
    one.put(key, MAP, META)
    assert one.get(key).meta == META and one.info().in_memory == 1
    assert one.problem.count(". ") == 0 and one.problem.endswith("SIDELIGHT_CACHE.")
    assert str(one.folder) in one.problem and one.info().problem == one.problem
    assert Store(one.folder, shipped=None).get(key) is None
    with pytest.raises(SidelightError, match="cache folder"):
        one.clear()


@contextlib.contextmanager
def without_rights(folder):
    """Nothing in `folder` can be written: root, whom permissions do not stop, becomes nobody for a while."""
    for path in (folder, *folder.iterdir()):
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.fixture
def public():
    """A folder that another user can enter, as pytest's own cannot."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("other_open", [False, True])
def test_read_only_folder_is_read(public, other_open):
    home = Store(public, shipped=None)
    home.put(KEY, MAP, META)
    if not other_open:
        home._cache.close()
    with without_rights(public):
        one = Store(public, shipped=None)
        assert "cannot be written" in one.problem and one.get(KEY).meta == META
        assert one.info().entries == 1 and one.verify().good == 1
        assert_runs_from_memory(one)


def test_read_only_folder_that_is_empty_or_missing(public):
    with without_rights(public):
        for folder in (public, public / "new"):
            assert_runs_from_memory(Store(folder, shipped=None))


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "cache").write_text("hello")
    one = Store(tmp_path / "cache", shipped=None)
    assert "cannot be written" in one.problem
    assert_runs_from_memory(one)


def test_folder_of_a_newer_version(home):
    home.put(KEY, MAP, META)
    with table(home) as rows_:
        rows_.execute(f"PRAGMA user_version = {rows.VERSION + 1}")
    one = again(home)
    assert "newer version" in one.problem and "update Sidelight" in one.problem and one.get(KEY) is None
    assert_runs_from_memory(one)
    with table(home) as rows_:
        assert rows_.execute("SELECT COUNT(*) FROM Cache").fetchone() == (1,)


@pytest.mark.parametrize("damage", ["not a database", "cut", "overwritten"])
def test_corrupt_file(home, damage):
    for number in range(200):
        home.put({"n": number}, {"map": np.zeros((14, 14))}, META)
    home._cache.close()
    file = home.folder / "cache.db"
    data = file.read_bytes()
    middle = len(data) // 2
    file.write_bytes({
        "not a database": b"hello" * 1000,
        "cut": data[:middle],
        "overwritten": data[:100] + b"\xff" * 5000 + data[5100:],
    }[damage])  # fmt: skip
    one = again(home)
    for number in range(200):
        one.get({"n": number})
    assert "damaged" in one.problem and "delete that file" in one.problem
    assert_runs_from_memory(one)


def test_damage_that_comes_while_running(home):
    for number in range(500):
        home.put({"n": number}, {"map": np.zeros((14, 14))}, META)
    with table(home) as rows_:
        rows_.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    file = home.folder / "cache.db"
    with file.open("r+b") as opened:
        opened.seek(rows.PAGE)
        opened.write(b"\xff" * (file.stat().st_size - rows.PAGE))
    one = threading.Thread(target=lambda: [home.get({"n": number}) for number in range(500)])
    one.start()
    one.join()
    assert "damaged" in home.problem
    assert_runs_from_memory(home)


FULL = """
import resource, sys
import numpy as np
from pathlib import Path
from engine.store import Store
home = Store(Path(sys.argv[1]), shipped=None)
home.put({"n": -1}, {"map": np.ones(8)}, {})
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
for n in range(40):
    home.put({"n": n}, {"map": np.ones(10_000)}, {})
assert "full or failing" in home.problem and "free some space" in home.problem, home.problem
assert home.info().in_memory > 0
assert all(home.get({"n": n}) for n in range(-1, 40))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
home.put({"n": 40}, {"map": np.ones(8)}, {})
assert home.problem == "" and home.info().in_memory == 0
"""


def test_full_disk_and_its_end(home):
    """A file that may grow no more stands for a full disk; when it may again, memory is written out."""
    done = python(FULL, home.folder)
    assert done.returncode == 0, done.stderr
    assert all(home.get({"n": n}) for n in range(-1, 41)) and home.verify().bad == 0


def test_disk_that_was_full_from_the_start(tmp_path, monkeypatch):
    """SQLite has made its file, diskcache could not make its tables."""
    (tmp_path / "cache").mkdir()
    sqlite3.connect(tmp_path / "cache" / "cache.db").execute(f"PRAGMA user_version = {rows.VERSION}")

    def full(folder):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(rows, "open_cache", full)
    one = Store(tmp_path / "cache", shipped=None)
    assert_runs_from_memory(one)
    assert "full or failing" in one.problem and one.info().entries == 0


def test_full_database(home):
    home.put(KEY, MAP, META)
    ((pages,),) = home._cache._sql("PRAGMA page_count").fetchall()
    home._cache._sql(f"PRAGMA max_page_count = {pages}").fetchall()
    for number in range(100):
        home.put({"n": number}, {"map": np.zeros((14, 14))}, META)
    assert "full or failing" in home.problem and home.get(KEY).meta == META
    assert all(home.get({"n": number}) for number in range(100))


def test_memory_has_a_limit(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("in the way")
    monkeypatch.setattr(store, "MEMORY_LIMIT", 10_000)
    one = Store(tmp_path / "cache", shipped=None)
    for number in range(100):
        one.put({"n": number}, {"map": np.zeros(100, np.float32)}, META)
    assert one.get({"n": 0}) is None and one.get({"n": 99}) is not None
    assert 5 < one.info().in_memory < 20


def test_locked_by_another_program(home, monkeypatch):
    monkeypatch.setattr(rows, "PATIENCE", 0.05)
    one = again(home)
    with table(home) as other:
        other.execute("BEGIN EXCLUSIVE")
        one.put(KEY, MAP, META)
        assert "locked by another program" in one.problem and one.get(KEY).meta == META
        other.execute("COMMIT")
    one.put({"next": 1}, MAP, META)
    assert one.problem == "" and home.get(KEY).meta == META


def test_folder_removed_while_running(home):
    home.put(KEY, MAP, META)
    shutil.rmtree(home.folder)
    home.put({"fresh": 1}, MAP, META)
    assert home.problem == "" and again(home).get({"fresh": 1}).meta == META


def test_damaged_file_that_is_deleted_as_advised(home):
    (home.folder / "cache.db").write_bytes(b"hello" * 1000)
    one = again(home)
    one.put(KEY, MAP, META)
    assert "delete that file" in one.problem
    (home.folder / "cache.db").unlink()
    one.put({"next": 1}, MAP, META)
    assert one.problem == "" and again(home).get(KEY).meta == META


# --- many at once ---


def python(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, **options)


WRITER = """
import sys
import numpy as np
from pathlib import Path
from engine.store import Store
home, who = Store(Path(sys.argv[1]), shipped=None), int(sys.argv[2])
for n in range(10**9):
    home.put({"who": who, "n": n}, {"map": np.full((30, 30), n)}, {"n": n})
    assert not home.problem, home.problem
    print(n, flush=True)
    if n == int(sys.argv[3]):
        break
"""


def start(folder, who, last):
    command = [sys.executable, "-c", WRITER, str(folder), str(who), str(last)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_several_processes_share_a_new_folder(tmp_path):
    writers = [start(tmp_path / "cache", who, 99) for who in range(3)]
    for writer in writers:
        writer.communicate(timeout=PATIENCE)
        assert writer.returncode == 0
    one = Store(tmp_path / "cache", shipped=None)
    assert one.info().entries == 300 and one.verify().bad == 0
    assert all(one.get({"who": who, "n": n}).meta == {"n": n} for who in range(3) for n in range(100))


def test_killed_during_a_write(home):
    writer = start(home.folder, 0, -1)
    said = [writer.stdout.readline() for _ in range(200)]
    writer.send_signal(signal.SIGKILL)
    said += writer.stdout.read().splitlines(keepends=True)
    writer.wait()
    one = again(home)
    written = [int(line) for line in said if line.endswith("\n")]
    assert len(written) >= 200 and all(one.get({"who": 0, "n": n}).meta == {"n": n} for n in written)
    assert one.verify().bad == 0 and not one.problem


def test_threads_share_a_store(home):
    wrong = []

    def work(who):
        for n in range(50):
            home.put({"who": who, "n": n}, MAP, {"n": n})
            if home.get({"who": who, "n": n}).meta != {"n": n}:
                wrong.append((who, n))

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and not home.problem and home.info().entries == 200
