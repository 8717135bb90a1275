"""The plugin: `-p plumbline.testing.plugin` among pytest's options, as in `addopts`.

Not `pytest_plugins` in a conftest.py: that is read when conftest.py has imported the service, whose
settings need DATABASE_URL. Fixtures are in fixtures.py.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from plumbline.errors import OperatorError
from plumbline.testing import hookspecs
from plumbline.testing.cluster import Cluster, embedded_cluster, given_cluster, refuse_unmarked
from plumbline.testing.service import ServiceUnderTest

CLUSTER = pytest.StashKey[Cluster]()
SERVICE = pytest.StashKey[ServiceUnderTest]()
MEMORY_BYTES = 4 * 2**30  # some ten times what a run takes
MAIN = "main"  # the database behind DATABASE_URL

pytest.register_assert_rewrite("plumbline.testing.proofs", "plumbline.testing.documented")
pytest_plugins = [
    "plumbline.testing.fixtures",
    "plumbline.testing.cases",
    "plumbline.testing.statement_counts",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("plumbline")
    told = "URL of a database that carries `test` in its name; databases are made beside it."
    group.addoption("--database-url", help=told)
    parser.addini("plumbline_env", "NAME=VALUE: settings of the service in tests", type="linelist")
    parser.addini("plumbline_postgres", "name=value: settings of PostgreSQL", type="linelist")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before anything imports the service: its settings need the URL."""
    try:
        _start(early_config)
    except OperatorError as error:
        raise pytest.UsageError(str(error)) from None


def _start(config: pytest.Config) -> None:
    options = config.known_args_namespace
    url = options.database_url or os.environ.get("PLUMBLINE_TEST_DATABASE_URL")
    if url:
        refuse_unmarked(url)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if getattr(options, "numprocesses", None) and worker is None:
        return  # the tests run in pytest-xdist's workers, each with databases of its own
    _put_folders_into_memory()
    stack = ExitStack()
    config.add_cleanup(stack.close)
    if url:
        cluster = stack.enter_context(given_cluster(url, worker or "main"))
    else:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="plumbline-"))
        settings = dict(_pairs(config, "plumbline_postgres"))
        cluster = stack.enter_context(embedded_cluster(Path(folder, "postgres"), settings))
    config.stash[CLUSTER] = cluster
    _set_environment(config, cluster.url(MAIN))


def _put_folders_into_memory() -> None:
    """Where a file system of this kind has room: databases are made and thrown away all the time.

    Not where programs may not run on it: some tests copy them.
    """
    memory = Path("/dev/shm")  # noqa: S108 - TemporaryDirectory makes safe ones in it
    if "TMPDIR" in os.environ or not memory.is_dir() or not os.access(memory, os.W_OK | os.X_OK):
        return
    described = os.statvfs(memory)
    may_run = not described.f_flag & os.ST_NOEXEC
    if may_run and described.f_bavail * described.f_frsize >= MEMORY_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(memory)


def _set_environment(config: pytest.Config, url: str) -> None:
    """What is set on this machine must not change what the tests see."""
    example = config.rootpath / ".env.example"
    if example.exists():
        for line in example.read_text().splitlines():
            os.environ.pop(line.partition("=")[0], None)
    os.environ["ENV_FILE"] = os.environ["SECRETS_DIR"] = ""
    os.environ |= dict(_pairs(config, "plumbline_env"))
    os.environ["DATABASE_URL"] = url


def _pairs(config: pytest.Config, name: str) -> list[tuple[str, str]]:
    lines = cast("list[str]", config.getini(name))
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


def pytest_configure(config: pytest.Config) -> None:
    hands_out = getattr(config.option, "numprocesses", None)
    if CLUSTER not in config.stash and not (hands_out and not hasattr(config, "workerinput")):
        raise pytest.UsageError(
            "plumbline.testing.plugin was loaded too late: name it by -p in addopts"
        )


def find_service(config: pytest.Config) -> ServiceUnderTest:
    """The service that conftest.py names; UsageError where none does."""
    if SERVICE not in config.stash:
        service = config.hook.pytest_plumbline_service()
        if service is None:
            raise pytest.UsageError(
                "name the service: `def pytest_plumbline_service()` in conftest.py gives a "
                "plumbline.testing.service.ServiceUnderTest"
            )
        config.stash[SERVICE] = service
    return config.stash[SERVICE]
