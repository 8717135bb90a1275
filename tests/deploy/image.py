"""The image without Docker: the steps of the Dockerfile in a bare Debian, and its command run.

A container is namespaces of the kernel and a root of its own; `unshare` and `chroot` give both.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from plumbline_tests.processes import until
from tests.deploy.dockerfile import Instruction, Stage, command, read_stages

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # of the image of Debian
SLIM = (
    "--variant=minbase",
    *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")),
)
KEEPS_NOTHING = (
    'APT::Keep-Downloaded-Packages "false"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";'
)
NEEDED = "this needs root, and mmdebstrap: apt-get install mmdebstrap"
# What Docker passes on to a build from the machine, and the certificates of that.
PASSED_ON = ("http_proxy", "https_proxy", "PIP_INDEX_URL")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
AS_USER = 'user=$1; shift; exec chroot --userspec="$user" "$0" /usr/bin/env -i "$@"'
BUILD = f'mount -t proc proc "$0/proc"; {AS_USER}'
# Nothing can be written but into /tmp; there is no network but its own.
SERVE = f"""mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"
mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/tmp" && ip link set lo up
mount --bind "$1" "$0/run/secrets" && mount --bind "$2" "$0/run/postgresql"; shift 2
{AS_USER}
"""


@dataclass
class Image:
    """`user` is `10001:10001`, or empty for root."""

    root: Path
    user: str = ""
    folder: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)

    def words(self, *arguments: str) -> list[str]:
        """What a container runs: with arguments those, else CMD."""
        return self.commands["ENTRYPOINT"] + (list(arguments) or self.commands["CMD"])

    def in_it(self, words: list[str], **given: str) -> list[str]:
        """`env` and its arguments, to run `words` here."""
        variables = {"PATH": PATH} | self.environment
        set_ = [f"{name}={value}" for name, value in (variables | given).items()]
        return [self.user or "0:0", f"--chdir={self.folder}", *set_, *words]


def build_image(dockerfile: Path, folder: Path, **arguments: str) -> Image:
    """Run the steps of each stage; gives the last one. `arguments` are those of `--build-arg`."""
    bare, made = _bare_debian(folder), dict[str, Image]()
    image = Image(bare)
    for number, stage in enumerate(read_stages(dockerfile.read_text())):
        base = made.get(stage.base) or Image(bare)
        image = Image(_copy(base.root, folder / str(number)), environment=dict(base.environment))
        _build(_with_arguments(stage, arguments), image, made, dockerfile.parent)
        made[stage.name] = image
    return image


def _bare_debian(folder: Path) -> Path:
    """As the image `debian:trixie-slim`; BARE_DEBIAN names one that is there."""
    if "BARE_DEBIAN" in os.environ:
        return Path(os.environ["BARE_DEBIAN"])
    assert os.geteuid() == 0, NEEDED
    assert shutil.which("mmdebstrap"), NEEDED
    target = folder / "bare"
    subprocess.run(["mmdebstrap", *SLIM, "trixie", target], check=True)
    (target / "etc/apt/apt.conf.d/docker-clean").write_text(KEEPS_NOTHING)
    return target


def _copy(source: Path, target: Path) -> Path:
    subprocess.run(["cp", "--archive", source, target], check=True)
    return target


def _with_arguments(stage: Stage, given: dict[str, str]) -> Stage:
    """Each ARG put where ENV asks for it."""
    steps = list[Instruction]()
    values = {"PATH": PATH}
    for step in stage.steps:
        if step.name == "ARG":
            name, _, default = step.text.partition("=")
            values[name] = given.get(name, default.strip('"'))
        elif step.name == "ENV":
            steps.append(Instruction("ENV", Template(step.text).safe_substitute(values)))
        else:
            steps.append(step)
    return Stage(stage.base, stage.name, steps)


def _build(stage: Stage, image: Image, made: dict[str, Image], context: Path) -> None:
    for step in stage.steps:
        match step.name:
            case "RUN":
                _run(image, step.text)
            case "COPY":
                _copy_into(image, step, made, context)
            case "WORKDIR":
                (image.root / step.text.lstrip("/")).mkdir(parents=True, exist_ok=True)
                image.folder = step.text
            case "ENV":
                image.environment |= dict(re.findall(r"(\w+)=(\S*)", step.text))
            case "USER":
                image.user = step.text
            case "CMD" | "ENTRYPOINT" | "HEALTHCHECK":
                image.commands[step.name] = command(step.text)
            case _:
                assert step.name == "EXPOSE", step


def _run(image: Image, text: str) -> None:
    shutil.copy("/etc/resolv.conf", image.root / "etc/resolv.conf")
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, image.root / "run/certificates.pem")
        passed_on["PIP_CERT"] = "/run/certificates.pem"
    words = image.in_it(["/bin/sh", "-e", "-c", text], **passed_on)
    command_ = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", BUILD]
    ended = subprocess.run(
        [*command_, image.root, *words], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, f"{text}\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}"


def _copy_into(image: Image, step: Instruction, made: dict[str, Image], context: Path) -> None:
    """A folder's content goes into the target, a file into it or, without a slash, to it."""
    words = step.text.split()
    source = context
    if words[0].startswith("--from="):
        source = made[words.pop(0).removeprefix("--from=")].root
    *names, to = words
    target = image.root / os.path.join(image.folder, to).lstrip("/")  # noqa: PTH118 - may be absolute
    for name in names:
        there = source / name.lstrip("/")
        into = target if there.is_dir() or not to.endswith("/") else target / there.name
        into.parent.mkdir(parents=True, exist_ok=True)
        if there.is_dir():
            compiled = shutil.ignore_patterns(*(["__pycache__"] if source == context else []))
            shutil.copytree(there, into, symlinks=True, dirs_exist_ok=True, ignore=compiled)
        else:
            shutil.copy2(there, into)


@dataclass(frozen=True)
class Container:
    """A running one, and what of the machine it sees."""

    image: Image
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Of what is process 1 inside."""
        return _children(self.process.pid)[0]

    def inside(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the image as `docker exec` does."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "sh", "-c"]
        return _told([*enter, AS_USER, str(self.image.root), *self.image.in_it(list(words))])

    def beside(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine in its network."""
        return _told(["nsenter", f"--target={self.pid}", "--net", *words])


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _told(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=False, capture_output=True, text=True)


@contextmanager
def run_image(
    image: Image, secrets: Path, postgres: Path, *arguments: str, **environment: str
) -> Iterator[Container]:
    """Run it on a root that cannot be written; `postgres` is the folder of its socket."""
    for folder in ("run/secrets", "run/postgresql"):
        (image.root / folder).mkdir(exist_ok=True)
    alone = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
    words = image.in_it(image.words(*arguments), **environment)
    with subprocess.Popen(
        [*alone, "sh", "-ec", SERVE, image.root, secrets, postgres, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            assert until(lambda: process.poll() is not None or _children(process.pid) != [])
            yield Container(image, process)
        finally:
            process.kill()
