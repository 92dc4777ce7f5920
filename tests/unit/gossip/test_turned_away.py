"""Who was turned away: the last few, and nobody who is in by now."""

from __future__ import annotations

from actors.gossip.turned_away import KEPT_MAX, TurnedAway


def test_the_last_few_are_kept() -> None:
    """Each once, with its last reason; whoever is let in is no longer among them."""
    away = TurnedAway()
    for number in range(KEPT_MAX + 5):
        away.add(float(number), f"h{number}:1", f"n{number}", "no")
    away.add(30.0, "h10:1", "n10", "still no")
    away.remove("h20:1")
    away.remove("nowhere:1")

    report = away.report(31.0)

    assert report[0] == {"address": "h10:1", "name": "n10", "reason": "still no", "age_s": 1.0}
    assert [one["name"] for one in report[1:4]] == ["n19", "n18", "n17"]
    assert len(report) == KEPT_MAX - 1
