"""The simulated Okta behaves as Okta does, in what our target rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

from bot.doubles.okta import Org, Served, serve

TOKEN = "00sesame"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def org() -> Org:
    org = Org("00oRotaDouble", TOKEN, lambda: NOW)
    for name in ("ada", "bob", "carol"):
        org.add_user(f"{name}@example.com")
    org.add_group("prod-oncall")
    return org


@pytest.fixture
def served(org: Org) -> Iterator[Served]:
    with serve(org) as served:
        yield served


def call(
    served: Served, path: str, method: str = "GET", token: str = f"SSWS {TOKEN}", **asked: str
) -> requests.Response:
    with requests.request(
        method, served.url + path, params=asked, headers={"Authorization": token}, timeout=5
    ) as answer:
        return answer


def test_who_it_is_is_told_to_anybody(served: Served) -> None:
    answer = call(served, "/.well-known/okta-organization", token="")
    assert answer.json()["id"] == "00oRotaDouble"


def test_a_user_is_found_by_id_login_and_short_name(org: Org, served: Served) -> None:
    ada = org.user("ada@example.com").id
    for name in (ada, "ada@example.com", "ADA@Example.com", "ada"):
        assert call(served, f"/api/v1/users/{name}").json()["id"] == ada
    org.add_user("ada@example.org")
    assert call(served, "/api/v1/users/ada").status_code == 404


def test_a_member_is_added_and_removed_as_often_as_you_like(org: Org, served: Served) -> None:
    path = f"/api/v1/groups/{org.group('prod-oncall').id}/users/{org.user('ada@example.com').id}"
    for method, there in (("PUT", {"ada@example.com"}), ("DELETE", set())):
        for _ in range(2):
            answer = call(served, path, method)
            assert (answer.status_code, answer.content) == (204, b"")
            assert org.logins_in("prod-oncall") == there


def test_a_removal_excludes_the_person_from_active_rules(org: Org, served: Served) -> None:
    group, ada = org.group("prod-oncall").id, org.user("ada@example.com").id
    active, inactive = org.add_rule("one", group), org.add_rule("two", group, status="INACTIVE")
    call(served, f"/api/v1/groups/{group}/users/{ada}", "DELETE")
    assert org.rules[active].excluded == (), "they were not in it"
    org.add_member(group, ada)
    call(served, f"/api/v1/groups/{group}/users/{ada}", "DELETE")
    assert (org.rules[active].excluded, org.rules[inactive].excluded) == ((ada,), ())


@pytest.mark.parametrize("kind", ["APP_GROUP", "BUILT_IN"])
def test_only_its_own_groups_can_be_changed(org: Org, served: Served, kind: str) -> None:
    group = org.add_group("imported", kind)
    answer = call(served, f"/api/v1/groups/{group}/users/{org.user('ada@example.com').id}", "PUT")
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "E0000006")


def test_pages_are_linked_and_a_limit_may_be_cut(org: Org, served: Served) -> None:
    org.largest_page = 2
    group = org.group("prod-oncall").id
    for name in ("ada", "bob", "carol"):
        org.add_by_hand(f"{name}@example.com", "prod-oncall")
    first = call(served, f"/api/v1/groups/{group}/users", limit="100")
    assert first.links["self"]["url"].endswith("users?limit=100")
    last = call(served, first.links["next"]["url"].removeprefix(served.url))
    assert [len(each.json()) for each in (first, last)] == [2, 1]
    assert "next" not in last.links


@pytest.mark.parametrize("name", ["Prod-Oncall", 'the "core" team', "back\\slash"])
def test_the_search_is_by_the_whole_name_and_ignores_case(org: Org, served: Served, name: str) -> None:
    made = org.add_group(name.lower())
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    found = call(served, "/api/v1/groups", search=f'profile.name eq "{escaped}"').json()
    assert made in [each["id"] for each in found]
    assert call(served, "/api/v1/groups", search="name is odd").json()["errorCode"] == "E0000031"


def test_the_search_lags_if_it_is_told_to(org: Org, served: Served) -> None:
    org.faults.lagging = True
    org.rename_group("prod-oncall", "retired")
    found = call(served, "/api/v1/groups", search='profile.name eq "prod-oncall"').json()
    assert [each["profile"]["name"] for each in found] == ["prod-oncall"]
    assert call(served, f"/api/v1/groups/{found[0]['id']}").json()["profile"]["name"] == "retired"


@pytest.mark.parametrize("token", ["", "SSWS wrong", f"Bearer {TOKEN}", f"ssws {TOKEN}"])
def test_without_the_token_nothing_is_told(served: Served, token: str) -> None:
    answer = call(served, "/api/v1/groups", token=token)
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "E0000011")
    assert set(answer.json()) == {"errorCode", "errorSummary", "errorLink", "errorId", "errorCauses"}


def test_a_role_is_limited_to_its_permissions_and_groups(org: Org, served: Served) -> None:
    group = org.group("prod-oncall").id
    org.access.groups = frozenset()
    assert call(served, f"/api/v1/groups/{group}").status_code == 403
    assert call(served, "/api/v1/groups").json() == []
    org.access.permissions = frozenset()
    assert call(served, "/api/v1/users/ada").status_code == 403


def test_limits_are_named_on_every_answer_and_kept_when_reached(org: Org, served: Served) -> None:
    org.faults = replace(org.faults, limited=1, limit_seconds=30, clock_off=600)
    reached, after = (call(served, "/api/v1/groups") for _ in range(2))
    assert (reached.status_code, reached.json()["errorCode"]) == (429, "E0000047")
    assert (after.status_code, after.headers["x-rate-limit-remaining"]) == (200, "599")
    date = parsedate_to_datetime(reached.headers["Date"]).timestamp()
    assert int(reached.headers["x-rate-limit-reset"]) - date == 30
    org.faults = replace(org.faults, limited=1, concurrent=True)
    assert call(served, "/api/v1/groups").headers["x-rate-limit-limit"] == "0"


def test_a_lost_answer_was_done(org: Org, served: Served) -> None:
    org.faults.loses = frozenset(["PUT"])
    path = f"/api/v1/groups/{org.group('prod-oncall').id}/users/{org.user('ada@example.com').id}"
    with pytest.raises(requests.ConnectionError):
        call(served, path, "PUT")
    assert org.logins_in("prod-oncall") == {"ada@example.com"}


def test_a_slow_org_hurries_when_it_is_closed(org: Org) -> None:
    org.faults.slow = 3600
    with serve(org) as served, pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{served.url}/api/v1/groups", timeout=0.2)
    assert len(org.calls) == 1


def test_it_knows_who_was_added_by_hand() -> None:
    org = Org("00oRotaExample", "00token")
    group, ada = org.add_group("dba"), org.add_user("ada@example.com")
    org.add_by_hand("ada@example.com", "dba")
    org.add_member(group, ada)
    assert org.state() == [
        {"role": "dba", "members": [{"account": "ada@example.com", "grantor": "administrator"}]}
    ]
    org.remove_member(group, ada)
    org.add_member(group, ada)
    org.add_by_hand("ada@example.com", "dba")
    assert org.state() == [{"role": "dba", "members": [{"account": "ada@example.com", "grantor": "rotakey"}]}]
