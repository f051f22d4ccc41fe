"""The Web API's users.* and usergroups.* methods."""

from bot.doubles.slack import shapes
from bot.doubles.slack.app import App
from bot.doubles.slack.memory import Memory
from bot.doubles.slack.methods import web_method
from bot.doubles.slack.model import Json, Person, SlackError
from bot.doubles.slack.paging import page


class Directory:
    def __init__(self, memory: Memory, app: App) -> None:
        self._memory = memory
        self._app = app

    @web_method("users.info")
    def _info(self, args: Json) -> Json:
        person = self._memory.people.get(str(args["user"]))
        if person is None:
            raise SlackError("user_not_found")
        return {"user": shapes.user(person, self._app)}

    @web_method("users.list")
    def _list(self, args: Json) -> Json:
        members, cursor = page(self._people(), args, default=1000)
        return {
            "members": [shapes.user(each, self._app) for each in members],
            "cache_ts": int(self._memory.clock()),
            "response_metadata": {"next_cursor": cursor},
        }

    @web_method("users.lookupByEmail")
    def _lookup_by_email(self, args: Json) -> Json:
        """Find a person by email. Deactivated people are not found."""
        wanted = str(args["email"]).casefold()
        for person in self._people():
            if person.email and person.email.casefold() == wanted and not person.deleted:
                return {"user": shapes.user(person, self._app)}
        raise SlackError("users_not_found")

    @web_method("usergroups.list")
    def _groups(self, args: Json) -> Json:
        disabled_too, with_users = _yes(args, "include_disabled"), _yes(args, "include_users")
        with self._memory.moved:
            groups = [each for each in self._memory.groups.values() if each.enabled or disabled_too]
        return {"usergroups": [shapes.group(g, self._app, with_users=with_users) for g in groups]}

    @web_method("usergroups.users.list")
    def _group_users(self, args: Json) -> Json:
        group = self._memory.groups.get(str(args["usergroup"]))
        if group is None or (not group.enabled and not _yes(args, "include_disabled")):
            raise SlackError("no_such_subteam")
        return {"users": list(group.users)}

    def _people(self) -> list[Person]:
        """Return the people of this workspace: strangers from a shared channel are in no list."""
        with self._memory.moved:
            people = list(self._memory.people.values())
        return [each for each in people if each.team_id in {None, self._app.team.id}]


def _yes(args: Json, name: str) -> bool:
    return str(args.get(name, "")).lower() in {"true", "1"}
