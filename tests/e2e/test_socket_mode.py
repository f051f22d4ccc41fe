"""Without a public address, the bot hears Slack over a socket that it opens itself."""

from bot.testing.polling import until
from tests.e2e.rig import ADA, BOB, DAN, DB_ACCESS, Rig


def test_commands_and_clicks_come_over_the_socket(rig: Rig) -> None:
    over_http = rig.sandbox.environ
    by_socket = {name: value for name, value in over_http.items() if name != "SLACK_SIGNING_SECRET"}
    by_socket |= {"SLACK_APP_TOKEN": rig.sandbox.secrets.app_token, "PORT": "0"}
    with rig.also("web", by_socket):
        until(lambda: rig.slack.sockets.connections, expected=1)
        rig.slack.connect(None)
        try:
            assert rig.types(ADA, "request prod-db 1h because it came by socket").startswith(
                "You get *prod-db* until TIME (1 hour): "
            )
            rig.has("orders_rw", "ada")
            rig.types(DAN, "request prod-db 1h because that came by socket too")
            card = rig.card(DB_ACCESS, "that came by socket too")
            assert rig.clicks(BOB, card, "approve").ok
            rig.has("orders_rw", "ada", "dan")
            rig.types(DAN, "done prod-db")
            rig.types(ADA, "done prod-db")
            rig.has("orders_rw")
        finally:
            rig.slack.connect(f"{rig.sandbox.bot_url}/slack/events")
