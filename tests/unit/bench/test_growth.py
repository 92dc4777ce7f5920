"""The file of a long way of puts."""

from __future__ import annotations

from pathlib import Path

from bench.growth_points import Point, load, save


def test_points_are_read_as_they_were_written(tmp_path: Path) -> None:
    """To a tenth, from which a picture is drawn again."""
    points = [
        Point(100, 20_000.04, 5.5, 9.0, 570.2, 768.0, 4.0, 957, 12.3),
        Point(200, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7, 8.0),
    ]
    save(points, tmp_path / "growth.csv")

    assert load(tmp_path / "growth.csv") == [
        Point(100, 20_000.0, 5.5, 9.0, 570.2, 768.0, 4.0, 957, 12.3),
        points[1],
    ]
