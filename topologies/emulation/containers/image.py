"""The image that ranks' containers run: built once from a Dockerfile, its digest being its tag.

Its base is the machine's own distribution, since the interpreter and the packages are the machine's
and need its C library: from a registry, or where none can be reached from the distribution's
packages (debootstrap).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from topologies.emulation.containers.engine import Engine
from topologies.emulation.containers.slots import CACHE, alone
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.ownership import MARK

NAME = "spanlab-rank"
BASES = {"debian": "debian:{}-slim", "ubuntu": "ubuntu:{}"}
"""By the ID of /etc/os-release, what registries call a release."""
_PULL_TIMEOUT_S, _BOOTSTRAP_TIMEOUT_S, _BUILD_TIMEOUT_S = 180.0, 900.0, 900.0
_HALF_MADE = "half-made-"
"""Begins the names of folders in the cache; the id of the run that makes one follows."""
_TAIL_LINES = 8


def rank_image(engine: Engine, dockerfile: Path, stage: Callable[[str], None]) -> str:
    """Return the name of the engine's image of a Dockerfile; build it if it has none yet.

    ``stage`` hears what takes long. Raises MachineError when it cannot be built.
    """
    system, release = _release(Path("/etc/os-release").read_text())
    base = BASES[system].format(release)
    image = f"{NAME}:{digest(dockerfile.read_text(), base)}"
    if has(engine, image):
        return image
    with alone("image"):
        if has(engine, image):  # another run has built it meanwhile
            return image
        stage("building the containers' image (once)")
        base = _base(engine, base, release, stage)
        try:
            with dockerfile.open("rb") as text:
                _run(
                    "docker build",
                    engine.command(
                        *("build", "--force-rm", "--network", "host"),
                        *("--build-arg", f"BASE={base}", "--tag", image, "-"),
                    ),
                    _BUILD_TIMEOUT_S,
                    stdin=text,
                )
        except EmulationError as error:
            raise MachineError(f"the image of {dockerfile} cannot be built: {error}") from None
    return image


def digest(dockerfile: str, base: str) -> str:
    """Return the tag of what a Dockerfile's text makes of a base."""
    return hashlib.sha256(f"{base}\n{dockerfile}".encode()).hexdigest()[:12]


def has(engine: Engine, image: str) -> bool:
    """Ask whether an engine has an image."""
    return bool(engine.ask("images", "--quiet", image))


def _base(engine: Engine, base: str, release: str, stage: Callable[[str], None]) -> str:
    """Return a base image that the engine has, fetched or made."""
    local = f"spanlab-base:{release}"
    for image in (local, base):
        if has(engine, image):
            return image
    try:
        _run("docker pull", engine.command("pull", "--quiet", base), _PULL_TIMEOUT_S)
    except EmulationError as error:
        unreachable = str(error)
    else:
        return base
    stage("no registry answers: making the containers' base from packages (a minute, once)")
    archive = _archive(release, base, unreachable)
    with archive.open("rb") as files:
        _run("docker import", engine.command("import", "-", local), _BUILD_TIMEOUT_S, stdin=files)
    return local


def forget_half_made(run: str) -> None:
    """Remove what a run that was killed had not made whole."""
    for left in CACHE.glob(f"{_HALF_MADE}{run}-*"):
        shutil.rmtree(left, ignore_errors=True)


def _archive(release: str, base: str, unreachable: str) -> Path:
    """Return an archive of the distribution's smallest root that has Python; kept in the cache."""
    with alone(f"base-{release}.tar") as archive:
        if archive.exists():
            return archive
        if not shutil.which("debootstrap"):
            raise MachineError(
                f"the containers' base {base} cannot be had from a registry ({unreachable}), nor "
                "made from packages: apt-get install debootstrap"
            )
        with TemporaryDirectory(
            prefix=f"{_HALF_MADE}{os.environ[MARK]}-",
            dir=archive.parent,
            ignore_cleanup_errors=True,
        ) as place:
            root, part = Path(place) / "root", Path(place) / archive.name
            # Its mounts and its processes go with it, whatever ends it.
            make = ["unshare", "--mount", "--pid", "--kill-child", "debootstrap"]
            make += ["--variant=minbase", "--include=python3", release, str(root)]
            try:
                _run("debootstrap", make, _BOOTSTRAP_TIMEOUT_S)
            except EmulationError as error:
                raise MachineError(
                    f"the containers' base cannot be had: no registry answers ({unreachable}), and "
                    f"{error}\nIt takes a network once: see docs/containers.md"
                ) from None
            _run("tar", ["tar", "-C", str(root), "-cf", str(part), "."], _BUILD_TIMEOUT_S)
            part.rename(archive)
    return archive


def _release(text: str) -> tuple[str, str]:
    """Return the distribution and the release that /etc/os-release names."""
    entries = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    system, release = (entries.get(key, "").strip('"') for key in ("ID", "VERSION_CODENAME"))
    if system not in BASES or not release:
        raise MachineError(
            f'emulate.runtime docker makes its image for {" and ".join(BASES)}; this is "{system}"'
        )
    return system, release


def _run(
    what: str, command: list[str], timeout_s: float, stdin: object = subprocess.DEVNULL
) -> None:
    """Run something that takes long; raises EmulationError with the end of what it said."""
    try:
        done = subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdin=stdin,  # type: ignore[call-overload]
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout_s,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise EmulationError(f"{what} did not end within {timeout_s:g} s") from None
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-_TAIL_LINES:])
        raise EmulationError(f"{what} failed: {said}")
