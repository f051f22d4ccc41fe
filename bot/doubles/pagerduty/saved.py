"""The pager's values as JSON, and back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from bot.doubles.pagerduty.rota import Direct, Policy, Rotation, Schedule, Stint, User

Json = dict[str, Any]


def as_json(value: User | Schedule | Direct) -> Json:
    return {name: _plain(each) for name, each in asdict(value).items()}


def user_of(saved: Json) -> User:
    return User(**saved)


def direct_of(saved: Json) -> Direct:
    return Direct(user=saved["user"], policy=Policy(**saved["policy"]))


def schedule_of(saved: Json) -> Schedule:
    return Schedule(
        id=saved["id"],
        name=saved["name"],
        shift_based=saved["shift_based"],
        policies=tuple(Policy(**each) for each in saved["policies"]),
        layers=tuple(_rotation(each) if "turn" in each else _stint(each) for each in saved["layers"]),
        overrides=tuple(_stint(each) for each in saved["overrides"]),
    )


def _plain(value: object) -> object:
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
    return value


def _stint(saved: Json) -> Stint:
    return Stint(**{**saved, **_times(saved)})


def _rotation(saved: Json) -> Rotation:
    kept = {"users": tuple(saved["users"]), "turn": timedelta(seconds=saved["turn"])}
    return Rotation(**{**saved, **_times(saved), **kept})


def _times(saved: Json) -> Json:
    return {name: datetime.fromisoformat(saved[name]) for name in ("start", "end")}
