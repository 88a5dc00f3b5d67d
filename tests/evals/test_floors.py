"""What breaks a floor is told, and only that."""

from __future__ import annotations

import pytest

from evals import floors
from evals.run import thinned


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"right": 80.0, "wrong": 5.0}, ""),
        ({"right": 79.9, "wrong": 5.0}, "tasks: right 79.9 % is below the floor of 80 %"),
        ({"right": 99.0, "wrong": 5.1}, "tasks: wrong 5.1 % is above the limit of 5 %"),
    ],
)
def test_less_than_the_least_or_more_than_the_most_breaks(
    numbers: dict[str, float], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(floors, "floors", lambda: {"tasks": {"right": 80, "wrong": 5}, "not measured": {"right": 100}})
    assert floors.hold({"tasks": numbers, "without a floor": {"right": 0.0}}) == (1 if said else 0)
    assert capsys.readouterr().err.strip() == said


def test_every_floor_is_of_a_known_number() -> None:
    known = {"exact", "right", "precision", "recall", "qualified", *floors.LIMITS}
    assert {name for numbers in floors.floors().values() for name in numbers} <= known


def test_of_a_large_set_a_part_holds_every_voice() -> None:
    cases = {name: [f"{name} {voice}" for voice in range(4)] for name in map(str, range(150))}
    assert thinned(cases, 1) == cases
    parts = [text for texts in thinned(cases, 3).values() for text in texts]
    assert len(parts) == 200
    assert {text[-1] for text in parts} == set("0123")


def test_of_a_small_set_all_is_asked() -> None:
    cases = {"one": ["a", "b", "c"]}
    assert thinned(cases, 3) == cases
