"""When the policy changes, all running processes follow it, and it decides about old cards too."""

from pathlib import Path

from click.testing import CliRunner, Result

from bot.cli import rotakey
from bot.core.document import Document
from bot.ports.changes import Change
from bot.ports.documents import Key, PolicyInForce, PolicyText
from bot.testing.polling import until
from tests.e2e.rig import ADA, BOB, CAROL, DAN, DB_ACCESS, POLICY, SECURITY, Rig

STRICTER = (
    ("duration: {default: 4h, max: 12h, offer: [1h, 4h, 12h]}", "duration: {default: 1h, max: 2h}"),
    ("approvers: [slack/dba]\n    channel", "approvers: [U02CAR]\n    channel"),
)


def test_every_process_follows_the_newest_file_and_so_do_old_cards(rig: Rig, tmp_path: Path) -> None:
    stricter = tmp_path / "stricter.yaml"
    text = POLICY.read_text("utf-8")
    for before, now in STRICTER:
        assert before in text
        text = text.replace(before, now, 1)
    stricter.write_text(text, "utf-8")
    rig.types(DAN, "request prod-db 1h because it was asked under the old policy")
    rig.types(BOB, "request prod-db 3h because it was asked under the old policy, for long")
    old = rig.card(DB_ACCESS, "it was asked under the old policy")
    long = rig.card(DB_ACCESS, "it was asked under the old policy, for long")
    try:
        with rig.also("worker", ACCESS_FILE=str(stricter)):
            until(lambda: "up to 2 hours" in offered(rig))
            too_long = "12 hours is too long; the maximum is 2 hours. Choose 2 hours or less."
            assert rig.types(ADA, "request prod-db 12h because of the policy") == too_long
        rig.clicks(BOB, old, "approve")
        rig.hears(BOB, "Only approvers of *prod-db* can do this. Ask one of them.")
        rig.clicks(CAROL, long, "approve")
        rig.hears(CAROL, "3 hours is too long; the maximum is 2 hours. Choose 2 hours or less.")
        assert rig.members("orders_rw") == set()
        rig.clicks(CAROL, old, "approve")
        rig.has("orders_rw", "dan")
        with rig.also("worker"):
            until(lambda: [each for each in spoken(rig) if "rotakey policy apply FILE" in each])
            assert "up to 2 hours" in offered(rig), "a restart with the file before changes nothing"
        applied = applies(rig, POLICY)
        assert applied.exit_code == 0
        assert applied.output.startswith(f"{POLICY}: version ")
        until(lambda: "up to 12 hours" in offered(rig))
    finally:
        applies(rig, POLICY)


def test_the_live_access_that_a_policy_does_not_allow_is_named_and_ended_on_demand(
    rig: Rig, tmp_path: Path
) -> None:
    without = tmp_path / "without.yaml"
    without.write_text(POLICY.read_text("utf-8").replace("  prod-db:", "  other-db:", 1), "utf-8")
    rig.types(DAN, "request prod-db 1h because it will leave the policy")
    rig.clicks(CAROL, rig.card(DB_ACCESS, "it will leave the policy"), "approve")
    rig.has("orders_rw", "dan")
    grant = rig.grant("it will leave the policy").id
    try:
        named = applies(rig, without)
        assert "prod-db of " in named.output
        assert "it is no longer in the policy" in named.output
        assert rig.live(grant)
        assert applies(rig, without, "--end").exit_code == 0
        rig.has("orders_rw")
        assert not rig.live(grant)
    finally:
        applies(rig, POLICY)


def test_a_policy_text_that_was_changed_in_redis_opens_nothing_and_closes_nothing(rig: Rig) -> None:
    rig.types(DAN, "request prod-db 1h because it is asked before the text is changed")
    rig.clicks(CAROL, rig.card(DB_ACCESS, "it is asked before the text is changed"), "approve")
    rig.has("orders_rw", "dan")
    version, mine = "0123456789ab", POLICY.read_text("utf-8").replace("slack/dba", "U02ADA")
    forged: dict[Key, Document | None] = {
        Key.of(PolicyText, version): PolicyText(text=mine),
        Key.of(PolicyInForce): PolicyInForce(version=version),
    }
    alarms, doubts = len(alarmed(rig)), doubted(rig)
    try:
        rig.ledger.commit(Change(put=forged))
        assert rig.types(ADA, "request workbench 1h because nobody may stop me") == (
            "I can't trust the policy in force, so I grant nothing now. Giving back and revoking still"
            " work. Ask the people who run Rotakey: `rotakey doctor` shows why."
        )
        until(lambda: alarmed(rig)[alarms:])
        rig.types(DAN, "done prod-db")
        rig.has("orders_rw")
    finally:
        assert applies(rig, POLICY).exit_code == 0
        until(lambda: "I can't" not in rig.types(ADA, "request workbench 1h because all is well"))
    assert len(alarmed(rig)) == alarms + 1
    assert doubted(rig) == doubts + 1
    rig.types(ADA, "done workbench")


def applies(rig: Rig, file: Path, *options: str) -> Result:
    """Apply the policy, as a deployment does."""
    words = ["policy", "apply", str(file), *options]
    return CliRunner().invoke(rotakey, words, env=dict(rig.sandbox.environ))


def spoken(rig: Rig) -> list[str]:
    return [rig.read(each.text) for each in rig.slack.messages(SECURITY)]


def alarmed(rig: Rig) -> list[str]:
    return [each for each in spoken(rig) if "changed the policy text in Redis" in each]


def doubted(rig: Rig) -> int:
    return [each.what for each in rig.entries()].count("policy not followed")


def offered(rig: Rig) -> str:
    [line] = [each for each in rig.listed(ADA, "list") if each.startswith("*prod-db*")]
    return line
