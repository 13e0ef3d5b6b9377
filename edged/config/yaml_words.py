"""PyYAML's complaints in words for people.

A complaint that is not known here is not repeated: it may quote the text, and the text may hold a password.
"""

from __future__ import annotations

from typing import Final

WORDS: Final = (
    (r"found character '\t'", "a tab (indent with spaces)"),
    ("found character", "a character that must not begin a value (put quotes around the text)"),
    ("mapping values are not allowed here", "a colon where none may be (indent evenly; quote text that holds ': ')"),
    ("could not find expected ':'", "a key without its colon (key: value)"),
    ("found unexpected end of stream", "quotes or brackets are opened and not closed (close them)"),
    ("expected ',' or ']'", "a list is not closed (a comma between items, a ']' at its end)"),
    ("expected ',' or '}'", "a mapping is not closed (a comma between keys, a '}' at its end)"),
    ("did not find expected", "quotes or brackets are opened and not closed (close them)"),
    ("expected <block end>, but found", "the indentation does not fit the lines above (the same under one key)"),
    ("expected the node content, but found", "a value is missing or is not text (a value; quote special characters)"),
    ("found undefined tag handle", "a tag, which begins with '!', has no meaning here (quote text with '!')"),
    ("found unknown escape character", "an unknown escape within double quotes (single quotes keep a backslash)"),
    ("found unexpected document separator", "quotes are opened and not closed (close them)"),
    ("sequence entries are not allowed here", "a list item where none may be (begin the list on a line of its own)"),
    ("expected a comment or a line break", "text where the line must end (indent the text on the next line)"),
    ("expected '<document start>'", "text after the end of the document (one document; indent evenly)"),
    ("found duplicate anchor", "an anchor is given twice (once)"),
)


def in_words(problem: str | None, text: str) -> str:
    """What a parser's `problem` in a line's `text` means, and in brackets what is allowed."""
    if problem is not None and problem.startswith("expected ',' or") and "${" in text:
        return 'a variable within brackets needs quotes (["${NAME}"])'
    for beginning, words in WORDS:
        if problem is not None and problem.startswith(beginning):
            return words
    return "this is not YAML (indent evenly with spaces; quote text with special characters)"
