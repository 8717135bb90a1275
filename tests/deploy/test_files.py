"""The files that deploy the service fit the tools that read them, and each other."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.config import Settings
from app.core.production import find_risks
from app.main import app
from plumbline.cli.workers import longest_stop_seconds
from plumbline.db.readiness import DURABILITY
from tests.deploy.files import MANIFESTS, ROOT, compose, manifests, pod, settings

BIN = Path(sys.executable).parent
PODS = ["Deployment", "Job"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
POSTGRES_KEEPS = 3  # superuser_reserved_connections
OTHERS = 10  # the migration, a backup, people


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "Dockerfile"],
        ["check-jsonschema", "--builtin-schema=vendor.compose-spec", "compose.yaml"],
        ["kubernetes-validate", "--strict", *map(str, MANIFESTS)],
    ],
    ids=lambda command: command[0],
)
def test_files_pass(command: list[str]) -> None:
    ended = subprocess.run(
        [BIN / command[0], *command[1:]], check=False, cwd=ROOT, capture_output=True, text=True
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def of_kubernetes() -> Settings:
    return settings(manifests()["ConfigMap"]["data"])


def seconds(text: str) -> int:
    """As Compose writes them: 60s, 2m."""
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


def test_service_has_the_time_that_it_may_take_to_stop() -> None:
    service = compose()["service"]
    arguments = pod("Deployment")["containers"][0].get("args")

    may_take = _may_take(of_kubernetes(), arguments)
    assert pod("Deployment")["terminationGracePeriodSeconds"] > may_take
    may_take = _may_take(settings(service["environment"]), service.get("command"))
    assert seconds(service["stop_grace_period"]) > may_take


def _may_take(used: Settings, arguments: list[str] | None) -> float:
    """Workers are told after the delay, and have their time then."""
    delays = used.STOP_DELAY_SECONDS if _workers(arguments) > 1 else 0
    return delays + longest_stop_seconds(used)


def test_connections_of_a_deploy_fit_into_the_database() -> None:
    deployment, used = manifests()["Deployment"]["spec"], of_kubernetes()
    pods = deployment["replicas"] + deployment["strategy"]["rollingUpdate"]["maxSurge"]
    each = used.DB_POOL_SIZE + used.DB_MAX_OVERFLOW + 1  # and the one that looks after the rest
    of_one = settings(compose()["service"]["environment"])
    given = re.search(r"max_connections=(\d+)", compose()["postgres"]["command"])

    assert given
    free = int(given[1]) - POSTGRES_KEEPS - OTHERS
    assert pods * each * _workers(pod("Deployment")["containers"][0].get("args")) <= free
    assert (of_one.DB_POOL_SIZE + of_one.DB_MAX_OVERFLOW + 1) * _workers(
        compose()["service"].get("command")
    ) <= free


def _workers(arguments: list[str] | None) -> int:
    """Processes in a container: what it is told to run, else what the image runs."""
    words = " ".join(arguments or re.findall(r"^CMD (.*)", DOCKERFILE, re.MULTILINE))
    given = re.search(r"--workers\D+(\d+)", words)
    return int(given[1]) if given else 1


def test_production_starts_with_these_settings() -> None:
    assert find_risks(of_kubernetes()) == []
    assert find_risks(settings(compose()["service"]["environment"])) == []


def test_database_keeps_what_it_acknowledges() -> None:
    postgres = compose()["postgres"]

    assert [each for each in DURABILITY if f" {each}=on" not in postgres["command"]] == []
    assert "--data-checksums" in postgres["environment"]["POSTGRES_INITDB_ARGS"]
    assert any(each.startswith("data:") for each in postgres["volumes"])


def test_probes_ask_what_answers_them() -> None:
    container = pod("Deployment")["containers"][0]
    paths = {route.path for route in app.routes if hasattr(route, "path")}
    asked = {
        name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")
    }

    assert [each["path"] for each in asked.values()] == ["/livez", "/livez", "/readyz"]
    assert {each["path"] for each in asked.values()} <= paths
    assert {each["port"] for each in asked.values()} == {"http"}
    assert {"name": "http", "containerPort": 8000} in container["ports"]
    assert set(re.findall(r"http://127\.0\.0\.1:8000(/\w+)", DOCKERFILE)) == {"/livez"}


def test_pod_that_goes_is_left_alone_before_it_refuses() -> None:
    probe = pod("Deployment")["containers"][0]["readinessProbe"]

    noticed_after = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert noticed_after <= of_kubernetes().STOP_DELAY_SECONDS


def test_deploy_and_drain_leave_pods_that_serve() -> None:
    spec = manifests()["Deployment"]["spec"]

    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert manifests()["PodDisruptionBudget"]["spec"]["maxUnavailable"] < spec["replicas"]
    for kind in ("PodDisruptionBudget", "Service"):
        selector = manifests()[kind]["spec"]["selector"]
        assert selector.get("matchLabels", selector) == spec["selector"]["matchLabels"]
    assert spec["template"]["metadata"]["labels"] == spec["selector"]["matchLabels"]
    assert (
        manifests()["Job"]["spec"]["template"]["metadata"]["labels"]
        != spec["selector"]["matchLabels"]
    )


@pytest.mark.parametrize("kind", PODS)
def test_pod_is_no_root_and_writes_nowhere_but_into_its_memory(kind: str) -> None:
    user = re.findall(r"^USER (\d+):(\d+)", DOCKERFILE, re.MULTILINE)
    rules = pod(kind)["securityContext"]

    assert user == [(str(rules["runAsUser"]), str(rules["runAsGroup"]))]
    assert rules["runAsNonRoot"]
    assert not pod(kind)["automountServiceAccountToken"]
    for container in pod(kind)["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"].keys() == {"requests", "limits"}
    for volume in pod(kind)["volumes"]:
        assert volume.get("emptyDir", {"medium": "Memory"})["medium"] == "Memory"


@pytest.mark.parametrize("name", ["migrate", "service"])
def test_container_of_compose_writes_nowhere_but_into_its_memory(name: str) -> None:
    container = compose()[name]

    assert container["read_only"]
    assert container["tmpfs"] == ["/tmp"]
    assert container["cap_drop"] == ["ALL"]


def test_migration_is_a_step_of_its_own_by_the_role_that_owns_the_tables() -> None:
    migrate, service = compose()["migrate"], compose()["service"]
    migrates, serves = pod("Job")["containers"][0], pod("Deployment")["containers"][0]

    assert migrate["command"] == migrates["args"] == ["db", "upgrade"]
    assert migrates["image"] == serves["image"]
    assert migrate["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert service["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert [each["source"] for each in migrate["secrets"] + service["secrets"]] == [
        "OWNER_URL",
        "APP_URL",
    ]
    owned = [pod(kind)["volumes"][0]["secret"]["secretName"] for kind in PODS]
    assert owned == ["app", "app-owner"]


def test_build_gets_what_it_copies_and_no_secret() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)

    assert "*" in ignored
    names = {name for line in copied for name in line.split()}
    assert {line[1:] for line in ignored if line.startswith("!")} == names


def test_build_knows_its_revision_which_nothing_else_sets() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]

    assert 'ARG BUILD_REVISION=""\nENV BUILD_REVISION=$BUILD_REVISION\n' in last
    assert compose()["service"]["build"]["args"] == {"BUILD_REVISION": "${BUILD_REVISION:-}"}
    assert "BUILD_REVISION" not in compose()["service"]["environment"]
    assert "BUILD_REVISION" not in manifests()["ConfigMap"]["data"]


def test_role_that_serves_keeps_no_transaction_open_for_ever() -> None:
    """As the doctor's PL712 wants it of anybody."""
    ends = "ALTER ROLE app SET idle_in_transaction_session_timeout = '60s'"

    assert ends in (ROOT / "deploy/postgres/10-roles.sh").read_text()
    assert ends in (ROOT / "docs/deploy.md").read_text()


def test_archive_is_received_as_the_page_says() -> None:
    page = (ROOT / "docs/deploy.md").read_text()
    received = re.findall(r"^pg_receivewal .*", page, re.MULTILINE)
    url, archive = '"$$(cat /run/secrets/OWNER_URL)"', "/archive/"
    here = [
        each.replace('"$URL"', url).replace('"$ARCHIVE/wal"', f"{archive}wal") for each in received
    ]

    [script] = compose()["archive"]["command"]
    assert len(here) == 2
    assert [each for each in here if each not in script] == []


def test_secrets_are_random_and_stay(tmp_path: Path) -> None:
    script = tmp_path / "make_secrets.sh"
    script.write_bytes((ROOT / "deploy/make_secrets.sh").read_bytes())

    made = []
    for _ in range(2):
        subprocess.run(["sh", script], check=True)
        made.append({file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()})

    assert made[0] == made[1]
    assert made[0]["OWNER_PASSWORD"] != made[0]["APP_PASSWORD"]
    assert re.fullmatch("[0-9a-f]{48}", made[0]["APP_PASSWORD"])
    assert made[0]["APP_URL"] == f"postgresql://app:{made[0]['APP_PASSWORD']}@postgres:5432/app"
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
