"""``rotakey audit`` verifies, exports and shows what Bob approved, from a real Valkey and from files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from bot.cli import rotakey
from bot.core.audit.anchor import text_of
from bot.core.audit.chain import read_seal
from bot.evidence.anchor_file import AnchorFile
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Due, Entry
from bot.testing.cast import BOB, DAN, NINE
from bot.testing.story import Story
from bot.testing.valkey import Valkey, valkey
from bot.usecases.audit.evidence import examine, lines
from bot.usecases.audit.restore import accept_restore
from bot.usecases.audit.seal import SEAL, Sealing
from tests.paths import ROOT

POLICY = """\
workspace: {workspace}
targets: {{orders-db: {{kind: postgres, url: "${{ORDERS_DB_URL}}"}}}}
resources:
  prod-db:
    title: Orders database
    gives: [{{target: orders-db, role: orders_rw}}]
    approvers: [slack/dba]
"""


@dataclass(frozen=True)
class Auditor:
    """``rotakey audit`` on a machine that has Redis and access.yaml, and no other secret."""

    redis: Redis
    environ: dict[str, str]
    workspace: str
    folder: Path

    def runs(self, *words: str | Path) -> Result:
        return CliRunner().invoke(rotakey, ["audit", *map(str, words)], env=self.environ)

    def export(self) -> Path:
        path = self.folder / "audit.jsonl"
        exported = self.runs("export", path)
        assert (exported.exit_code, exported.output) == (0, "")
        return path

    def take_over(self, story: Story, spoilt: Callable[[str], str] = str) -> None:
        """Copy what the story wrote into Redis; each entry goes through ``spoilt`` first."""
        self.redis.delete(f"{self.name}:audit", f"{self.name}:seals")
        for entry in story.memory.written_entries(count=10_000):
            self.redis.xadd(f"{self.name}:audit", {"e": spoilt(entry.text)}, id=entry.name)
        for seal in story.memory.seals(count=10_000):
            self.redis.xadd(f"{self.name}:seals", {"s": seal.text}, id=f"{seal.number}-0")

    @property
    def name(self) -> str:
        return f"rotakey:{{{self.workspace}}}"


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with valkey() as running:
        yield running


@pytest.fixture
def auditor(server: Valkey, tmp_path: Path) -> Iterator[Auditor]:
    workspace = uuid.uuid4().hex
    policy = tmp_path / "access.yaml"
    policy.write_text(POLICY.format(workspace=workspace))
    with Redis.from_url(server.url) as redis:
        environ = {"REDIS_URL": server.url, "ACCESS_FILE": str(policy)}
        yield Auditor(redis, environ, workspace, tmp_path)


@pytest.fixture
def story() -> Story:
    """Return a story in which Dan asks at nine, Bob approves, Dan gives it back, and all of it is sealed."""
    story = Story(sealed=True)
    approved(story)
    return story


def approved(story: Story) -> str:
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, grant)
    story.pass_time(60)
    story.give_back(DAN)
    story.pass_time(60)
    return grant


def head(story: Story) -> str:
    found = examine(lines(story.memory)).head
    assert found
    return found.short


# -------------------------------------------------------------------------------------------- verify


def test_what_nobody_touched_is_good_in_redis_and_in_a_file(auditor: Auditor, story: Story) -> None:
    auditor.take_over(story)
    entries, seals = len(story.audit()), len(story.memory.seals())
    said = (
        f"good: {entries} entries, {seals} seals\n"
        f"for --anchor next time, keep this somewhere else: {head(story)}\n"
    )
    for where in ((), (auditor.export(),)):
        proved = auditor.runs("verify", *where, "--anchor", head(story))
        assert (proved.exit_code, proved.output) == (0, said)


def test_an_export_is_whole_and_says_what_it_is(auditor: Auditor, story: Story) -> None:
    auditor.take_over(story)
    path = auditor.export()
    said = [json.loads(line) for line in path.read_text().splitlines()]
    assert said[0]["workspace"] == auditor.workspace
    assert [line["text"] for line in said if "entry" in line] == [
        each.text for each in story.memory.written_entries(count=1_000)
    ]
    assert said[-1] == {"end": {"entries": len(story.audit()), "seals": len(story.memory.seals())}}
    assert auditor.runs("export").output.splitlines()[1:] == path.read_text().splitlines()[1:]
    assert sorted(each.name for each in auditor.folder.iterdir()) == ["access.yaml", "audit.jsonl"]


def test_what_somebody_changed_in_redis_is_found(auditor: Auditor, story: Story) -> None:
    [entry] = [each for each in story.memory.written_entries(count=1_000) if '"what":"approved"' in each.text]
    auditor.take_over(story, lambda it: it.replace('"by":"U03BOB"', '"by":"U04CAROL"'))
    proved = auditor.runs("verify")
    assert proved.exit_code == 1
    assert f": entry {entry.name} was changed" in proved.output
    assert proved.output.splitlines()[-1].startswith("not good: ")


def test_what_somebody_took_out_of_redis_is_found(auditor: Auditor, story: Story) -> None:
    approved(story)
    auditor.take_over(story)
    [one, other] = story.memory.written_entries(count=2)
    auditor.redis.xdel(f"{auditor.name}:audit", other.name)
    auditor.redis.xdel(f"{auditor.name}:seals", "2-0")
    proved = auditor.runs("verify")
    assert proved.exit_code == 1
    assert [line for line in proved.output.splitlines() if line.startswith("WRONG")] == [
        f"WRONG: seal 1 does not match what it seals: 1 of {one_seal(story)} entries missing, the first"
        f" after {one.name}",
        "WRONG: seal 2 is missing before seal 3",
    ]


def test_what_somebody_wrote_by_hand_keeps_nobody_from_looking(auditor: Auditor, story: Story) -> None:
    auditor.take_over(story)
    auditor.redis.xadd(f"{auditor.name}:audit", {"e": b"\xff{"})
    auditor.redis.xadd(f"{auditor.name}:audit", {"mood": "curious"})
    auditor.redis.xadd(f"{auditor.name}:seals", {"s": b"\xff{"}, id="7-0")
    for where in ((), (auditor.export(),)):
        proved = auditor.runs("verify", *where)
        assert proved.exit_code == 1
        assert "WRONG: seal 7 cannot be read: " in proved.output
        assert auditor.runs("show", story.audit()[-1].grant or "", *where).exit_code == 0


def one_seal(story: Story) -> int:
    found: int = json.loads(story.memory.seals()[0].text)["count"]
    return found


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda it: it[:-1], "the file is truncated: its last line is missing"),
        (lambda it: [*it[:3], *it[4:]], "lines were added or removed: there were "),
        (lambda it: [*it, it[1]], "comes after the end"),
        (lambda it: it[1:], "line 1: this is not an audit export that this version of Rotakey can read"),
        (lambda it: [it[0], "nonsense", *it[1:]], "line 2: is not valid JSON"),
        (lambda it: [it[0], "[]", *it[1:]], "line 2: does not belong in an export"),
        (lambda it: [it[0], '{"mood": 1}', *it[1:]], "line 2: is neither an entry nor a seal"),
        (lambda it: [it[0], '{"entry": "1-0", "at": "now", "text": ""}', *it[1:]], "line 2: "),
        (lambda it: [], "the file is truncated: its last line is missing"),
    ],
)
def test_a_file_that_is_not_whole_is_found_wrong(
    auditor: Auditor, story: Story, spoil: Callable[[list[str]], list[str]], told: str
) -> None:
    auditor.take_over(story)
    path = auditor.export()
    path.write_text("".join(f"{line}\n" for line in spoil(path.read_text().splitlines())))
    proved = auditor.runs("verify", path)
    assert proved.exit_code == 1
    assert told in proved.output


def test_a_tail_that_was_cut_off_is_missed_by_who_kept_the_line_or_the_file(
    auditor: Auditor, story: Story
) -> None:
    auditor.take_over(story)
    auditor.export()
    approved(story)
    kept = examine(lines(story.memory)).head
    assert kept
    file = auditor.folder / "anchor"
    file.write_text(text_of(kept))
    for anchor in (kept.short, kept.head, file):
        proved = auditor.runs("verify", auditor.folder / "audit.jsonl", "--anchor", anchor)
        assert proved.exit_code == 1
        assert "is missing: the audit was truncated or restored to an older state" in proved.output


def test_a_restore_is_found_until_it_is_accepted(auditor: Auditor, story: Story) -> None:
    backup = story.memory.backup()
    approved(story)
    kept = head(story)
    story.memory.restore(backup)
    story.guard.look(None)
    auditor.take_over(story)
    assert auditor.runs("verify", "--anchor", kept).exit_code == 1
    accept_restore(story.ledger, story.memory, None, by="carol", why="disk lost")
    story.pass_time(60)
    auditor.take_over(story)
    proved = auditor.runs("verify", "--anchor", kept)
    assert proved.exit_code == 0
    assert "by carol (disk lost); seal 4 was given up" in proved.output


def test_what_was_signed_is_proved_with_the_public_key(auditor: Auditor) -> None:
    pytest.importorskip("cryptography", reason="the extra [audit] is not installed")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    from bot.evidence.signing import SigningKey  # noqa: PLC0415
    from tests.evidence.test_signing import private, public  # noqa: PLC0415

    ours, another = (Ed25519PrivateKey.generate() for _ in range(2))
    story = Story(sealed=True)
    story.sealing = replace(story.sealing, signer=SigningKey(private(ours)))
    approved(story)
    auditor.take_over(story)
    path = auditor.export()
    for name, key in (("ours", ours), ("another", another)):
        (auditor.folder / name).write_bytes(public(key))
    assert auditor.runs("verify", path, "--public-key", auditor.folder / "ours").exit_code == 0
    both = ("--public-key", auditor.folder / "another", "--public-key", auditor.folder / "ours")
    assert auditor.runs("verify", path, *both).exit_code == 0
    proved = auditor.runs("verify", path, "--public-key", auditor.folder / "another")
    assert proved.exit_code == 1
    assert "WRONG: no seal is signed with this key\n" in proved.output
    assert auditor.runs("verify", path, "--public-key", path).exit_code == 2


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_it_goes_as_its_page_says(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    signing = pytest.importorskip("bot.evidence.signing", reason="the extra [audit] is not installed")
    page = (ROOT / "docs" / "audit.md").read_text("utf-8")
    [block] = re.findall(r"(?ms)^```sh\n(.*?)^```$", page)
    monkeypatch.chdir(auditor.folder)
    story = Story(sealed=True)
    story.anchor = AnchorFile(auditor.folder / "anchor")
    grant = ""
    for line in block.replace("/var/lib/rotakey/anchor", "anchor").splitlines():
        program, *words = line.partition("#")[0].split()
        if program == "openssl":
            subprocess.run([program, *words], check=True, capture_output=True)
            continue
        if not grant:
            key = signing.SigningKey(Path("audit-key.pem").read_text())
            story.sealing = replace(story.sealing, signer=key)
            grant = approved(story)
            auditor.take_over(story)
        told = auditor.runs(*(grant if word == "GRANT" else word for word in words[1:]))
        assert told.exit_code == 0, told.output


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"entry": "1772442000000-0", "at": "2026-03-02T09:00:00Z", "text": "\\ud800"}', "line 2: "),
        ('{"entry": "1-0", "at": "0001-01-01T00:00:00+23:00", "text": ""}', "is not a date"),
        ("[" * 200_000, "line 2: is not valid JSON"),
        (json.dumps({"seal": 1, "text": "[" * 200_000}), "WRONG: seal 1 cannot be read: "),
        (
            json.dumps(
                {"seal": 1, "text": '{"form": 1, "accepted": null, "at": "9999-12-31T23:59:59-23:00"}'}
            ),
            "WRONG: seal 1 cannot be read: ",
        ),
        ('{"entry": "\\ud800\\u001b[2J", "at": "2026-03-02T09:00:00Z", "text": ""}', "'\\ud800\\x1b[2J'"),
    ],
)
def test_what_nobody_would_write_is_found_wrong_and_stops_nothing(
    auditor: Auditor, story: Story, line: str, said: str
) -> None:
    auditor.take_over(story)
    path = auditor.export()
    before = path.read_text().splitlines()
    path.write_text("".join(f"{each}\n" for each in (before[0], line, *before[1:])))
    proved = auditor.runs("verify", path)
    assert (proved.exit_code, proved.exception.__class__) == (1, SystemExit)
    assert said in proved.output
    assert "\x1b" not in proved.output
    assert isinstance(auditor.runs("show", "g1", path).exception, SystemExit)


def added(path: Path, at: str, text: str) -> None:
    """Add one more entry at the end, as somebody who knows the format of an export could."""
    *lines, end = path.read_text().splitlines()
    said = json.loads(end)
    said["end"]["entries"] += 1
    name = f"{int(datetime.fromisoformat(at).timestamp() * 1000)}-0"
    entry = {"entry": name, "at": at.replace("+00:00", ".000Z"), "text": text}
    path.write_text("".join(f"{each}\n" for each in (*lines, json.dumps(entry), json.dumps(said))))


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-03-02T09:01:03+00:00", "is older than seal"),
        ("2026-03-02T12:00:00+00:00", "not sealed, although a running worker seals within seconds: nothing"),
        ("2099-01-01T00:00:00+00:00", "not sealed, and the newest is from the future: nothing proves them"),
    ],
)
def test_an_entry_of_any_date_that_nobody_sealed_is_not_good(
    auditor: Auditor, story: Story, at: str, said: str
) -> None:
    auditor.take_over(story)
    path = auditor.export()
    added(path, at, json.dumps({"what": "approved", "grant": "G1", "by": BOB}))
    proved = auditor.runs("verify", path)
    assert proved.exit_code == 1
    assert said in proved.output
    story_of_it = auditor.runs("show", "G1", path).output.splitlines()
    assert story_of_it[-1].endswith("approved by U03BOB  [not sealed yet: nothing proves it]")
    assert len(story_of_it) > 1
    assert not any("not sealed" in each for each in story_of_it[:-1])


def test_what_was_written_just_now_is_good_and_said_to_be_unproved(auditor: Auditor, story: Story) -> None:
    auditor.take_over(story)
    auditor.redis.xadd(f"{auditor.name}:audit", {"e": json.dumps({"what": "asked", "grant": "G9"})})
    for where in ((), (auditor.export(),)):
        proved = auditor.runs("verify", *where)
        assert proved.exit_code == 0, proved.output
        assert "not sealed yet: so far, nothing proves them\n" in proved.output


def test_an_entry_that_contradicts_its_name_is_not_good(auditor: Auditor, story: Story) -> None:
    auditor.take_over(story)
    auditor.redis.xadd(f"{auditor.name}:audit", {"e": json.dumps({"what": "asked", "grant": "G9"})})
    path = auditor.export()
    *lines, entry, end = path.read_text().splitlines()
    forged = {**json.loads(entry), "at": "2026-03-02T10:00:00.000Z"}
    path.write_text("".join(f"{each}\n" for each in (*lines, json.dumps(forged), end)))
    proved = auditor.runs("verify", path)
    assert proved.exit_code == 1
    assert "says 2026-03-02T10:00:00.000Z, but its name says " in proved.output


def test_an_entry_of_the_year_318857_stops_no_sealing(server: Valkey) -> None:
    workspace = uuid.uuid4().hex
    with connect(server.url, workspace) as redis:
        ledger = RedisLedger(redis, workspace)
        redis.xadd(f"rotakey:{{{workspace}}}:audit", {"e": "{}"}, id="9999999999999999-0")
        ledger.commit(Change(audit=(Entry(what="something"),), due=(Due(member=SEAL, at=NINE),)))
        [claim] = ledger.claim(1, 9, {}).claims
        Sealing(ledger=ledger, trail=ledger, signer=None, new_id=str).seal(claim)
        found = examine(lines(ledger))
        assert (found.entries, found.seals, found.wrong, found.notes) == (2, 1, (), ())


# --------------------------------------------------------------------------------------------- parts


@pytest.fixture
def parts(auditor: Auditor, story: Story) -> dict[str, Path]:
    """Return the exports of four seals that were made about a minute apart, from nine on."""
    approved(story)
    auditor.take_over(story)
    times = [read_seal(each.text).at.strftime("%Y-%m-%dT%H:%M:%S") for each in story.memory.seals()]
    assert len(times) == 4
    wanted = {
        "whole": (),
        "early": ("--until", times[1]),
        "middle": ("--since", times[1], "--until", times[2]),
        "late": ("--since", times[2]),
        "last": ("--since", times[3]),
    }
    found = {name: auditor.folder / f"{name}.jsonl" for name in wanted}
    for name, words in wanted.items():
        assert auditor.runs("export", found[name], *words).exit_code == 0
    return found


def numbers(path: Path) -> list[int]:
    return [said["seal"] for said in map(json.loads, path.read_text().splitlines()) if "seal" in said]


def test_a_part_has_whole_seals(parts: dict[str, Path]) -> None:
    assert {name: numbers(path) for name, path in parts.items()} == {
        "whole": [1, 2, 3, 4],
        "early": [1, 2],
        "middle": [2, 3],
        "late": [3, 4],
        "last": [4],
    }


@pytest.mark.parametrize(
    "names",
    [["late", "early"], ["middle", "late", "early"], ["whole", "middle"], ["last", "middle", "early"]],
)
def test_parts_are_proved_together_in_any_order(
    auditor: Auditor, story: Story, parts: dict[str, Path], names: list[str]
) -> None:
    proved = auditor.runs("verify", *(parts[each] for each in names), "--anchor", head(story))
    assert proved.exit_code == 0, proved.output
    assert proved.output.startswith(f"good: {len(story.audit())} entries, 4 seals\n")
    grant = story.audit()[0].grant or story.audit()[-1].grant or ""
    assert auditor.runs("show", grant, *(parts[each] for each in names)).exit_code == 0


def test_a_gap_between_parts_is_named(auditor: Auditor, parts: dict[str, Path]) -> None:
    proved = auditor.runs("verify", parts["last"], parts["early"])
    assert proved.exit_code == 1
    assert "WRONG: seal 3 is missing before seal 4\n" in proved.output


def test_a_part_alone_is_good_and_says_what_is_not_in_it(auditor: Auditor, parts: dict[str, Path]) -> None:
    for names in (["late"], ["last", "late"]):
        proved = auditor.runs("verify", *(parts[each] for each in names))
        assert proved.exit_code == 0, proved.output
        assert "note: seals 1 to 2 are missing before seal 3: the export left them out\n" in proved.output


def test_a_part_that_was_cut_at_its_beginning_is_not_good(auditor: Auditor, parts: dict[str, Path]) -> None:
    path = parts["late"]
    header, *rest = path.read_text().splitlines()
    at = next(n for n, line in enumerate(rest) if "seal" in json.loads(line)) + 1
    end = json.loads(rest[-1])["end"]
    end = {"entries": end["entries"] - at + 1, "seals": end["seals"] - 1}
    path.write_text("".join(f"{line}\n" for line in (header, *rest[at:-1], json.dumps({"end": end}))))
    proved = auditor.runs("verify", path)
    assert proved.exit_code == 1
    assert "WRONG: seals 1 to 3 are missing before seal 4\n" in proved.output


def test_parts_that_contradict_each_other_are_found(auditor: Auditor, parts: dict[str, Path]) -> None:
    forged = parts["middle"].read_text().replace("U03BOB", "U04CAROL")
    parts["middle"].write_text(forged)
    proved = auditor.runs("verify", parts["whole"], parts["middle"])
    assert proved.exit_code == 1
    assert "differs between files" in proved.output


def test_an_entry_that_one_part_has_without_a_seal_must_have_one_in_another(
    auditor: Auditor, story: Story, parts: dict[str, Path]
) -> None:
    added(parts["early"], "2026-03-02T09:00:01+00:00", json.dumps({"what": "approved", "grant": "G1"}))
    proved = auditor.runs("verify", parts["early"], parts["late"])
    assert proved.exit_code == 1
    assert "is unsealed in one file, and sealed in no other" in proved.output


def test_what_was_not_sealed_in_one_export_is_proved_by_a_later_one(auditor: Auditor, story: Story) -> None:
    entries = story.memory.written_entries(count=1_000)
    auditor.take_over(story)
    for seal in story.memory.seals()[1:]:
        auditor.redis.xdel(f"{auditor.name}:seals", f"{seal.number}-0")
    early = auditor.export().rename(auditor.folder / "early.jsonl")
    auditor.take_over(story)
    proved = auditor.runs("verify", auditor.export(), early)
    assert proved.exit_code == 0, proved.output
    assert proved.output.startswith(f"good: {len(entries)} entries, {len(story.memory.seals())} seals\n")


# ---------------------------------------------------------------------------------------------- show


def test_nothing_that_a_terminal_obeys_is_shown(auditor: Auditor, story: Story) -> None:
    auditor.take_over(story)
    hidden = {"what": "asked\x1b[2J", "grant": "G9", "by": "\u202eevil", "facts": {"why": "a\x9bb\nc"}}
    auditor.redis.xadd(f"{auditor.name}:audit", {"e": json.dumps(hidden, ensure_ascii=False)})
    told = auditor.runs("show", "G9")
    assert told.exit_code == 0
    assert all(sign.isprintable() or sign == "\n" for sign in told.output)
    assert len(told.output.splitlines()) == 1


def test_a_grants_story_is_told_a_line_for_each_thing(auditor: Auditor, story: Story) -> None:
    grant = story.audit()[-1].grant or ""
    auditor.take_over(story)
    for where in ((), (auditor.export(),)):
        told = auditor.runs("show", grant, *where)
        assert told.exit_code == 0
        assert [line.split("  ")[:2] for line in told.output.splitlines()] == [
            ["2026-03-02 09:00:00 UTC", f"asked by {DAN}"],
            ["2026-03-02 09:00:00 UTC", f"approved by {BOB}"],
            ["2026-03-02 09:00:00 UTC", "given"],
            ["2026-03-02 09:00:00 UTC", "active"],
            ["2026-03-02 09:01:00 UTC", f"ending by {DAN}"],
            ["2026-03-02 09:01:00 UTC", "taken"],
            ["2026-03-02 09:01:00 UTC", "ended"],
        ]
    assert '  hold="orders_rw on orders-db for dan@example.com"  seen=ours' in told.output


def test_of_a_grant_that_there_never_was_it_says_nothing(auditor: Auditor, story: Story) -> None:
    auditor.take_over(story)
    told = auditor.runs("show", "nobody")
    assert (told.exit_code, told.output) == (1, "the audit has no entry about nobody; check the grant's id\n")


# -------------------------------------------------------------------------------------------- misuse


def test_nothing_to_look_at_is_not_good(auditor: Auditor) -> None:
    proved = auditor.runs("verify")
    assert proved.exit_code == 2
    assert "the audit is empty: check REDIS_URL, and workspace: in access.yaml" in proved.output


@pytest.mark.parametrize("command", ["verify", "export", "show g1"])
def test_a_redis_that_does_not_answer_is_not_called_wrong(auditor: Auditor, command: str) -> None:
    auditor.environ["REDIS_URL"] = f"unix://{auditor.folder}/nobody"
    told = auditor.runs(*command.split())
    assert told.exit_code == 2
    assert "the call to Redis failed" in told.output
    auditor.environ["REDIS_URL"] = ""
    assert auditor.runs(*command.split()).exit_code == 2


def test_what_cannot_be_written_leaves_what_was_there(auditor: Auditor, story: Story) -> None:
    auditor.take_over(story)
    told = auditor.runs("export", auditor.folder / "nowhere" / "audit.jsonl")
    assert told.exit_code == 2
    assert "cannot be written: No such file or directory" in told.output


@pytest.mark.parametrize("anchor", ["yesterday", "3:abc", "/etc/hostname"])
def test_what_is_no_anchor_is_misuse(auditor: Auditor, anchor: str) -> None:
    told = auditor.runs("verify", "--anchor", anchor)
    assert told.exit_code == 2
    assert "is not a valid anchor; name a worker's anchor file, or paste NUMBER:HEAD" in told.output
