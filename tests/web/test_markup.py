"""HTML from texts that anybody may have written."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from edged.web.markup import join, plain, tag


class Read(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(), st.text())
@example("<img src=x onerror=alert(1)>", '" onclick="alert(1)')
@example("</b><script>", "'><svg/onload=1>")
@example("\u202e\x00&lt;", "&quot;")
def test_whatever_a_text_says_it_stays_one(text: str, value: str) -> None:
    read = Read(tag("b", {"title": value}, text))
    assert read.tags == [("b", [("title", plain(value))])]
    assert read.text.replace("\r\n", "\n").replace("\r", "\n") == plain(text).replace("\r\n", "\n").replace("\r", "\n")


@given(st.text())
def test_nothing_that_steers_a_reader_comes_through(text: str) -> None:
    assert not set(plain(text)) & set("\x00\x1b\u202e\u2066\ud800")
    plain(text).encode()


def test_markup_goes_in_as_it_is_and_what_is_missing_not_at_all() -> None:
    assert join(tag("br"), None, "a<b", 3) == "<br>a&lt;b3"
    given = {"disabled": True, "hidden": False, "id": None, "max": 1}
    assert tag("input", given) == '<input disabled max="1">'
