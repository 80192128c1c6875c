"""No source runs a text as code or as a shell's command, beside the few places listed here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("topologies", "controller", "workloads", "experiments", "benchmarks")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

FORBIDDEN = {
    **dict.fromkeys(("eval", "exec", "compile", "__import__", "input"), "runs a text as code"),
    **dict.fromkeys(("os.system", "os.popen", "pty.spawn"), "gives a text to a shell"),
    **dict.fromkeys(("subprocess.getoutput", "subprocess.getstatusoutput"), "uses a shell"),
    **dict.fromkeys(("os.execl", "os.execlp", "os.spawnl", "os.spawnlp"), "starts by a name"),
    **dict.fromkeys(("tempfile.mktemp", "os.tempnam"), "makes a name that others can take first"),
    **dict.fromkeys(
        (
            *(f"{module}.{name}" for module in ("pickle", "marshal") for name in ("load", "loads")),
            *("pickle.Unpickler", "shelve.open", "dill.loads", "joblib.load", "numpy.load"),
        ),
        "makes objects of what a file says",
    ),
    **dict.fromkeys(("np.load", "pandas.read_pickle"), "makes objects of what a file says"),
    **dict.fromkeys(
        ("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "yaml.safe_load"),
        "reads YAML without the limits of topologies.plainyaml",
    ),
    **dict.fromkeys(("logging.config.listen", "code.interact"), "takes commands"),
    **dict.fromkeys(("urllib.request.urlopen", "requests.get"), "follows any address"),
}
"""Calls, and what is wrong with them."""
SHELLS = ("sh", "bash", "/bin/sh", "/bin/bash")
OPEN_TO_ALL = ("0.0.0.0", "::")

EXCEPTIONS = {
    ("experiments/site/building.py", "yaml.safe_load"): "the project's own settings of its site",
    ("benchmarks/fuzz/edits.py", "yaml.safe_load"): "the project's own files, to be changed",
    ("benchmarks/verdicts.py", "yaml.safe_load"): "a file of the project",
    ("benchmarks/dashboard.py", "urllib.request.urlopen"): "a server of its own on loopback",
    ("benchmarks/hosts.py", "shell"): "whole numbers",
    ("experiments/ondisk.py", "pickle.loads"): "a file of its own, without a name",
    ("topologies/emulation/containers/engine.py", "shell"): "one fixed text, paths as arguments",
    ("benchmarks/stock.py", "shell"): "one fixed text, what is started as arguments",
}
"""By file and what it does, why it may."""


def name_of(node: ast.expr) -> str:
    """Return a dotted name, or nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        above = name_of(node.value)
        return f"{above}.{node.attr}" if above else ""
    return ""


def keywords(call: ast.Call) -> dict[str | None, ast.expr]:
    return {it.arg: it.value for it in call.keywords}


def texts(node: ast.AST) -> Iterator[str]:
    """Yield the texts in an expression that stand there as they are."""
    for it in ast.walk(node):
        if isinstance(it, ast.Constant) and isinstance(it.value, str):
            yield it.value


def faults(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield the line, what is done, and what is wrong with it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple):
            words = [it.value for it in node.elts if isinstance(it, ast.Constant)]
            if any(a in SHELLS and b == "-c" for a, b in pairwise(words)):
                yield node.lineno, "shell", "gives a text to a shell"
        if not isinstance(node, ast.Call):
            continue
        name, given = name_of(node.func), keywords(node)
        if name in FORBIDDEN:
            yield node.lineno, name, FORBIDDEN[name]
        shell = given.get("shell")
        if shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False):
            yield node.lineno, "shell", "gives a text to a shell"
        if name.startswith("subprocess.") and name[11:] in ("run", "Popen", "check_output"):
            first = node.args[0] if node.args else given.get("args")
            if isinstance(first, ast.JoinedStr | ast.Constant | ast.BinOp):
                yield node.lineno, name, "starts a program by a text instead of a list"
        if name == "torch.load":
            safe = given.get("weights_only")
            if not (isinstance(safe, ast.Constant) and safe.value is True):
                yield node.lineno, name, "makes objects of what a file says"
        if name.endswith((".bind", "uvicorn.run")) and set(texts(node)) & {*OPEN_TO_ALL, ""}:
            yield node.lineno, name, "listens to everybody"
        if name.endswith("Environment") and "jinja" in name:
            escaped = given.get("autoescape")
            if not (isinstance(escaped, ast.Constant) and escaped.value is True):
                yield node.lineno, name, "puts names into a page as they are"
        if name.endswith((".chmod", "os.chmod", ".mkdir", "os.makedirs", "os.open")):
            for it in [*node.args, *given.values()]:
                mode = it.value if isinstance(it, ast.Constant) else None
                if isinstance(mode, int) and not isinstance(mode, bool) and mode & 0o022:
                    yield node.lineno, name, "lets others write"


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


def found() -> list[tuple[str, int, str, str]]:
    return [
        (where(path), *fault) for path in SOURCES for fault in faults(ast.parse(path.read_text()))
    ]


FOUND = found()


@pytest.mark.parametrize("path", SOURCES, ids=where)
def test_no_source_runs_what_it_reads(path: Path) -> None:
    told = [
        f"{file}:{line}: {what} {wrong}"
        for file, line, what, wrong in FOUND
        if file == where(path) and (file, what) not in EXCEPTIONS
    ]
    assert not told, "\n".join(told)


def test_the_exceptions_are_not_stale() -> None:
    assert set(EXCEPTIONS) <= {(file, what) for file, _, what, _ in FOUND}


@pytest.mark.parametrize(
    "text",
    [
        "subprocess.run(f'ls {name}', shell=True)",
        "subprocess.Popen(command, shell=chosen)",
        "subprocess.run(f'ls {name}')",
        "lab.run(host, ['sh', '-c', script])",
        "os.system('ls')",
        "eval(text)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "yaml.load(text, Loader)",
        "tempfile.mktemp()",
        "pickle.loads(data)",
        "server.bind(('0.0.0.0', 80))",
        "server.bind(('', 80))",
        "jinja2.Environment(loader=it)",
        "path.chmod(0o777)",
        "os.open(path, os.O_CREAT, 0o666)",
    ],
)
def test_what_is_forbidden_is_seen(text: str) -> None:
    assert list(faults(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "subprocess.run(['ls', name], shell=False)",
        "subprocess.run(command, check=True)",
        "torch.load(file, weights_only=True)",
        "server.bind(('127.0.0.1', 0))",
        "re.compile(text)",
        "jinja2.Environment(autoescape=True)",
        "path.mkdir(mode=0o755)",
    ],
)
def test_what_is_allowed_is_not(text: str) -> None:
    assert not list(faults(ast.parse(text)))
