"""The shape of access.yaml: the keys, and the values that each may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    Tag,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails

from bot.config.forms import (
    Account,
    Approver,
    Asker,
    Channel,
    Domain,
    FilePath,
    FolderPath,
    GroupName,
    Level,
    Line,
    Name,
    Pattern,
    PersonId,
    ResourceName,
    Schedule,
    Several,
    Share,
    TargetName,
    Workspace,
    file_context,
    suggestion,
)
from bot.kinds.table import SOURCE_SETTINGS, TARGET_SETTINGS
from bot.settings import (
    Between,
    Given,
    Length,
    Settings,
    SourceSettings,
    TargetSettings,
    unlike,
)
from bot.slack.grammar.likeness import nearest

# ------------------------------------------------------------------------------------------ selectors


class OnCallShape(Settings):
    """Anyone who is on call. If only the schedule matters, its name alone is enough."""

    schedule: Schedule
    """The schedule, with its source in front."""
    levels: Several[Level] = ()
    """Escalation levels that count; without it all do."""

    @model_validator(mode="before")
    @classmethod
    def _in_short(cls, value: object) -> object:
        return {"schedule": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        full = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [full["properties"]["schedule"], full]}


class ShiftShape(OnCallShape):
    grace: Annotated[Length, Between("1s", "7d")] = 0
    """The longest by which access may outlast the shift."""


class OnCallPeople(Settings):
    on_call: OnCallShape
    """Anyone who is on call for this schedule."""


class OnCallRule(Settings):
    on_call: ShiftShape
    """Anyone who is on call for this schedule, until their shift ends."""


class GroupRule(Settings):
    in_group: GroupName
    """Anyone in this Slack group."""


RULES = ("on_call", "in_group")


def _rule(value: object) -> str | None:
    """Return the tag of the rule that is meant, so that a misspelling is one mistake."""
    if not isinstance(value, Mapping) or all(rule in value for rule in RULES):
        return None
    exact = [rule for rule in RULES if rule in value]
    near = [rule for key in value for rule in nearest(str(key), RULES)]
    return next((f"?{rule}" for rule in (*exact, *near)), None)


def _text_or_on_call(value: object) -> str:
    return "?on_call" if isinstance(value, Mapping) else "?text"


AutomaticRule = Annotated[
    Annotated[OnCallRule, Tag("?on_call")] | Annotated[GroupRule, Tag("?in_group")],
    Discriminator(
        _rule,
        custom_error_type="wrong",
        custom_error_message="must be exactly one known rule; write {on_call: …} or {in_group: …}",
    ),
]
WhoMayAsk = Annotated[
    Annotated[Asker, Tag("?text")] | Annotated[OnCallPeople, Tag("?on_call")],
    Discriminator(_text_or_on_call),
]
WhoApproves = Annotated[
    Annotated[Approver, Tag("?text")] | Annotated[OnCallPeople, Tag("?on_call")],
    Discriminator(_text_or_on_call),
]


# ------------------------------------------------------------------------------------------- resources


class LengthsShape(Settings):
    max: Annotated[Length, Between("1m", "90d")]
    """The longest that may be requested."""
    min: Length = 1
    """The shortest that may be requested."""
    default: Length | None = None
    """Taken if the person names none; without it 1h, as far as min and max allow."""
    offer: Several[Length] = ()
    """The lengths that are offered to choose from."""

    @field_validator("min", "default", "offer")
    @classmethod
    def _fits(cls, value: int | tuple[int, ...] | None, info: ValidationInfo) -> int | tuple[int, ...] | None:
        least, most = info.data.get("min", 1), info.data.get("max")
        if isinstance(value, int) and (objection := _unfit(value, least, most)):
            raise unlike(objection)
        wrongs = [
            InitErrorDetails(type=unlike(objection), loc=(place,), input=None)
            for place, each in enumerate(value if isinstance(value, tuple) else ())
            if (objection := _unfit(each, least, most))
        ]
        if wrongs:
            raise ValidationError.from_exception_data("lengths", wrongs)
        return value


def _unfit(seconds: int, least: int, most: int | None) -> str | None:
    if most is not None and seconds > most:
        return "is longer than max; shorten it, or raise max"
    if seconds < least:
        return "is shorter than min; lengthen it, or lower min"
    return None


class ReasonShape(Settings):
    pattern: Pattern
    """A regular expression that must be found in the reason."""
    say: Line | None = None
    """The same in words, for people: an incident number."""


Reason = Annotated[
    Annotated[Literal["required", "optional"], Tag("?word")] | Annotated[ReasonShape, Tag("?pattern")],
    Discriminator(lambda value: "?pattern" if isinstance(value, Mapping) else "?word"),
]


class _AnyGiven(Given):
    """The checks on an entitlement whose target, or its kind, is not known."""

    model_config = ConfigDict(extra="allow")
    target: TargetName


def _parse_given(value: object, info: ValidationInfo) -> Given:
    target = value.get("target") if isinstance(value, Mapping) else None
    kind = file_context(info).kinds.get(target) if isinstance(target, str) else None
    shape = TARGET_SETTINGS[kind].gives if kind and kind in TARGET_SETTINGS else _AnyGiven
    return shape.model_validate(value, context=info.context)


def _gives_schemas() -> list[dict[str, object]]:
    """Return the schemas of what can be given, each with the kinds of target that take it in its comment."""
    kinds: dict[type[Given], list[str]] = {}
    for name, kind in TARGET_SETTINGS.items():
        kinds.setdefault(kind.gives, []).append(name)
    return [
        {**gives.model_json_schema(), "$comment": f"kind: {' or '.join(names)}"}
        for gives, names in kinds.items()
    ]


class ResourceShape(Settings):
    title: Line
    """The name that people read."""
    gives: Several[
        Annotated[
            Given,
            PlainValidator(_parse_given),
            WithJsonSchema({"anyOf": _gives_schemas()}),
        ]
    ]
    """The access that its holder gets at the targets."""
    who_may_ask: Several[WhoMayAsk] = ("everyone",)
    """The people who may request it; everyone means all full members of the Slack workspace."""
    duration: LengthsShape = LengthsShape.model_validate({"max": "12h"})
    """The lengths that may be requested; without it 1h, at most 12h."""
    reason: Reason = "required"
    """Says whether people have to give a reason."""
    approve_automatically: Several[AutomaticRule] = ()
    """Anyone who fits one of these needs no approval. They are tried in this order."""
    approvers: Several[WhoApproves] = ()
    """The people who may approve. Nobody approves their own request."""
    approvals: Annotated[int, Field(ge=1, le=99)] = 1
    """The number of different people who have to approve."""
    on_shift: ShiftShape | None = None
    """Anyone who is on call here has it from the start of the shift to its end, without requesting it."""
    one_holder: bool = False
    """Only one person may have it at a time."""
    channel: Channel | None = None
    """The channel where approvers are asked; without it, in direct messages."""
    lapse_after: Annotated[Length, Between("1m", "7d")] = 3_600
    """The time after which a request that nobody has decided expires."""
    hidden: bool = False
    """It reads as if it did not exist, except to those who may request or approve it, and to security
    people."""

    @field_validator("approvals")
    @classmethod
    def _enough_approvers(cls, value: int, info: ValidationInfo) -> int:
        approvers = info.data.get("approvers")
        if approvers is None or value == 1:
            return value
        if not approvers:
            raise unlike("needs approvers, but none are named; name some, or remove it")
        people = {each for each in approvers if isinstance(each, str) and not each.startswith("slack/")}
        if value > len(people) and all(each in people for each in approvers):
            raise unlike(
                "is more than the people named as approvers; name more of them, or require fewer approvals"
            )
        return value


# ------------------------------------------------------------------------------------------- the file


class PeopleShape(Settings):
    email_domains: Several[Domain] = ()
    """Anyone with an address elsewhere is refused."""
    accounts: dict[PersonId, dict[TargetName, Account]] = Field(default_factory=dict)
    """The account of a person at a target, if it is not their email address."""


class SecurityShape(Settings):
    channel: Channel
    """The channel where trouble is reported: access that could not be revoked, schedules that cannot be
    read."""
    people: Several[WhoApproves] = ()
    """The people who may revoke anything, stop somebody or everything, and accept what needs a person to
    decide."""
    revoked_for: Annotated[Length, Between("1m", "30d")] = 24 * 3_600
    """The time for which no rule and no shift gives back what somebody revoked, unless an approver
    does."""


LEAST_KEPT = 90 * 86_400


class AnchorShape(Settings):
    """The places outside Redis where the newest seal of the audit is kept."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})
    file: FilePath | None = None
    """One line in a file on the machine of each worker; it shows if Redis came back older."""
    channel: Channel | None = None
    """A message in a channel, at most one an hour."""

    @model_validator(mode="after")
    def _somewhere(self) -> AnchorShape:
        if self.file is None and self.channel is None:
            raise unlike(
                "names neither a file nor a channel; write {file: /var/lib/rotakey/anchor}, or a channel, or"
                " both"
            )
        return self


class ArchiveShape(Settings):
    dir: FolderPath
    """A folder on the machine of each worker, best one that they share. Entries are dropped from Redis only
    once they could be read back from there."""


class AuditShape(Settings):
    anchor: AnchorShape
    archive: ArchiveShape | None = None
    """The place for audit entries that are dropped from Redis; without it they are gone."""


class StraysShape(Settings):
    mode: Literal["ask", "enforce", "report"] = "ask"
    """What becomes of access that the bot once granted and no grant accounts for: its approvers are asked, it
    is revoked, or it is only reported."""
    every: Annotated[Length, Between("1m", "24h")] = 600
    """The interval at which each target is searched for strays."""
    share: Share = "25%"
    """The most of what is held at a target that is revoked at once without asking; if it is more, nothing
    is."""


def _of_kind(kinds: Mapping[str, type[Settings]]) -> Callable[[object, ValidationInfo], Settings]:
    def there_is(kind: str) -> str:
        if kind not in kinds:
            raise unlike(f"is not a known kind; {suggestion(kind, kinds, 'correct it')}")
        return kind

    class Kind(Settings):
        model_config = ConfigDict(extra="allow")
        kind: Annotated[str, AfterValidator(there_is)]

    def read(value: object, info: ValidationInfo) -> Settings:
        kind = Kind.model_validate(value).kind
        return kinds[kind].model_validate(value, context=info.context)

    return read


def _any_of(kinds: Mapping[str, type[Settings]]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [kind.model_json_schema() for kind in kinds.values()]})


Source = Annotated[SourceSettings, PlainValidator(_of_kind(SOURCE_SETTINGS)), _any_of(SOURCE_SETTINGS)]
Target = Annotated[TargetSettings, PlainValidator(_of_kind(TARGET_SETTINGS)), _any_of(TARGET_SETTINGS)]


class File(Settings):
    """All of access.yaml."""

    workspace: Workspace = "main"
    """A name that keeps several bots apart in one Redis."""
    people: PeopleShape = PeopleShape()
    """The people who may get access at all, and their accounts at targets."""
    oncall: dict[Name, Source] = Field(default_factory=dict)
    """The sources that know who is on call, by the name that schedules begin with."""
    targets: dict[Name, Target] = Field(default_factory=dict)
    """The systems where access is granted."""
    resources: Annotated[dict[ResourceName, ResourceShape], Field(min_length=1)]
    """The resources that people request, by the name they request them by."""
    security: SecurityShape | None = None
    """The people who watch over access, and the channel where trouble is reported."""
    audit: AuditShape | None = None
    """The protection of the audit against unseen changes."""
    keep: Length | None = None
    """The time for which ended grants and audit entries are kept in Redis, at least 90d; without it for ever.
    It needs an anchor in a file, by which a worker knows what is old."""
    strays: StraysShape = StraysShape()
    """The search for access that no grant accounts for."""
    sweep: StraysShape | None = Field(default=None, json_schema_extra={"deprecated": True})
    """The earlier name of strays."""

    @field_validator("sweep")
    @classmethod
    def _one_name(cls, value: StraysShape | None, info: ValidationInfo) -> StraysShape | None:
        if value is not None and info.data.get("strays") != StraysShape():
            raise unlike("is the earlier name of strays, which is here, too; remove one of them")
        return value

    @field_validator("keep")
    @classmethod
    def _keeps(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value < LEAST_KEPT:
            raise unlike("is too short for an audit; write 90d or more")
        if value is not None and "audit" in info.data:
            audit = info.data["audit"]
            if audit is None or audit.anchor.file is None:
                raise unlike(
                    "needs an anchor file, which shows what is old; write audit: {anchor: {file: …}}"
                )
        return value
