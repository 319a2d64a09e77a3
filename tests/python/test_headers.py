"""The control plane's headers are its manual: every function has words of its own."""

import re
from pathlib import Path

import pytest

HEADERS = sorted((Path(__file__).parents[2] / "libwdfdma/include/wdfdma").glob("*.h"))
FUNCTION = re.compile(r"^WDFDMA_API [^;]*?\b(wdfdma_\w+)\(", re.MULTILINE)
COMMENT = re.compile(r"/\*((?:(?!\*/).)*)\*/\n\Z", re.DOTALL)


def read_words(text: str) -> dict[str, str]:
    """Each function with the comment that ends in the line above it; empty where there is none."""
    words = {}
    for found in FUNCTION.finditer(text):
        comment = COMMENT.search(text, 0, found.start())
        words[found[1]] = " ".join(comment[1].split()) if comment is not None else ""
    return words


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_every_function_has_words_of_its_own(header: Path) -> None:
    words = read_words(header.read_text())
    assert [name for name, said in words.items() if not said] == []
    assert [name for name, said in words.items() if said.startswith("The same")] == []
    assert len(set(words.values())) == len(words)


def test_the_headers_are_found() -> None:
    functions = [name for path in HEADERS for name in read_words(path.read_text())]
    assert len(functions) > 60
    assert "wdfdma_device_leave_d0" in functions
    assert read_words(
        "/* A. */\nWDFDMA_API int wdfdma_a(void);\nWDFDMA_API int wdfdma_b(void);\n"
    ) == {
        "wdfdma_a": "A.",
        "wdfdma_b": "",
    }
