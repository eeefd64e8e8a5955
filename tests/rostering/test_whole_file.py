"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from rostering.formats.whole_file import whole


def cut_short(path: Path) -> None:
    """A write that the disk ends."""
    with whole(path=path) as aside:
        aside.write_text("ha")
        raise OSError("full")


def test_what_was_there_stays_until_all_is_written(tmp_path: Path) -> None:
    """Half a solution over a whole one when the disk is full; two files in one folder that write to the same place."""
    first, second = tmp_path / "a.sol.json.gz", tmp_path / "b.sol.json.gz"
    first.write_text("was")
    with whole(path=first) as aside, whole(path=second) as other:
        aside.write_text("is")
        other.write_text("new")
        assert (first.read_text(), second.exists()) == ("was", False)
    assert (first.read_text(), second.read_text()) == ("is", "new")
    with pytest.raises(OSError, match="full"):
        cut_short(first)
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.name, second.name]
    assert first.read_text() == "is"
