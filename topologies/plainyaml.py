"""The YAML that files may hold: plain data, from a text whose author nobody knows. Pure.

Mappings, lists, texts, decimal numbers, true, false and null. No aliases and no tags, so that a few
lines cannot become millions and nothing else is ever made; no repeated keys; limits on size, depth
and the number of values, so that reading ends soon. Keys are texts, whatever they look like, and so
is what YAML 1.1 takes for dates, for octal numbers or for numbers to the base of 60.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.composer import Composer
from yaml.reader import Reader

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
MAX_VALUES = 50_000
"""Keys counted: the longest trace or table of a span needs half of them."""
MAX_INTEGER = 2**63 - 1

_MEANT: dict[bool | None, list[str]] = {
    None: ["null"],
    True: ["true", "yes", "on"],
    False: ["false", "no", "off"],
}
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **{
        form(word): meant
        for meant, words in _MEANT.items()
        for word in words
        for form in (str, str.title, str.upper)
    },
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
)


class YamlError(ValueError):
    """What is no such YAML; the text says why.

    Attributes:
        line, column: where, from 1; None where it is not known.
    """

    def __init__(self, why: str, line: int | None = None, column: int | None = None) -> None:
        """Take what is wrong, and where."""
        super().__init__(why)
        self.line, self.column = line, column


def load(raw: bytes) -> Any:
    """Return the data of a YAML text in UTF-8; None of an empty one. Raises YamlError."""
    if len(raw) > MAX_BYTES:
        raise YamlError(f"is larger than {MAX_BYTES} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise _after(raw[: error.start].decode(), "is not YAML: this is not UTF-8") from None
    if found := Reader.NON_PRINTABLE.search(text):
        why = f"is not YAML: the character U+{ord(found[0]):04X} may not stand in a file"
        raise _after(text[: found.start()], why)
    parser = _Parser(text)
    try:
        node = parser.get_single_node()
        return None if node is None else _plain(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = error.problem or error.context or "is not YAML"
        raise YamlError(why, *((mark.line + 1, mark.column + 1) if mark else ())) from None
    except yaml.YAMLError as error:
        raise YamlError(f"is not YAML: {str(error).splitlines()[0]}") from None
    finally:
        parser.dispose()


def _after(before: str, why: str) -> YamlError:
    lines = before.split("\n")
    return YamlError(why, len(lines), len(lines[-1]) + 1)


class _Parser(Composer, CParser):
    """libyaml's parser, whose events become nodes here, where they are counted."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        Composer.__init__(self)
        self._depth = self._values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()
        self._depth += 1
        self._values += 1
        wrong = None
        if isinstance(event, yaml.AliasEvent):
            wrong = "aliases (*name) are not allowed"
        elif event.tag is not None:
            wrong = "tags (!name) are not allowed"
        elif self._depth > MAX_DEPTH:
            wrong = f"nested deeper than {MAX_DEPTH} levels"
        elif self._values > MAX_VALUES:
            wrong = f"holds more than {MAX_VALUES} keys and values"
        if wrong:
            raise yaml.MarkedYAMLError(problem=wrong, problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def descend_resolver(self, *_: object) -> None:
        """Tags are not looked for."""

    def ascend_resolver(self) -> None:
        """Tags are not looked for."""

    def resolve(self, *_: object) -> str:
        """Return no tag: what a node is, its kind and its text say."""
        return ""


def _plain(node: yaml.Node) -> Any:
    """Return a node's data; raises MarkedYAMLError."""
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault(key, "a key must be a text")
            if key.value in found:
                raise _fault(key, f'"{key.value}" stands here twice; each name may be used once')
            found[key.value] = _plain(value)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(it) for it in node.value]
    assert isinstance(node, yaml.ScalarNode), "there is no fourth kind"
    return node.value if node.style else _scalar(node)  # quoted, or a block, it is text


def _scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    text: str = node.value
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > 20 or abs(int(text)) > MAX_INTEGER:
            raise _fault(node, "the number is too large: more than 64 bits")
        return int(text)
    if not _FLOAT.fullmatch(text):
        return text
    number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(number):
        raise _fault(node, "the number is not finite")
    return number


def _fault(node: yaml.Node, why: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=node.start_mark)
