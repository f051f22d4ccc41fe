"""The app as its manifest installs it: ids, scopes, commands, events, tokens."""

import re
from dataclasses import dataclass, field
from typing import cast

from bot.doubles.slack.model import Json, Team


@dataclass(frozen=True, kw_only=True)
class App:
    manifest: Json
    bot_token: str = field(repr=False)
    signing_secret: str = field(repr=False)
    app_token: str = field(repr=False)
    team: Team

    @property
    def name(self) -> str:
        return str(self._section("features", "bot_user").get("display_name", "bot"))

    @property
    def user_id(self) -> str:
        return "U0" + re.sub(r"[^A-Z0-9]", "", self.name.upper())

    @property
    def bot_id(self) -> str:
        return "B" + self.user_id[1:]

    @property
    def app_id(self) -> str:
        return "A" + self.user_id[1:]

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(self._section("oauth_config", "scopes").get("bot", ()))

    @property
    def commands(self) -> dict[str, Json]:
        """Return the slash commands by name; none at all without the `commands` scope."""
        listed = self.manifest.get("features", {}).get("slash_commands", [])
        return {each["command"]: each for each in listed if "commands" in self.scopes}

    @property
    def events(self) -> tuple[str, ...]:
        return tuple(self._section("settings", "event_subscriptions").get("bot_events", ()))

    @property
    def home_enabled(self) -> bool:
        return bool(self._section("features", "app_home").get("home_tab_enabled", False))

    @property
    def messages_enabled(self) -> bool:
        return bool(self._section("features", "app_home").get("messages_tab_enabled", True))

    @property
    def interactive(self) -> bool:
        return bool(self._section("settings", "interactivity").get("is_enabled", False))

    def _section(self, first: str, second: str) -> Json:
        return cast("Json", self.manifest.get(first, {}).get(second) or {})
