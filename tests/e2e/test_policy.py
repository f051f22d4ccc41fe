"""A policy is changed while the bot runs: all processes follow, and old cards are judged by it."""

from pathlib import Path

from click.testing import CliRunner, Result

from bot.cli import rotakey
from bot.ports.changes import Change
from bot.ports.documents import Document, Key, PolicyInForce, PolicyText
from tests.e2e.deployment import ADA, BOB, CAROL, DAN, DB_ACCESS, POLICY, SECURITY, Town, until

STRICTER = (
    ("duration: {default: 4h, max: 12h, offer: [1h, 4h, 12h]}", "duration: {default: 1h, max: 2h}"),
    ("approvers: [slack/dba]\n    channel", "approvers: [U02CAR]\n    channel"),
)


def test_every_process_follows_the_newest_file_and_so_do_old_cards(town: Town, tmp_path: Path) -> None:
    stricter = tmp_path / "stricter.yaml"
    text = POLICY.read_text("utf-8")
    for before, now in STRICTER:
        assert before in text
        text = text.replace(before, now, 1)
    stricter.write_text(text, "utf-8")
    town.types(DAN, "request prod-db 1h because it was asked under the old policy")
    town.types(BOB, "request prod-db 3h because it was asked under the old policy, for long")
    old = town.card(DB_ACCESS, "it was asked under the old policy")
    long = town.card(DB_ACCESS, "it was asked under the old policy, for long")
    try:
        with town.also("worker", ACCESS_FILE=str(stricter)):
            until(lambda: "up to 2 hours" in offered(town))
            too_long = "12 hours is too long: 2 hours is the most. Ask for 2 hours or less."
            assert town.types(ADA, "request prod-db 12h because of the policy") == too_long
        town.clicks(BOB, old, "approve")
        town.hears(
            BOB, "Only approvers of *prod-db* can do this, and you are not one of them. Ask one of them."
        )
        town.clicks(CAROL, long, "approve")
        town.hears(CAROL, "3 hours is too long: 2 hours is the most. Ask for 2 hours or less.")
        assert town.members("orders_rw") == set()
        town.clicks(CAROL, old, "approve")
        town.has("orders_rw", "dan")
        with town.also("worker"):
            until(lambda: [each for each in spoken(town) if "rotakey policy apply FILE" in each])
            assert "up to 2 hours" in offered(town), "a restart with the file before changes nothing"
        applied = applies(town, POLICY)
        assert applied.exit_code == 0
        assert applied.output.startswith(f"{POLICY}: version ")
        until(lambda: "up to 12 hours" in offered(town))
    finally:
        applies(town, POLICY)


def test_the_live_access_that_a_policy_does_not_allow_is_named_and_ended_on_demand(
    town: Town, tmp_path: Path
) -> None:
    without = tmp_path / "without.yaml"
    without.write_text(POLICY.read_text("utf-8").replace("  prod-db:", "  other-db:", 1), "utf-8")
    town.types(DAN, "request prod-db 1h because it will leave the policy")
    town.clicks(CAROL, town.card(DB_ACCESS, "it will leave the policy"), "approve")
    town.has("orders_rw", "dan")
    grant = town.grant("it will leave the policy").id
    try:
        named = applies(town, without)
        assert "prod-db of " in named.output
        assert "it is no longer in the policy" in named.output
        assert town.live(grant)
        assert applies(town, without, "--end").exit_code == 0
        town.has("orders_rw")
        assert not town.live(grant)
    finally:
        applies(town, POLICY)


def test_a_policy_text_that_was_changed_in_redis_opens_nothing_and_closes_nothing(town: Town) -> None:
    town.types(DAN, "request prod-db 1h because it is asked before the text is changed")
    town.clicks(CAROL, town.card(DB_ACCESS, "it is asked before the text is changed"), "approve")
    town.has("orders_rw", "dan")
    version, mine = "0123456789ab", POLICY.read_text("utf-8").replace("slack/dba", "U02ADA")
    forged: dict[Key, Document | None] = {
        Key.of(PolicyText, version): PolicyText(text=mine),
        Key.of(PolicyInForce): PolicyInForce(version=version),
    }
    alarms, doubts = len(alarmed(town)), doubted(town)
    try:
        town.ledger.commit(Change(put=forged))
        assert town.types(ADA, "request workbench 1h because nobody may stop me") == (
            "I cannot trust the policy in force, so I grant nothing now. Giving back and revoking still"
            " work. Ask the people who run Rotakey: `rotakey doctor` says why."
        )
        until(lambda: alarmed(town)[alarms:])
        town.types(DAN, "done prod-db")
        town.has("orders_rw")
    finally:
        assert applies(town, POLICY).exit_code == 0
        until(lambda: "I cannot" not in town.types(ADA, "request workbench 1h because all is well"))
    assert len(alarmed(town)) == alarms + 1
    assert doubted(town) == doubts + 1
    town.types(ADA, "done workbench")


def applies(town: Town, file: Path, *options: str) -> Result:
    """The step of a deployment."""
    words = ["policy", "apply", str(file), *options]
    return CliRunner().invoke(rotakey, words, env=dict(town.sandbox.environ))


def spoken(town: Town) -> list[str]:
    return [town.read(each.text) for each in town.slack.messages(SECURITY)]


def alarmed(town: Town) -> list[str]:
    return [each for each in spoken(town) if "changed the policy text in Redis" in each]


def doubted(town: Town) -> int:
    return [each.what for each in town.entries()].count("policy not followed")


def offered(town: Town) -> str:
    [line] = [each for each in town.listed(ADA, "list") if each.startswith("*prod-db*")]
    return line
