"""A clean Debian machine, as somebody has it who only now met the project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.test_architecture import ROOT, tracked_files

HERE = Path(__file__).parent
RELEASE = "bookworm"
_ENDED = re.compile(r"\n-- ended with (\d+) after (\d+) s\n")


@dataclass(frozen=True)
class Ended:
    """What a command said, how it ended, and after how many seconds."""

    command: str
    said: str
    code: int
    seconds: int


def provisioners() -> list[str]:
    """Return the commands by which the Vagrantfile provisions."""
    return re.findall(r'inline: "([^"]+)"', (ROOT / "Vagrantfile").read_text())


def on_a_clean_machine(folder: Path, commands: Iterable[str], timeout_s: float) -> list[Ended]:
    """Run commands on a machine that is made for them and gone afterwards; return how they ended.

    ``folder`` holds what it is made from. Package indexes are reached as this machine reaches them.
    """
    project, settings = folder / "project.tar", folder / "settings"
    with tarfile.open(project, "w") as archive:
        for path in tracked_files():
            archive.add(path, str(path.relative_to(ROOT)))
    _write_settings(settings)
    done = subprocess.run(
        [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc"),
            *("bash", str(HERE / "provision.sh"), RELEASE, _mirror(), str(project), str(settings)),
            *commands,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    ended = list(_ended(done.stdout))
    assert ended, f"the machine was not made:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return ended


def _ended(said: str) -> Iterator[Ended]:
    for block in re.split(r"^== ", said, flags=re.MULTILINE)[1:]:
        command, _, rest = block.partition("\n")
        if match := _ENDED.search(rest := f"\n{rest}"):
            yield Ended(command, rest[: match.start()].strip("\n"), int(match[1]), int(match[2]))


def _mirror() -> str:
    """Return where this machine has packages of that release from, else Debian's own address."""
    done = subprocess.run(
        [
            *("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"),
            *(f"Codename: {RELEASE}", "Origin: Debian", "Component: main"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return next(iter(done.stdout.split()), "http://deb.debian.org/debian")


def _write_settings(settings: Path) -> None:
    """Write how apt, pip and the resolver of this machine find what they fetch."""
    apt, pip = settings / "etc" / "apt" / "apt.conf.d", settings / "etc" / "pip.conf"
    apt.mkdir(parents=True)
    said = _output("apt-config", "dump").splitlines()
    lines = [line for line in said if re.match(r"Acquire::https?::.*Proxy", line)]
    for scheme in ("http", "https"):
        if proxy := os.environ.get(f"{scheme}_proxy"):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    (apt / "99as-outside").write_text("".join(f"{line}\n" for line in lines))
    stated: dict[str, str] = {}
    for line in _output(sys.executable, "-m", "pip", "config", "list").splitlines():
        key, _, value = line.partition("=")  # what the environment says comes first, and counts
        stated.setdefault(key.rpartition(".")[2], value.strip("'"))
    places = {
        # An index may point at files beside itself.
        Path(word.removeprefix("file://")).parent if word.startswith("file://") else Path(word)
        for value in stated.values()
        for word in value.split()
    }
    there = sorted(place for place in places if place.is_absolute() and place.exists())
    for number, place in enumerate(it for it in there if it.is_file()):
        # Such as certificates of an index. Packages bring files of the usual names: it has its own.
        own = Path("etc") / f"as-outside-{number}"
        (settings / own).write_bytes(place.read_bytes())
        stated = {key: it.replace(str(place), f"/{own}") for key, it in stated.items()}
    pip.write_text("".join(["[global]\n", *(f"{key} = {it}\n" for key, it in stated.items())]))
    folders = [place for place in there if place.is_dir()]
    (settings / "folders").write_text("".join(f"{place}\n" for place in folders))
    (settings / "etc" / "resolv.conf").write_text(Path("/etc/resolv.conf").read_text())
    (settings / "etc" / "hosts").write_text("127.0.0.1 localhost spanlab\n")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
