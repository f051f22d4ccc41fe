"""TLS to a single server, to sentinels and their primary, and to the nodes of a cluster."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from bot.core.errors import TemporaryFailure
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.testing.localhost import HOST, free_port
from bot.testing.valkey import Valkey
from bot.testing.valkey import folder as not_running
from bot.testing.valkeys import NAME, sentinel
from tests.ledger.people import APPROVAL

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="there is no openssl to make certificates"
)
NAMES = {"here": f"IP:{HOST}", "elsewhere": "DNS:elsewhere.example.com", "client": "DNS:bot"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``ca.pem`` and certificates for our address, for another host and for a client."""
    where = tmp_path_factory.mktemp("tls")
    openssl(where, "req -x509 -newkey ed25519 -nodes -subj /CN=ours -days 1 -keyout ca.key -out ca.pem")
    for name, subject in NAMES.items():
        openssl(
            where,
            f"req -x509 -newkey ed25519 -nodes -subj /CN={name} -addext subjectAltName={subject} -days 1"
            f" -CA ca.pem -CAkey ca.key -keyout {name}.key -out {name}.pem",
        )
    return where


def openssl(where: Path, command: str) -> None:
    subprocess.run(["openssl", *command.split()], cwd=where, check=True, capture_output=True)


@contextmanager
def secured(server: Valkey, folder: Path, name: str = "here", clients: bool = False) -> Iterator[int]:
    """Yield a port that accepts only TLS, and forwards what it receives."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    if clients:
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    path = server.url.removeprefix("unix://")

    def carry(raw: socket.socket) -> None:
        try:
            near = context.wrap_socket(raw, server_side=True)
        except OSError:
            raw.close()
            return
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(path)
            while asked := near.recv(1 << 16):
                far.sendall(asked)
                near.sendall(far.recv(1 << 16))

    with socket.create_server((HOST, 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    near, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=carry, args=(near,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_one_server_whose_certificate_our_ca_signed(server: Valkey, folder: Path, workspace: str) -> None:
    with secured(server, folder) as port:
        url = f"rediss://{HOST}:{port}?ssl_ca_certs={folder}/ca.pem"
        with connect(url) as client:
            RedisLedger(client, workspace).commit(APPROVAL)
            assert RedisLedger(client, workspace).commit(APPROVAL).again


@pytest.mark.parametrize(
    ("name", "options"),
    [("here", ""), ("elsewhere", "ssl_ca_certs={folder}/ca.pem")],
    ids=["not signed by anybody we know", "of another host"],
)
def test_a_certificate_that_is_not_to_be_trusted_is_not(
    server: Valkey, folder: Path, name: str, options: str
) -> None:
    with secured(server, folder, name) as port:
        client = connect(f"rediss://{HOST}:{port}?{options.format(folder=folder)}")
        with client, pytest.raises(TemporaryFailure, match="CERTIFICATE_VERIFY_FAILED"):
            RedisLedger(client).read()


def test_a_host_behind_another_name(server: Valkey, folder: Path) -> None:
    with secured(server, folder, "elsewhere") as port:
        url = f"rediss://{HOST}:{port}?ssl_ca_certs={folder}/ca.pem&ssl_check_hostname=no"
        with connect(url) as client:
            RedisLedger(client).read()


def test_a_server_that_wants_to_know_who_we_are(server: Valkey, folder: Path) -> None:
    with secured(server, folder, clients=True) as port:
        url = f"rediss://{HOST}:{port}?ssl_ca_certs={folder}/ca.pem"
        with connect(url) as nobody, pytest.raises(TemporaryFailure):
            RedisLedger(nobody).read()
        with connect(f"{url}&ssl_certfile={folder}/client.pem&ssl_keyfile={folder}/client.key") as client:
            RedisLedger(client).read()


def test_sentinels_and_the_primary_that_they_name(server: Valkey, folder: Path, workspace: str) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(secured(server, folder))
        watching = stack.enter_context(sentinel(port))
        door = stack.enter_context(secured(watching.server, folder))
        url = f"rediss+sentinel://{HOST}:{door}/{NAME}?ssl_ca_certs={folder}/ca.pem"
        client = stack.enter_context(connect(url))
        RedisLedger(client, workspace).commit(APPROVAL)
        assert client.connection_pool.get_connection().port == port


def test_a_cluster(folder: Path) -> None:
    with not_running() as server, secured(server, folder) as port:
        as_one = ("--cluster-enabled", "yes", "--cluster-announce-port", str(port))
        server.start("--port", str(free_port()), *as_one)
        with Redis.from_url(server.url, decode_responses=True) as plain:
            plain.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
            while "cluster_state:ok" not in plain.execute_command("CLUSTER", "INFO"):
                time.sleep(0.01)
        with connect(f"rediss+cluster://{HOST}:{port}?ssl_ca_certs={folder}/ca.pem") as client:
            RedisLedger(client).commit(APPROVAL)
            assert client.connection_pool.get_connection().port == port
