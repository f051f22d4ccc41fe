"""The bot without a public address: it hears Slack over a socket that it opened itself."""

from tests.e2e.deployment import ADA, BOB, DAN, DB_ACCESS, Town, until


def test_commands_and_clicks_come_over_the_socket(town: Town) -> None:
    over_http = town.sandbox.environ
    by_socket = {name: value for name, value in over_http.items() if name != "SLACK_SIGNING_SECRET"}
    by_socket |= {"SLACK_APP_TOKEN": town.sandbox.secrets.app_token, "PORT": "0"}
    with town.also("web", by_socket):
        until(lambda: town.slack.sockets.connections, expected=1)
        town.slack.connect(None)
        try:
            assert town.types(ADA, "request prod-db 1h because it came by socket").startswith(
                "You get *prod-db* until TIME."
            )
            town.has("orders_rw", "ada")
            town.types(DAN, "request prod-db 1h because that came by socket too")
            card = town.card(DB_ACCESS, "that came by socket too")
            assert town.clicks(BOB, card, "approve").ok
            town.has("orders_rw", "ada", "dan")
            town.types(DAN, "done prod-db")
            town.types(ADA, "done prod-db")
            town.has("orders_rw")
        finally:
            town.slack.connect(f"{town.sandbox.bot_url}/slack/events")
